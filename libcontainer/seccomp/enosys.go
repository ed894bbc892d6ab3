package seccomp

import (
	"encoding/binary"
	"errors"

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

// Offsets in struct seccomp_data.
const (
	offsetNumber = 0
	offsetArch   = 4
)

const (
	opLoad    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opEqual   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opGreater = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	opAtLeast = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	opReturn  = unix.BPF_RET | unix.BPF_K
)

// guard returns the program to put in front of the filter for these
// architectures.
func guard(limits []limit) ([]byte, error) {
	var g assembler
	g.add(opLoad, offsetArch, next, next)
	for i := range limits {
		l := &limits[i]
		switch {
		case l.abi.base == x32Bit && find(limits, l.abi.audit, 0) != nil:
			// Told apart from x86_64 in the block of that one.
		case l.abi.audit == unix.AUDIT_ARCH_X86_64:
			g.x86(find(limits, l.abi.audit, 0), find(limits, l.abi.audit, x32Bit))
		default:
			g.block(l.abi.audit, func() { g.above(l) })
		}
	}
	g.add(unix.BPF_JMP|unix.BPF_JA, 1, next, next) // none of them: over the answer
	g.answer = len(g.code)
	g.add(opReturn, answerENOSYS, next, next)
	return g.bytes()
}

func find(limits []limit, audit, base uint32) *limit {
	for i := range limits {
		if limits[i].abi.audit == audit && limits[i].abi.base == base {
			return &limits[i]
		}
	}
	return nil
}

// Where a jump goes. Any other value is the index of an instruction.
const (
	next   = -1 // the following instruction
	answer = -2 // return ENOSYS
	filter = -3 // libseccomp's program, right behind the guard
)

type instruction struct {
	code   uint16
	k      uint32
	jt, jf int
}

type assembler struct {
	code   []instruction
	answer int
}

func (g *assembler) add(code uint16, k uint32, jt, jf int) {
	g.code = append(g.code, instruction{code, k, jt, jf})
}

// block wraps what is done for one audit architecture. The accumulator holds
// the architecture before it, and after it if it was another one.
func (g *assembler) block(audit uint32, body func()) {
	test := len(g.code)
	g.add(opEqual, audit, next, next)
	g.add(opLoad, offsetNumber, next, next)
	body()
	g.code[test].jf = len(g.code)
}

// above ends a block: ENOSYS above the newest call, unless it is private.
func (g *assembler) above(l *limit) {
	if l.abi.privateHigh != 0 {
		g.add(opGreater, l.abi.base+l.abi.privateHigh, answer, next)
		g.add(opAtLeast, l.abi.base+l.abi.privateLow, filter, next)
	}
	g.add(opGreater, l.newest, answer, filter)
}

// x86 handles the two ABIs that share an audit architecture. Either may be nil:
// libseccomp then answers its calls as those of a foreign architecture.
func (g *assembler) x86(amd64, x32 *limit) {
	g.block(unix.AUDIT_ARCH_X86_64, func() {
		test := len(g.code)
		g.add(opAtLeast, x32Bit, filter, filter)
		if amd64 != nil {
			g.code[test].jf = next
			g.above(amd64)
		}
		if x32 != nil {
			g.code[test].jt = len(g.code)
			g.above(x32)
		}
	})
}

// bytes resolves the jumps, which count from the following instruction and
// have eight bits.
func (g *assembler) bytes() ([]byte, error) {
	out := make([]byte, 0, len(g.code)*instructionSize)
	for i, in := range g.code {
		jt, jf := g.distance(i, in.jt), g.distance(i, in.jf)
		if jt < 0 || jf < 0 || jt > 255 || jf > 255 {
			return nil, errors.New("bug: too many architectures for the ENOSYS guard")
		}
		out = binary.NativeEndian.AppendUint16(out, in.code)
		out = append(out, byte(jt), byte(jf))
		out = binary.NativeEndian.AppendUint32(out, in.k)
	}
	return out, nil
}

func (g *assembler) distance(from, to int) int {
	switch to {
	case next:
		return 0
	case answer:
		to = g.answer
	case filter:
		to = len(g.code)
	}
	return to - from - 1
}
