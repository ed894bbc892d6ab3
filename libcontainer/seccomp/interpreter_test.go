package seccomp

import (
	"encoding/binary"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// call is struct seccomp_data: what a filter sees of a system call.
type call struct {
	number uint32
	arch   uint32
	args   [6]uint64
}

func (c call) bytes() []byte {
	b := binary.NativeEndian.AppendUint32(nil, c.number)
	b = binary.NativeEndian.AppendUint32(b, c.arch)
	b = binary.NativeEndian.AppendUint64(b, 0) // instruction pointer
	for _, a := range c.args {
		b = binary.NativeEndian.AppendUint64(b, a)
	}
	return b
}

// interpret runs a filter as the kernel's seccomp_check_filter and bpf_prog_run
// define it (Documentation/networking/filter.rst). It knows nothing of how the
// filter was made.
func interpret(program []byte, c call) (uint32, error) {
	data := c.bytes()
	var a, x uint32
	var memory [16]uint32
	count := len(program) / instructionSize
	for pc, steps := 0, 0; pc < count; pc, steps = pc+1, steps+1 {
		if steps > unix.BPF_MAXINSNS {
			return 0, fmt.Errorf("does not end")
		}
		in := program[pc*instructionSize:]
		code, jt, jf, k := binary.NativeEndian.Uint16(in), int(in[2]), int(in[3]), binary.NativeEndian.Uint32(in[4:])
		operand := k
		if code&unix.BPF_X != 0 {
			operand = x
		}
		jump := func(yes bool) {
			if yes {
				pc += jt
			} else {
				pc += jf
			}
		}
		switch code &^ unix.BPF_X {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			if k%4 != 0 || int(k)+4 > len(data) {
				return 0, fmt.Errorf("instruction %d loads from %d", pc, k)
			}
			a = binary.NativeEndian.Uint32(data[k:])
		case unix.BPF_LD | unix.BPF_MEM:
			a = memory[k]
		case unix.BPF_LDX | unix.BPF_MEM:
			x = memory[k]
		case unix.BPF_ST:
			memory[k] = a
		case unix.BPF_ALU | unix.BPF_AND:
			a &= operand
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(k)
		case unix.BPF_JMP | unix.BPF_JEQ:
			jump(a == operand)
		case unix.BPF_JMP | unix.BPF_JGT:
			jump(a > operand)
		case unix.BPF_JMP | unix.BPF_JGE:
			jump(a >= operand)
		case unix.BPF_JMP | unix.BPF_JSET:
			jump(a&operand != 0)
		case unix.BPF_RET:
			return operand, nil
		default:
			return 0, fmt.Errorf("instruction %d has the code %#x", pc, code)
		}
	}
	return 0, fmt.Errorf("runs past the end")
}

// answer is interpret, ending the test on a malformed program.
func answerOf(t *testing.T, program []byte, c call) uint32 {
	t.Helper()
	v, err := interpret(program, c)
	if err != nil {
		t.Fatalf("program with call %+v: %v", c, err)
	}
	return v
}

// verdictText makes failures readable.
func verdictText(v uint32) string {
	data := v & unix.SECCOMP_RET_DATA
	switch v & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_KILL_PROCESS:
		return "KILL_PROCESS"
	case unix.SECCOMP_RET_KILL_THREAD:
		return "KILL_THREAD"
	case unix.SECCOMP_RET_TRAP:
		return "TRAP"
	case unix.SECCOMP_RET_ERRNO:
		return fmt.Sprintf("ERRNO(%d)", data)
	case unix.SECCOMP_RET_USER_NOTIF:
		return "NOTIFY"
	case unix.SECCOMP_RET_TRACE:
		return fmt.Sprintf("TRACE(%d)", data)
	case unix.SECCOMP_RET_LOG:
		return "LOG"
	case unix.SECCOMP_RET_ALLOW:
		return "ALLOW"
	}
	return fmt.Sprintf("%#x", v)
}
