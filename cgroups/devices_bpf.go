package cgroups

import (
	"encoding/binary"
	"slices"
)

// The version 2 device controller is an eBPF program of type
// BPF_PROG_TYPE_CGROUP_DEVICE (Linux 4.15) that answers 1 (allow) or 0 (deny).
// It gets, linux/bpf.h:
//
//	struct bpf_cgroup_dev_ctx {
//		__u32 access_type; /* (BPF_DEVCG_ACC_* << 16) | BPF_DEVCG_DEV_* */
//		__u32 major;       /* 12 bits */
//		__u32 minor;       /* 20 bits */
//	};
//
// Ours keeps the operations not yet decided in r2 and walks the rules from the
// last to the first: a deny rule that has one of them ends with 0; an allow rule
// takes its own away, and ends with 1 when none is left. Rules for the same type
// and major stand together behind one test. Every branch costs the verifier
// some microseconds of the container's start, so there are no more than needed.
const (
	devBlock = 1 // BPF_DEVCG_DEV_BLOCK
	devChar  = 2 // BPF_DEVCG_DEV_CHAR
)

// Operation codes, linux/bpf_common.h and linux/bpf.h: class | operation or
// size | source (K: the immediate, X: a register). All but the load work on 32
// bits; BPF_JMP32 needs Linux 5.1.
const (
	opLoad  = 0x61 // BPF_LDX | BPF_MEM | BPF_W
	opMov   = 0xbc // BPF_ALU | BPF_MOV | BPF_X
	opSet   = 0xb4 // BPF_ALU | BPF_MOV | BPF_K
	opAnd   = 0x54 // BPF_ALU | BPF_AND | BPF_K
	opOr    = 0x4c // BPF_ALU | BPF_OR | BPF_X
	opLeft  = 0x64 // BPF_ALU | BPF_LSH | BPF_K
	opRight = 0x74 // BPF_ALU | BPF_RSH | BPF_K
	opIfEq  = 0x16 // BPF_JMP32 | BPF_JEQ | BPF_K
	opIfNe  = 0x56 // BPF_JMP32 | BPF_JNE | BPF_K
	opIfAny = 0x46 // BPF_JMP32 | BPF_JSET | BPF_K
	opGoto  = 0x05 // BPF_JMP | BPF_JA
	opExit  = 0x95 // BPF_JMP | BPF_EXIT
)

// Registers of the program.
const (
	r0 = iota // answer
	r1        // context
	r2        // operations still to be decided
	r3        // device type
	r4        // major << 2 | device type
	r5        // minor
)

// Where a jump may lead besides some instructions ahead: until the program is
// complete, these stand in for the distance.
const (
	toAllow = -1
	toDeny  = -2
)

// instruction is struct bpf_insn.
type instruction struct {
	op       byte
	dst, src byte
	jump     int16 // instructions to skip; for a load, the offset
	imm      int32
}

// program assembles the policy.
func (d *deviceRules) program() []instruction {
	code := make([]instruction, 0, 16+4*len(d.list))
	code = append(code,
		instruction{op: opLoad, dst: r2, src: r1, jump: 0},
		instruction{op: opLoad, dst: r4, src: r1, jump: 4},
		instruction{op: opLoad, dst: r5, src: r1, jump: 8},
		instruction{op: opMov, dst: r3, src: r2},
		instruction{op: opAnd, dst: r3, imm: 0xffff},
		instruction{op: opRight, dst: r2, imm: 16},
		instruction{op: opLeft, dst: r4, imm: 2},
		instruction{op: opOr, dst: r4, src: r3},
	)
	for end := len(d.list); end > 0; {
		start := end - 1
		for start > 0 && d.list[start-1].kind == d.list[start].kind && d.list[start-1].major == d.list[start].major {
			start--
		}
		code = append(code, group(d.list[start:end])...)
		end = start
	}
	return finish(code, d.allowAll)
}

// group is the code of rules for one type and major, last rule first.
func group(rules []rule) []instruction {
	first := rules[0]
	code := []instruction{{op: opIfNe, dst: r4, imm: int32(first.major)<<2 | devType(first.kind)}}
	if first.major == anyNumber {
		code[0] = instruction{op: opIfNe, dst: r3, imm: devType(first.kind)}
	}
	if first.major >= 1<<12 {
		return nil // no such device exists, and the number would not fit
	}
	for i := len(rules) - 1; i >= 0; i-- {
		more, final := rules[i].block()
		code = append(code, more...)
		if final {
			break // the verifier does not take code that is never reached
		}
	}
	code[0].jump = int16(len(code) - 1)
	return code
}

// block is the code of one rule once type and major fit. final: nothing behind
// it is reached.
func (r rule) block() (code []instruction, final bool) {
	end := int16(toDeny)
	if r.allow {
		end = toAllow
	}
	switch {
	case r.access == allAccess && r.minor == anyNumber:
		return []instruction{{op: opGoto, jump: end}}, true
	case r.access == allAccess:
		return []instruction{{op: opIfEq, dst: r5, imm: int32(r.minor), jump: end}}, false
	case r.allow:
		code = []instruction{
			{op: opAnd, dst: r2, imm: int32(allAccess &^ r.access)},
			{op: opIfEq, dst: r2, imm: 0, jump: end},
		}
	default:
		code = []instruction{{op: opIfAny, dst: r2, imm: int32(r.access), jump: end}}
	}
	if r.minor == anyNumber {
		return code, false
	}
	other := instruction{op: opIfNe, dst: r5, imm: int32(r.minor), jump: int16(len(code))}
	return append([]instruction{other}, code...), false
}

// finish appends the two ends, the default's first as the code runs into it,
// and lets the jumps lead there. The other end exists only if it is used.
func finish(code []instruction, allowAll bool) []instruction {
	first, second := int16(toDeny), int16(toAllow)
	if allowAll {
		first, second = toAllow, toDeny
	}
	used := slices.ContainsFunc(code, func(in instruction) bool { return in.jump == second })
	firstAt, secondAt := len(code), len(code)+2
	code = append(code, answer(first)...)
	if used {
		code = append(code, answer(second)...)
	}
	for i := range code {
		switch code[i].jump {
		case first:
			code[i].jump = int16(firstAt - i - 1)
		case second:
			code[i].jump = int16(secondAt - i - 1)
		}
	}
	return code
}

func answer(end int16) []instruction {
	value := int32(0)
	if end == toAllow {
		value = 1
	}
	return []instruction{{op: opSet, dst: r0, imm: value}, {op: opExit}}
}

func devType(kind byte) int32 {
	if kind == 'b' {
		return devBlock
	}
	return devChar
}

// encode lays the program out as the kernel reads it. The registers are bit
// fields of one byte: dst is its low half on little-endian machines and its high
// half on big-endian ones.
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
