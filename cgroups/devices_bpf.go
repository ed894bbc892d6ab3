package cgroups

import "encoding/binary"

// The version 2 device controller is an eBPF program of type
// BPF_PROG_TYPE_CGROUP_DEVICE (Linux 4.15) that answers 1 (allow) or 0 (deny).
// It gets, linux/bpf.h:
//
//	struct bpf_cgroup_dev_ctx {
//		__u32 access_type; /* (BPF_DEVCG_ACC_* << 16) | BPF_DEVCG_DEV_* */
//		__u32 major;
//		__u32 minor;
//	};
//
// Ours keeps the operations not yet decided in r2 and walks the rules from the
// last to the first: a deny rule that has one of them ends with 0; an allow rule
// takes its own away, and ends with 1 when none is left. There is no jump back.
const (
	devBlock = 1 // BPF_DEVCG_DEV_BLOCK
	devChar  = 2 // BPF_DEVCG_DEV_CHAR
)

// Operation codes, linux/bpf_common.h and linux/bpf.h: class | size or
// operation | source (K: the immediate, X: a register).
const (
	opLoadWord = 0x61 // BPF_LDX | BPF_MEM | BPF_W
	opMovReg   = 0xbc // BPF_ALU | BPF_MOV | BPF_X, 32 bits
	opMovImm   = 0xb4 // BPF_ALU | BPF_MOV | BPF_K
	opAndImm   = 0x54 // BPF_ALU | BPF_AND | BPF_K
	opShiftImm = 0x74 // BPF_ALU | BPF_RSH | BPF_K
	opJumpNe   = 0x56 // BPF_JMP32 | BPF_JNE | BPF_K (Linux 5.1)
	opJumpSet  = 0x46 // BPF_JMP32 | BPF_JSET | BPF_K: jumps when a bit is set
	opJump     = 0x05 // BPF_JMP | BPF_JA
	opExit     = 0x95 // BPF_JMP | BPF_EXIT
)

// Registers of our program.
const (
	r0 = iota // answer
	r1        // context
	r2        // operations still to be decided
	r3        // device type
	r4        // major
	r5        // minor
)

// instruction is struct bpf_insn.
type instruction struct {
	op       byte
	dst, src byte
	jump     int16 // instructions to skip
	imm      int32
}

// program assembles the policy.
func (d *deviceRules) program() []instruction {
	code := make([]instruction, 0, 8+8*len(d.list))
	code = append(code,
		instruction{opLoadWord, r2, r1, 0, 0},
		instruction{opMovReg, r3, r2, 0, 0},
		instruction{opAndImm, r3, 0, 0, 0xffff},
		instruction{opShiftImm, r2, 0, 0, 16},
		instruction{opLoadWord, r4, r1, 4, 0},
		instruction{opLoadWord, r5, r1, 8, 0},
	)
	for i := len(d.list) - 1; i >= 0; i-- {
		code = append(code, d.list[i].block()...)
	}
	answer := int32(0)
	if d.allowAll {
		answer = 1
	}
	return append(code, instruction{opMovImm, r0, 0, 0, answer}, instruction{opExit, 0, 0, 0, 0})
}

// block is the code of one rule: tests that skip the rest of the block when the
// device is another one, then the decision.
func (r rule) block() []instruction {
	tests := []instruction{{opJumpNe, r3, 0, 0, devType(r.kind)}}
	if r.major != anyNumber {
		tests = append(tests, instruction{opJumpNe, r4, 0, 0, int32(uint32(r.major))})
	}
	if r.minor != anyNumber {
		tests = append(tests, instruction{opJumpNe, r5, 0, 0, int32(uint32(r.minor))})
	}
	var decide []instruction
	if r.allow {
		decide = []instruction{
			{opAndImm, r2, 0, 0, int32(allAccess &^ r.access)},
			{opJumpNe, r2, 0, 2, 0}, // something is left: next rule
			{opMovImm, r0, 0, 0, 1},
			{opExit, 0, 0, 0, 0},
		}
	} else {
		decide = []instruction{
			{opJumpSet, r2, 0, 1, int32(r.access)}, // one of them is asked for
			{opJump, 0, 0, 2, 0},                   // none: next rule
			{opMovImm, r0, 0, 0, 0},
			{opExit, 0, 0, 0, 0},
		}
	}
	block := append(tests, decide...)
	for i := range tests {
		block[i].jump = int16(len(block) - i - 1)
	}
	return block
}

func devType(kind byte) int32 {
	if kind == 'b' {
		return devBlock
	}
	return devChar
}

// encode lays the program out as the kernel reads it. Bit fields of struct
// bpf_insn put dst into the low half of the register byte on little-endian
// machines and into the high half on big-endian ones.
func encode(code []instruction, order binary.ByteOrder) []byte {
	out := make([]byte, 8*len(code))
	for i, in := range code {
		b := out[8*i:]
		b[0] = in.op
		b[1] = in.src<<4 | in.dst
		if order == binary.ByteOrder(binary.BigEndian) {
			b[1] = in.dst<<4 | in.src
		}
		order.PutUint16(b[2:], uint16(in.jump))
		order.PutUint32(b[4:], uint32(in.imm))
	}
	return out
}
