// Package json reads and writes JSON for code written by spec/internal/gen:
// a strict pull parser that words what is wrong with the input, and the few
// functions that append values to a buffer. Nothing here reflects.
//
// Stricter than encoding/json: keys match by exact case, no object may name a
// member twice, a string is never a number, invalid UTF-8 and lone surrogates
// are errors. As there, null for a member means "not given"; it is an error as
// an element of an array or of a map, where it could only mean a zero value.
package json

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"ociruntime/internal/diag"
)

// Stable names for what can be wrong with a document.
const (
	CodeSyntax    diag.Code = "json-syntax"    // not JSON (RFC 8259)
	CodeType      diag.Code = "json-type"      // JSON of another type or range
	CodeDuplicate diag.Code = "json-duplicate" // a member named twice
	CodeMissing   diag.Code = "json-missing"   // a required member is absent
)

const (
	maxDepth    = 1000 // nested objects and arrays
	maxProblems = 100  // after which reading stops
)

// Unknown is a member that the decoded type does not have.
type Unknown struct {
	Field   string // full path, e.g. "process.argss"
	Nearest string // the known member meant, perhaps; else empty
	Offset  int    // of its value, in bytes
}

// Decoder reads one document. Objects and arrays are loops:
//
//	for d.Object("path readonly", 1<<0); d.More(); {
//		switch d.Name() {
//		case "path":
//			d.Once(0)
//			v.Path = d.String()
//		case "readonly":
//			d.Once(1)
//			v.Readonly = d.Bool()
//		default:
//			d.Unknown()
//		}
//	}
//
// Every method does nothing but return zero values after a syntax error, so
// the caller asks once, with Close.
type Decoder struct {
	in       string
	pos      int
	frames   []frame // open objects and arrays, outermost first
	problems []*diag.Error
	failed   bool // stop: what follows cannot be trusted

	// KeepUnknown makes Unknown remember what it skips.
	KeepUnknown bool
	unknown     []Unknown
}

type kind byte

const (
	object  kind = iota // into a struct: members known by name
	mapping             // into a map: any member, all of one type
	skipped             // an object nobody asked for
	array
)

// frame is one open object or array.
type frame struct {
	kind     kind
	started  bool    // a member or element has been met
	over     bool    // null or of another type: there is nothing to read
	name     string  // of the member being read
	index    int     // of the element being read
	known    string  // object: the members' names, separated by spaces
	last     uint64  // object: the bit of the member being read
	seen     uint64  // object: bit i set when known name i was met
	null     uint64  // object: bit i set when its value was null
	required uint64  // object: bits that must be set in the end
	others   nameSet // names met that have no bit
}

// NewDecoder returns a decoder of input. Decoded strings share its memory.
func NewDecoder(input string) *Decoder {
	return &Decoder{in: input, frames: make([]frame, 0, 8)}
}

// Close reports everything that was wrong, in the order of the input. It must
// be called after the outermost value was read; text after that is an error.
func (d *Decoder) Close() []*diag.Error {
	d.peek()
	if d.pos < len(d.in) {
		d.syntax("the end of the input")
	}
	return d.problems
}

// Problems reports what was wrong so far.
func (d *Decoder) Problems() []*diag.Error { return d.problems }

// UnknownMembers returns what Unknown remembered.
func (d *Decoder) UnknownMembers() []Unknown { return d.unknown }

// Object opens an object whose members are named by known, separated by
// spaces; the members whose bits are set in required must be present.
func (d *Decoder) Object(known string, required uint64) {
	f := d.open(object, '{', "an object")
	f.known, f.required = known, required
}

// Require adds to the members that must be present in the innermost object.
func (d *Decoder) Require(bits uint64) { d.top().required |= bits }

// Map opens an object whose members may have any name.
func (d *Decoder) Map() { d.open(mapping, '{', "an object") }

// Array opens an array.
func (d *Decoder) Array() { d.open(array, '[', "an array") }

func (d *Decoder) open(k kind, bracket byte, want string) *frame {
	over := false
	if d.peek() == bracket {
		d.pos++
	} else {
		over = true
		if !d.Null() {
			d.mismatch(want)
		}
	}
	return d.push(frame{kind: k, over: over})
}

// push opens a frame, reusing the name set of an earlier one at that depth.
func (d *Decoder) push(f frame) *frame {
	n := len(d.frames)
	if n < cap(d.frames) {
		d.frames = d.frames[:n+1]
		f.others = d.frames[n].others.reuse()
		d.frames[n] = f
	} else {
		d.frames = append(d.frames, f)
	}
	if n >= maxDepth {
		d.fail(CodeSyntax, fmt.Sprintf("is nested deeper than %d levels", maxDepth))
	}
	return &d.frames[n]
}

func (d *Decoder) top() *frame { return &d.frames[len(d.frames)-1] }

func (d *Decoder) pop() { d.frames = d.frames[:len(d.frames)-1] }

// More moves to the next member or element of the innermost object or array.
// It returns false, and closes it, when there is none.
func (d *Decoder) More() bool {
	f := d.top()
	if f.over || d.failed {
		d.pop()
		return false
	}
	end := byte('}')
	if f.kind == array {
		end = ']'
	}
	c := d.peek()
	switch {
	case c == end:
		d.pos++
		d.missing(f)
		d.pop()
		return false
	case !f.started:
	case c == ',':
		d.pos++
		f.index++
	default:
		d.syntax(fmt.Sprintf(`"," or "%c"`, end))
		d.pop()
		return false
	}
	if f.kind == array {
		f.started = true
		return true
	}
	if !d.readName(f) {
		d.pop()
		return false
	}
	return true
}

