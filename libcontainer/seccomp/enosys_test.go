package seccomp

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// passed stands for "the guard left the call to the filter behind it".
const passed = unix.SECCOMP_RET_TRACE | 77

// guardFor builds a guard in front of a filter that always answers passed.
func guardFor(t *testing.T, limits ...limit) []byte {
	t.Helper()
	return assemble(append(guard(limits), instruction{code: opReturn, k: passed}))
}

func limitOf(t *testing.T, name specs.Arch, numbers ...int32) limit {
	t.Helper()
	a, ok := abiOf(name)
	if !ok {
		t.Fatalf("no architecture %s", name)
	}
	l := newLimit(name, a)
	for _, n := range numbers {
		l.note(n)
	}
	return l
}

func TestGuardAnswers(t *testing.T) {
	amd64, x86 := uint32(unix.AUDIT_ARCH_X86_64), uint32(unix.AUDIT_ARCH_I386)
	arm, mips := uint32(unix.AUDIT_ARCH_ARM), uint32(unix.AUDIT_ARCH_MIPS64)
	all := guardFor(t,
		limitOf(t, specs.ArchX86_64, 0, 450), limitOf(t, specs.ArchX86, 440, -101, -10060),
		limitOf(t, specs.ArchX32, x32Bit|449, x32Bit|512), limitOf(t, specs.ArchARM, 0x0f0005, 435))
	plain := guardFor(t, limitOf(t, specs.ArchX86_64, 60))
	x32Only := guardFor(t, limitOf(t, specs.ArchX32, x32Bit|430))
	others := guardFor(t, limitOf(t, specs.ArchMIPS64, 5430), limitOf(t, specs.ArchX86_64, 450))
	cases := []struct {
		name    string
		program []byte
		arch    uint32
		number  uint32
		want    uint32
	}{
		{"known call", all, amd64, 1, passed},
		{"newest call", all, amd64, 450, passed},
		{"first unknown call", all, amd64, 451, answerENOSYS},
		{"9999", all, amd64, 9999, answerENOSYS},
		{"last number below x32", all, amd64, x32Bit - 1, answerENOSYS},
		{"x32 known", all, amd64, x32Bit | 1, passed},
		{"x32 newest", all, amd64, x32Bit | 449, passed},
		{"x32 between newest and its own range", all, amd64, x32Bit | 450, answerENOSYS},
		{"x32 last before its own range", all, amd64, x32Bit | 511, answerENOSYS},
		{"x32 own range, first", all, amd64, x32Bit | 512, passed},
		{"x32 own range, last", all, amd64, x32Bit | 547, passed},
		{"x32 above its own range", all, amd64, x32Bit | 548, answerENOSYS},
		{"call skipped by a tracer", all, amd64, 0xffffffff, answerENOSYS},
		{"i386 newest", all, x86, 440, passed},
		{"i386 unknown", all, x86, 441, answerENOSYS},
		{"i386 9999", all, x86, 9999, answerENOSYS},
		{"arm unknown", all, arm, 436, answerENOSYS},
		{"arm private", all, arm, 0x0f0002, passed},
		{"arm above private", all, arm, 0x0f0100, answerENOSYS},
		{"foreign architecture", all, unix.AUDIT_ARCH_S390X, 9999, passed},
		{"short profile, 2018's newest", plain, amd64, newestBefore51, passed},
		{"short profile, first of Linux 5.1", plain, amd64, newestBefore51 + 1, answerENOSYS},
		{"x32 not listed stays the filter's", plain, amd64, x32Bit | 9999, passed},
		{"only x32, its call", x32Only, amd64, x32Bit | 431, answerENOSYS},
		{"only x32, x86_64 stays the filter's", x32Only, amd64, 9999, passed},
		{"mips64 counts from 5000", others, mips, 5431, answerENOSYS},
		{"mips64 newest", others, mips, 5430, passed},
		{"mips64 below its base", others, mips, 1, passed},
		{"after mips64", others, amd64, 451, answerENOSYS},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := answerOf(t, c.program, call{number: c.number, arch: c.arch})
			if got != c.want {
				t.Errorf("call %#x of %#x: got %s, want %s", c.number, c.arch, verdictText(got), verdictText(c.want))
			}
		})
	}
}

// Every architecture of the specification fits one guard, and each of them is
// told apart from the others.
func TestGuardOfAllArchitectures(t *testing.T) {
	var limits []limit
	for i, row := range architectures() {
		limits = append(limits, limitOf(t, row.name, int32(row.abi.base)+420+int32(i)))
	}
	program := guardFor(t, limits...)
	for i, row := range architectures() {
		newest := row.abi.base + 420 + uint32(i)
		if got := answerOf(t, program, call{number: newest, arch: row.abi.audit}); got != passed {
			t.Errorf("%s: newest call answers %s", row.name, verdictText(got))
		}
		if got := answerOf(t, program, call{number: newest + 1, arch: row.abi.audit}); got != answerENOSYS {
			t.Errorf("%s: unknown call answers %s", row.name, verdictText(got))
		}
	}
}

func TestGuardIsWanted(t *testing.T) {
	errno := func(n uint32) uint32 { return unix.SECCOMP_RET_ERRNO | n }
	cases := []struct {
		fallback uint32
		want     bool
	}{
		{errno(uint32(unix.EPERM)), true},
		{errno(0), true},
		{errno(uint32(unix.ENOSYS)), false},
		{unix.SECCOMP_RET_KILL_THREAD, true},
		{unix.SECCOMP_RET_KILL_PROCESS, true},
		{unix.SECCOMP_RET_TRAP, false},
		{unix.SECCOMP_RET_TRACE | 1, false},
		{unix.SECCOMP_RET_LOG, false},
		{unix.SECCOMP_RET_ALLOW, false},
	}
	for _, c := range cases {
		if got := wantsGuard(c.fallback); got != c.want {
			t.Errorf("default %s: got %v", verdictText(c.fallback), got)
		}
	}
}
