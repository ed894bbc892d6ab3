package seccomp

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A profile with a list of allowed calls answers all others with its default,
// mostly EPERM. That is wrong for a call younger than the profile: the C
// library tries clone3(2) or openat2(2) first, and goes on with the older call
// only when the kernel says ENOSYS. So a guard in front of the filter says
// ENOSYS for every number above the newest one the profile knows, and passes
// everything else on to libseccomp's program:
//
//	      ld   [arch]
//	      jeq  AUDIT_ARCH_I386     else next
//	      ld   [nr]
//	      jgt  newest of i386      then answer, else filter
//	next: jeq  AUDIT_ARCH_X86_64   else filter
//	      ld   [nr]
//	      jge  x32 bit             then x32
//	      jgt  newest of x86_64    then answer, else filter
//	x32:  jgt  547 + x32 bit       then answer    the private range, see abi
//	      jge  512 + x32 bit       then filter
//	      jgt  newest of x32       then answer, else filter
//	answer: ret ERRNO(ENOSYS)
//	filter: ...
//
// The guard never lets a call through, so it cannot weaken the filter.

// newestBefore51 is the floor of "newest". Since Linux 5.1 all architectures
// number new calls alike, from 403 on. A profile that names no call of that
// range is a short hand-written one rather than one from before 2019: what it
// leaves out below 403 it leaves out on purpose, and gets its default.
const newestBefore51 = 402

// limit is the newest call a profile knows on one architecture.
type limit struct {
	name   specs.Arch
	abi    abi
	newest uint32 // number as the kernel sees it, base included
}

// note raises the limit to the number of a call the profile names. Negative
// numbers are libseccomp's own, for calls the architecture does not have.
func (l *limit) note(number int32) {
	n := uint32(number)
	if number < 0 || l.abi.isPrivate(n) {
		return
	}
	l.newest = max(l.newest, n)
}

func newLimit(name specs.Arch, a abi) limit {
	return limit{name: name, abi: a, newest: a.base + newestBefore51}
}

func (a abi) isPrivate(number uint32) bool {
	return a.privateHigh != 0 && number >= a.base+a.privateLow && number <= a.base+a.privateHigh
}

// wantsGuard reports whether calls the profile does not know are refused with
// something that is not ENOSYS already. A tracer or a SIGSYS handler is code
// that can tell new calls apart itself.
func wantsGuard(fallback uint32) bool {
	switch fallback & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_KILL_PROCESS, unix.SECCOMP_RET_KILL_THREAD:
		return true
	case unix.SECCOMP_RET_ERRNO:
		return fallback != answerENOSYS
	}
	return false
}

// answerENOSYS uses the native number, whatever ABI the call came by: so does
// the kernel. (It is 38 nearly everywhere, 89 on MIPS.)
const answerENOSYS = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)

// guard returns the program to put in front of the filter for these
// architectures.
func guard(limits []limit) []instruction {
	g := layout{}
	const filter = 0 // the label of what lies behind
	answer := g.place(instruction{code: opReturn, k: answerENOSYS})
	next := filter
	for i := len(limits) - 1; i >= 0; i-- {
		l := &limits[i]
		var block int
		switch {
		case l.abi.base == x32Bit && find(limits, l.abi.audit, 0) != nil:
			continue // told apart from x86_64 in the block of that one
		case l.abi.audit == unix.AUDIT_ARCH_X86_64:
			amd64 := g.above(find(limits, l.abi.audit, 0), answer, filter)
			x32 := g.above(find(limits, l.abi.audit, x32Bit), answer, filter)
			block = g.jump(opAtLeast, x32Bit, x32, amd64)
		default:
			block = g.above(l, answer, filter)
		}
		block = g.follow(opLoad, offsetNumber, block)
		next = g.jump(opEqual, l.abi.audit, block, next)
	}
	g.follow(opLoad, offsetArch, next)
	return g.program()
}

// above goes to answer for numbers above the limit that are not private. An ABI
// without limit is one the filter does not have: it knows what to do.
func (g *layout) above(l *limit, answer, filter int) int {
	if l == nil {
		return filter
	}
	label := g.jump(opGreater, l.newest, answer, filter)
	if l.abi.privateHigh != 0 {
		label = g.jump(opAtLeast, l.abi.base+l.abi.privateLow, filter, label)
		label = g.jump(opGreater, l.abi.base+l.abi.privateHigh, answer, label)
	}
	return label
}

func find(limits []limit, audit, base uint32) *limit {
	for i := range limits {
		if limits[i].abi.audit == audit && limits[i].abi.base == base {
			return &limits[i]
		}
	}
	return nil
}
