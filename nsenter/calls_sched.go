package nsenter

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Recorded calls on how the stage, and the program after it, is scheduled.

// SchedSetattr sets the scheduling policy of the stage, sched_setattr(2).
func (p *Program) SchedSetattr(a unix.SchedAttr) {
	b := make([]byte, 0, unix.SizeofSchedAttr)
	b = binary.LittleEndian.AppendUint32(b, unix.SizeofSchedAttr)
	b = binary.LittleEndian.AppendUint32(b, a.Policy)
	b = binary.LittleEndian.AppendUint64(b, a.Flags)
	b = binary.LittleEndian.AppendUint32(b, uint32(a.Nice))
	b = binary.LittleEndian.AppendUint32(b, a.Priority)
	b = binary.LittleEndian.AppendUint64(b, a.Runtime)
	b = binary.LittleEndian.AppendUint64(b, a.Deadline)
	b = binary.LittleEndian.AppendUint64(b, a.Period)
	b = binary.LittleEndian.AppendUint32(b, a.Util_min)
	b = binary.LittleEndian.AppendUint32(b, a.Util_max)
	p.do(unix.SYS_SCHED_SETATTR, imm(0), imm(p.bytes(b)), imm(0))
}

// SchedSetaffinity restricts the stage to the CPUs whose bits are set in mask.
func (p *Program) SchedSetaffinity(mask []uint64) {
	p.do(unix.SYS_SCHED_SETAFFINITY, imm(0), imm(8*len(mask)), imm(p.quads(mask...)))
}

// IoprioSet sets the I/O priority of the processes that which and who name,
// ioprio_set(2).
func (p *Program) IoprioSet(which, who int, ioprio uint64) {
	p.do(unix.SYS_IOPRIO_SET, imm(which), imm(who), imm(ioprio))
}

// SetMempolicy sets the NUMA policy of the stage for the nodes whose bits are
// set in mask.
func (p *Program) SetMempolicy(mode uint64, mask []uint64) {
	if len(mask) == 0 {
		p.do(unix.SYS_SET_MEMPOLICY, imm(mode), imm(0), imm(0))
		return
	}
	// The kernel looks at one bit less than it is told: get_nodes() in
	// mm/mempolicy.c begins with --maxnode.
	p.do(unix.SYS_SET_MEMPOLICY, imm(mode), imm(p.quads(mask...)), imm(64*len(mask)+1))
}