// readName reads `"name" :`.
func (d *Decoder) readName(f *frame) bool {
	if d.peek() != '"' {
		d.syntax("a member's name in quotes")
		return false
	}
	name, ok := d.text()
	if !ok {
		return false
	}
	f.name, f.started = name, true
	if d.peek() != ':' {
		d.syntax(`":"`)
		return false
	}
	d.pos++
	if f.kind != object && !f.others.add(name) {
		d.Duplicate()
	}
	return true
}

// missing reports required members that were not met.
func (d *Decoder) missing(f *frame) {
	lost := f.required &^ (f.seen &^ f.null)
	if lost == 0 {
		return
	}
	rest := f.known
	for bit := uint64(1); rest != ""; bit <<= 1 {
		f.name, rest, _ = strings.Cut(rest, " ")
		if lost&bit != 0 {
			f.started = true
			d.problem(CodeMissing, d.pos-1, "is missing")
		}
	}
}

// Name returns the name of the member being read.
func (d *Decoder) Name() string { return d.top().name }

// Key is Name for a key that will reach the kernel: one holding a NUL byte,
// which would end the C string there, is reported.
func (d *Decoder) Key() string {
	name := d.Name()
	if strings.IndexByte(name, 0) >= 0 {
		d.problem(CodeType, d.pos, "the name holds a NUL byte")
	}
	return name
}

// Once notes that known member i is being read, and reports its second time.
func (d *Decoder) Once(i uint) {
	f := d.top()
	f.last = 1 << i
	if f.seen&f.last != 0 {
		d.Duplicate()
	}
	f.seen |= f.last
}

// Duplicate reports that the member being read was named before.
func (d *Decoder) Duplicate() { d.problem(CodeDuplicate, d.pos, "appears twice in its object") }

// Unknown skips a member that the type does not have.
func (d *Decoder) Unknown() {
	f := d.top()
	if !f.others.add(f.name) {
		d.Duplicate()
	}
	if d.KeepUnknown {
		d.peek()
		d.unknown = append(d.unknown, Unknown{d.Field(), Nearest(f.name, f.known), d.pos})
	}
	d.Skip()
}

// Skip reads a value of any type and forgets it.
func (d *Decoder) Skip() {
	switch c := d.peek(); {
	case c == '{':
		for d.open(skipped, '{', ""); d.More(); {
			d.Skip()
		}
	case c == '[':
		for d.Array(); d.More(); {
			d.Skip()
		}
	case c == '"':
		d.text()
	case c == '-' || '0' <= c && c <= '9':
		d.number()
	case d.literal("true"), d.literal("false"), d.literal("null"):
	default:
		d.syntax("a value")
	}
}

// Null skips a null and says whether there was one. A null that is not the
// value of an object's member is reported.
func (d *Decoder) Null() bool {
	d.peek()
	start := d.pos
	if !d.literal("null") {
		return false
	}
	if len(d.frames) == 0 || d.top().kind != object {
		d.problem(CodeType, start, "is null")
	} else {
		f := d.top()
		f.null |= f.last
	}
	return true
}

// Field returns the path of what is being read, e.g. `mounts[3].options[1]`.
func (d *Decoder) Field() string {
	var b []byte
	for i := range d.frames {
		f := &d.frames[i]
		switch {
		case !f.started:
		case f.kind == array:
			b = fmt.Appendf(b, "[%d]", f.index)
		case f.kind == mapping || !isWord(f.name):
			b = fmt.Appendf(b, "[%q]", f.name)
		default:
			if len(b) > 0 {
				b = append(b, '.')
			}
			b = append(b, f.name...)
		}
	}
	return string(b)
}

// isWord says whether a name reads well after a dot.
func isWord(name string) bool {
	for _, c := range []byte(name) {
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return name != ""
}

// problem reports what is wrong with the value at offset, and goes on.
func (d *Decoder) problem(code diag.Code, offset int, text string) {
	if d.failed {
		return
	}
	d.problems = append(d.problems, &diag.Error{
		Field: d.Field(),
		Err:   errors.New(text),
		Hint:  "at line " + Position(d.in, offset),
		Code:  code,
	})
	if len(d.problems) >= maxProblems {
		d.stop()
	}
}

// fail is problem for what cannot be read past.
func (d *Decoder) fail(code diag.Code, text string) {
	d.problem(code, d.pos, text)
	d.stop()
}

func (d *Decoder) stop() {
	d.failed = true
	d.pos = len(d.in)
}

// syntax reports that what stands at the current position is not what the
// grammar wants there.
func (d *Decoder) syntax(want string) {
	found := "nothing more"
	if d.pos < len(d.in) {
		r, _ := utf8.DecodeRuneInString(d.in[d.pos:])
		found = fmt.Sprintf("%q", r)
	}
	d.fail(CodeSyntax, "found "+found+", expected "+want)
}

// mismatch reports a value of another type than wanted, and skips it.
func (d *Decoder) mismatch(want string) {
	c, start, is := d.peek(), d.pos, ""
	switch {
	case c == '{':
		is = "an object"
	case c == '[':
		is = "an array"
	case c == '"':
		is = "a string"
	case strings.HasPrefix(d.in[start:], "true"), strings.HasPrefix(d.in[start:], "false"):
		is = "a boolean"
	case c == '-' || '0' <= c && c <= '9':
		is = "a number"
	default:
		d.syntax("a value")
		return
	}
	d.problem(CodeType, start, "is "+is+", must be "+want)
	d.Skip()
}

// Position names an offset of input as "line:column", both counted from 1 and
// columns in characters, as editors do.
func Position(input string, offset int) string {
	before := input[:min(offset, len(input))]
	line := 1 + strings.Count(before, "\n")
	column := 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return fmt.Sprintf("%d:%d", line, column)
}
