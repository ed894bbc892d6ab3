package seccomp

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// The instructions of classic BPF that filters are made of, see seccomp(2) and
// the kernel's Documentation/networking/filter.rst. They work on one 32-bit
// accumulator; a jump counts from the following instruction, and only forward.
const (
	opLoad    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS   // accumulator = word at k of struct seccomp_data
	opAnd     = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K  // accumulator &= k
	opEqual   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K  // accumulator == k: jt, else jf
	opGreater = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K  // accumulator > k
	opAtLeast = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K  // accumulator >= k
	opAnyBit  = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K // accumulator & k != 0
	opAlways  = unix.BPF_JMP | unix.BPF_JA                // jump by k
	opReturn  = unix.BPF_RET | unix.BPF_K                 // the verdict is k
)

// Offsets in struct seccomp_data. The arguments follow, as pairs of words.
const (
	offsetNumber = 0
	offsetArch   = 4
)

// instruction is struct sock_filter.
type instruction struct {
	code   uint16
	jt, jf int // 0 to 255
	k      uint32
}

// instructionSize is sizeof(struct sock_filter).
const instructionSize = 8

// assemble encodes instructions as the kernel reads them.
func assemble(list []instruction) []byte {
	out := make([]byte, 0, len(list)*instructionSize)
	for _, in := range list {
		out = binary.NativeEndian.AppendUint16(out, in.code)
		out = append(out, byte(in.jt), byte(in.jf))
		out = binary.NativeEndian.AppendUint32(out, in.k)
	}
	return out
}

// parse is the other end of assemble.
func parse(program []byte) []instruction {
	list := make([]instruction, 0, len(program)/instructionSize)
	for ; len(program) >= instructionSize; program = program[instructionSize:] {
		list = append(list, instruction{
			code: binary.NativeEndian.Uint16(program), jt: int(program[2]), jf: int(program[3]),
			k: binary.NativeEndian.Uint32(program[4:]),
		})
	}
	return list
}
