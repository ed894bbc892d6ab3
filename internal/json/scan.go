package json

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// IntBits is the size of Go's int and uint, for Int and Uint.
const IntBits = bits.UintSize

// peek skips white space and returns the next byte, or 0 at the end. (A NUL
// byte in the input reads as 0 too, and then fails as any stray byte does.)
func (d *Decoder) peek() byte {
	for d.pos < len(d.in) {
		switch c := d.in[d.pos]; c {
		case ' ', '\n', '\t', '\r':
			d.pos++
		default:
			return c
		}
	}
	return 0
}

// literal skips word and says whether it was there.
func (d *Decoder) literal(word string) bool {
	if !strings.HasPrefix(d.in[d.pos:], word) {
		return false
	}
	d.pos += len(word)
	return true
}

// Bool reads a boolean.
func (d *Decoder) Bool() bool {
	d.peek()
	switch {
	case d.literal("true"):
		return true
	case d.literal("false"), d.Null():
	default:
		d.mismatch("true or false")
	}
	return false
}

// String reads a string that will reach the kernel: one holding a NUL byte,
// which would end the C string there, is reported.
func (d *Decoder) String() string {
	start := d.pos
	s := d.Text()
	if strings.IndexByte(s, 0) >= 0 {
		d.problem(CodeType, start, "holds a NUL byte")
	}
	return s
}

// Text reads a string that may hold NUL bytes.
func (d *Decoder) Text() string {
	if d.peek() != '"' {
		if !d.Null() {
			d.mismatch("a string")
		}
		return ""
	}
	s, _ := d.text()
	return s
}

// Time reads a time as RFC 3339 has it.
func (d *Decoder) Time() time.Time {
	start := d.pos
	s := d.Text()
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		d.problem(CodeType, start, "is not a time as RFC 3339 has it")
	}
	return t
}

// Strings reads an array of strings; null gives nil.
func Strings[S ~string](d *Decoder) []S {
	if d.Null() {
		return nil
	}
	list := []S{}
	for d.Array(); d.More(); {
		list = append(list, S(d.String()))
	}
	return list
}

// StringMap reads an object of strings that will reach the kernel; null gives nil.
func (d *Decoder) StringMap() map[string]string {
	if d.Null() {
		return nil
	}
	m := map[string]string{}
	for d.Map(); d.More(); {
		key := d.Key()
		m[key] = d.String()
	}
	return m
}

// TextMap is StringMap for names and values that may hold NUL bytes.
func (d *Decoder) TextMap() map[string]string {
	if d.Null() {
		return nil
	}
	m := map[string]string{}
	for d.Map(); d.More(); {
		name := d.Name()
		m[name] = d.Text()
	}
	return m
}

// text reads a string whose opening quote is next. Without escapes it is a
// part of the input. False means a syntax error, already reported.
func (d *Decoder) text() (string, bool) {
	start := d.pos + 1
	for i := start; i < len(d.in); i++ {
		switch c := d.in[i]; {
		case c == '"':
			d.pos = i + 1
			return d.in[start:i], true
		case c == '\\' || c < ' ' || c >= utf8.RuneSelf:
			return d.unescape(start, i)
		}
	}
	d.pos = len(d.in)
	d.syntax("the string's closing quote")
	return "", false
}

// unescape reads on from i in a string that began at start; what lies between
// needs no change.
func (d *Decoder) unescape(start, i int) (string, bool) {
	var b []byte // what the string means up to start, once that differs
	for i < len(d.in) {
		c := d.in[i]
		switch {
		case c == '"':
			d.pos = i + 1
			if b == nil {
				return d.in[start:i], true
			}
			return string(append(b, d.in[start:i]...)), true
		case c == '\\':
			b = append(b, d.in[start:i]...)
			d.pos = i
			r, size := d.escape(d.in[i:])
			if size == 0 {
				return "", false
			}
			b = utf8.AppendRune(b, r)
			i += size
			start = i
		case c < ' ':
			d.pos = i
			d.fail(CodeSyntax, fmt.Sprintf("control character %#02x in a string must be written as an escape", c))
			return "", false
		default:
			r, size := utf8.DecodeRuneInString(d.in[i:])
			if r == utf8.RuneError && size == 1 {
				d.pos = i
				d.fail(CodeSyntax, "is not valid UTF-8")
				return "", false
			}
			i += size
		}
	}
	d.pos = len(d.in)
	d.syntax("the string's closing quote")
	return "", false
}

// escape reads one escape sequence from the start of s and returns what it
// means and its size; size 0 means a syntax error, already reported.
func (d *Decoder) escape(s string) (rune, int) {
	if len(s) > 1 {
		switch s[1] {
		case '"', '\\', '/':
			return rune(s[1]), 2
		case 'b':
			return '\b', 2
		case 'f':
			return '\f', 2
		case 'n':
			return '\n', 2
		case 'r':
			return '\r', 2
		case 't':
			return '\t', 2
		}
	}
	r, ok := hex4(s)
	if !ok {
		d.fail(CodeSyntax, "invalid escape sequence in a string")
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if low, ok := hex4(s[6:]); ok {
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			return r, 12
		}
	}
	d.fail(CodeSyntax, "half of a surrogate pair in a string")
	return 0, 0
}

// hex4 reads \uXXXX.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[2:6]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// number reads a number and returns its text, or "" after a syntax error.
func (d *Decoder) number() string {
	start := d.pos
	d.literal("-")
	if !d.literal("0") && !d.digits() {
		return ""
	}
	if d.literal(".") && !d.digits() {
		return ""
	}
	if d.literal("e") || d.literal("E") {
		if !d.literal("-") {
			d.literal("+")
		}
		if !d.digits() {
			return ""
		}
	}
	return d.in[start:d.pos]
}

// digits skips one or more digits.
func (d *Decoder) digits() bool {
	start := d.pos
	for d.pos < len(d.in) && '0' <= d.in[d.pos] && d.in[d.pos] <= '9' {
		d.pos++
	}
	if d.pos == start {
		d.syntax("a digit")
	}
	return d.pos > start
}

// integer reads the text of a number, "" if there is none.
func (d *Decoder) integer() string {
	c := d.peek()
	if c == '-' || '0' <= c && c <= '9' {
		return d.number()
	}
	if !d.Null() {
		d.mismatch("a number")
	}
	return ""
}

// Int reads a signed integer of so many bits.
func (d *Decoder) Int(bits int) int64 {
	text := d.integer()
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		least := int64(-1) << (bits - 1)
		d.notInRange(text, strconv.FormatInt(least, 10), strconv.FormatInt(^least, 10))
		return 0
	}
	return n
}

// Uint reads an unsigned integer of so many bits.
func (d *Decoder) Uint(bits int) uint64 {
	text := d.integer()
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		d.notInRange(text, "0", strconv.FormatUint(^uint64(0)>>(64-bits), 10))
		return 0
	}
	return n
}

func (d *Decoder) notInRange(text, least, most string) {
	const shown = 40
	offset := d.pos - len(text)
	if len(text) > shown {
		text = text[:shown] + "..."
	}
	d.problem(CodeType, offset, "is "+text+", must be a whole number from "+least+" to "+most)
}
