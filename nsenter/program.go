// Package nsenter takes a process into namespaces without running any code of
// ours, or of Go's, inside them: a Program records system calls, the stage
// replays them and becomes the user's process.
//
//	parent (Go)                                stage (assembly, one page)
//	record Program ── image in a sealed file ──> execve, replay op by op
//	        <───────── {Sync, value} + fds ────  Send
//	        ────────── bytes ─────────────────>  Receive
//	        <───────── {op, errno}, or EOF ────  Fault, or execve succeeded
//
// The package knows namespaces and system calls; it knows nothing of OCI.
package nsenter

import (
	"encoding/binary"
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// Addresses of the three segments of the stage's image. They are fixed, so
// that every address in a Program is known while it is being recorded.
const (
	textBase  = 0x10000000 // ELF header and the replay loop
	opsBase   = 0x11000000 // the ops, read only
	arenaBase = 0x12000000 // words first, then strings and structures
)

// wordArea is the size of the start of the arena that holds words: what the
// stage writes stays on few pages, and only those are charged to the container.
const wordArea = 4096

// kind selects what the stage does with an op. The values are known to the
// assembly in stage_*.s.
type kind uint8

const (
	kindCall  kind = iota // a system call
	kindCheck             // compare a word of the arena
	kindStore             // copy a word of the arena
)

// op is one instruction as the stage reads it: 72 bytes, little endian.
//
//	 0  kind
//	 1  words    bit n set: args[n] is the address of a word holding the argument
//	 2  errnos   up to six that make a call skip instead of fail; 0 is unused
//	 8  nr       system call number
//	12  skip     bytes from this op to the one to continue with; 0: fault
//	16  args     call: six arguments. check: address, mask, value. store: from, to
//	64  result   address of the word that receives the call's result
type op struct {
	kind   kind
	words  uint8
	errnos [6]uint8
	nr     uint32
	skip   uint32
	args   [6]uint64
	result uint64
}

const opSize = 72

// note is what the parent remembers of an op to word a Fault.
type note struct {
	field   string // config field to blame
	meaning string // for a check: what it means that it failed
}

// Program is an append-only recording of system calls. Each method named after
// a system call records one; nothing is executed before Start. The zero value
// is not usable, see New.
type Program struct {
	ops    []op
	notes  []note
	arena  []byte
	words  int // bytes of the word area in use
	field  string
	status int     // the stage's number of the status socket
	given  []file  // inherited files, in order
	err    error   // first mistake in recording; reported by Start
	into   FD      // where the next call's result goes, if set
	empty  uint64  // address of ""
	stat   Buffer  // shared by all Statx
	statfs Buffer  // shared by all Fstatfs
	timing *timing // notes the time, see Time
	timed  *timing // has noted it
}

type file struct {
	fd    int
	label string
}

// FD is a file descriptor of the stage: a number known already (AT_FDCWD, an
// inherited file) or the word that will hold a recorded call's result.
type FD struct {
	value uint64
	word  bool
}

// AtCWD is AT_FDCWD.
var AtCWD = FD{value: uint64(0xffffffffffffff9c)}

// Number is the descriptor n itself, for those whose place is fixed: stdio and
// preserved files.
func Number(n int) FD { return FD{value: uint64(n)} }

// Word is the address of eight bytes in the arena.
type Word uint64

// Register reserves the place of a descriptor, to be filled by a call after
// Into.
func (p *Program) Register() FD { return fromWord(p.Word()) }

// Buffer is a span of the arena, filled by the stage or by the parent late.
type Buffer struct {
	addr uint64
	size int
}

// New returns an empty Program for a stage which keeps preserved inherited
// files open for the container process, from descriptor 3 on.
func New(preserved int) *Program {
	p := &Program{
		ops:    make([]op, 0, 640),
		notes:  make([]note, 0, 640),
		arena:  make([]byte, wordArea, 3*wordArea),
		status: 3 + preserved,
	}
	p.Put(p.Word(), uint64(p.status)) // word 0: the stage reports faults there
	p.empty = p.bytes([]byte{0})
	return p
}

// At names the config field, e.g. "mounts[3]", to blame for every call that is
// recorded from here on.
func (p *Program) At(field string) { p.field = field }

// Field is what At set last.
func (p *Program) Field() string { return p.field }

// Inherit makes the parent's descriptor fd available to the stage, which sees
// it close-on-exec. The parent keeps fd open until Start returned. label names
// it in listings.
func (p *Program) Inherit(fd int, label string) FD {
	p.given = append(p.given, file{fd, label})
	return Number(p.status + len(p.given))
}

// Into makes the next call store its result where fd's is, so that two
// branches can produce the same descriptor.
func (p *Program) Into(fd FD) { p.into = fd }

// Word reserves one word of the arena, initially 0.
func (p *Program) Word() Word { return Word(p.Space(8).addr) }

// Put sets the initial value of w.
func (p *Program) Put(w Word, value uint64) {
	binary.LittleEndian.PutUint64(p.arena[w-arenaBase:], value)
}

// Store records that *to = *from.
func (p *Program) Store(from, to Word) {
	p.record(op{kind: kindStore, args: [6]uint64{uint64(from), uint64(to)}}, "")
}

// Copy records that the register to becomes what the register from is.
func (p *Program) Copy(from, to FD) { p.Store(Word(from.value), Word(to.value)) }

// Space reserves size zero bytes in the arena for the stage to write.
func (p *Program) Space(size int) Buffer {
	size = (size + 7) &^ 7
	if p.words+size <= wordArea-8 {
		p.words += size
		return Buffer{arenaBase + uint64(p.words-size), size}
	}
	return Buffer{p.bytes(make([]byte, size)), size}
}

// word returns the word at offset bytes into b.
func (b Buffer) word(offset int) Word { return Word(b.addr + uint64(offset)) }

// After returns what is left of b behind its first n bytes.
func (b Buffer) After(n int) Buffer { return Buffer{b.addr + uint64(n), b.size - n} }

// Word returns the eight bytes at offset into b.
func (b Buffer) Word(offset int) Word { return b.word(offset) }

// bytes copies data into the arena, aligned to 8, and returns its address.
func (p *Program) bytes(data []byte) uint64 {
	p.align()
	addr := arenaBase + uint64(len(p.arena))
	p.arena = append(p.arena, data...)
	return addr
}

// string copies s and a terminating NUL into the arena.
func (p *Program) string(s string) uint64 {
	if s == "" && p.empty != 0 {
		return p.empty
	}
	for i := range len(s) {
		if s[i] == 0 {
			p.fail(fmt.Errorf("%q contains a null byte", s))
		}
	}
	addr := arenaBase + uint64(len(p.arena))
	p.arena = append(p.arena, s...)
	p.arena = append(p.arena, 0)
	return addr
}

// strings lays out a NULL-terminated array of pointers, as execve(2) wants.
func (p *Program) strings(list []string, last ...Buffer) uint64 {
	table := make([]uint64, 0, len(list)+len(last)+1)
	for _, s := range list {
		table = append(table, p.string(s))
	}
	for _, b := range last {
		table = append(table, b.addr)
	}
	return p.quads(append(table, 0)...)
}

// quads copies 64-bit values into the arena.
func (p *Program) quads(values ...uint64) uint64 {
	p.align()
	addr := arenaBase + uint64(len(p.arena))
	for _, v := range values {
		p.arena = binary.LittleEndian.AppendUint64(p.arena, v)
	}
	return addr
}

func (p *Program) align() {
	for len(p.arena)%8 != 0 {
		p.arena = append(p.arena, 0)
	}
}

// arg is an argument of a recorded call.
type arg = FD

func imm[T ~int | ~uint | ~int32 | ~uint32 | ~int64 | ~uint64 | ~uintptr](v T) arg {
	return arg{value: uint64(v)}
}

func (p *Program) str(s string) arg { return arg{value: p.string(s)} }

// fromWord passes the value that w holds when the call is made.
func fromWord(w Word) arg { return arg{value: uint64(w), word: true} }

// call records system call nr and returns the descriptor (or other result)
// it will leave.
func (p *Program) call(nr uintptr, args ...arg) FD {
	o := op{kind: kindCall, nr: uint32(nr)}
	for i, a := range args {
		o.args[i] = a.value
		if a.word {
			o.words |= 1 << i
		}
	}
	result := p.into
	if !result.word {
		result = fromWord(p.Word())
	}
	p.into = FD{}
	o.result = result.value
	p.tick()
	p.record(o, "")
	return result
}

// do records a call whose result nobody reads.
func (p *Program) do(nr uintptr, args ...arg) {
	p.into = fromWord(scratch)
	p.call(nr, args...)
}

// scratch is the word that receives results nobody reads: the last of the word
// area, which Space never hands out.
const scratch = Word(arenaBase + wordArea - 8)

func (p *Program) record(o op, meaning string) {
	p.ops = append(p.ops, o)
	p.notes = append(p.notes, note{p.field, meaning})
}

func (p *Program) fail(err error) {
	if p.err == nil {
		p.err = fmt.Errorf("%s: %w", p.field, err)
	}
}

// Err returns the first mistake made while recording, e.g. a string with a
// null byte.
func (p *Program) Err() error { return p.err }

// Allow makes the listed errnos of the call recorded last as good as success.
func (p *Program) Allow(errnos ...unix.Errno) { p.Branch(nil, nil, errnos...) }

// IfOK records what block does, to be skipped when the call recorded last
// fails with one of errnos. Any other errno is a fault.
func (p *Program) IfOK(block func(), errnos ...unix.Errno) { p.Branch(block, nil, errnos...) }

// IfErr records what block does, to run only when the call recorded last
// fails with one of errnos. Any other errno is a fault.
func (p *Program) IfErr(block func(), errnos ...unix.Errno) { p.Branch(nil, block, errnos...) }

// Branch records two blocks: ok for when the call recorded last succeeds,
// failed for when it fails with one of errnos (six at most). Either may be nil.
func (p *Program) Branch(ok, failed func(), errnos ...unix.Errno) {
	at := len(p.ops) - 1
	if len(errnos) > len(op{}.errnos) {
		p.fail(fmt.Errorf("bug: %d errnos listed", len(errnos)))
		return
	}
	for i, e := range errnos {
		if e == 0 || e > math.MaxUint8 {
			p.fail(fmt.Errorf("bug: errno %d cannot be listed", e))
			return
		}
		p.ops[at].errnos[i] = uint8(e)
	}
	p.blocks(at, ok, failed)
}

// Require records a check that (*w & mask) == value; otherwise the stage
// stops with a Fault that says meaning.
func (p *Program) Require(w Word, mask, value uint64, meaning string) {
	p.record(op{kind: kindCheck, args: [6]uint64{uint64(w), mask, value}}, meaning)
}

// When records two blocks: then for (*w & mask) == value, otherwise for when
// it is not. Either may be nil.
func (p *Program) When(w Word, mask, value uint64, then, otherwise func()) {
	at := len(p.ops)
	p.record(op{kind: kindCheck, args: [6]uint64{uint64(w), mask, value}}, "")
	p.blocks(at, then, otherwise)
}

// blocks records first directly after op at, and makes at's skip lead to second.
func (p *Program) blocks(at int, first, second func()) {
	if first != nil {
		first()
	}
	jump := len(p.ops)
	if second != nil {
		p.jump()
	}
	p.ops[at].skip = uint32(len(p.ops)-at) * opSize
	if second == nil {
		return
	}
	second()
	p.ops[jump].skip = uint32(len(p.ops)-jump) * opSize
}

// jump records an unconditional skip, to be aimed later: a check that no word
// passes, as (x & 0) is never 1.
func (p *Program) jump() {
	p.record(op{kind: kindCheck, args: [6]uint64{arenaBase, 0, 1}}, "")
}

// Stop records a Fault that says meaning: where a branch has found out what is
// wrong better than an errno would tell.
func (p *Program) Stop(meaning string) {
	p.record(op{kind: kindCheck, args: [6]uint64{arenaBase, 0, 1}}, meaning)
}
