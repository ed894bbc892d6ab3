//go:build amd64

package seccomp

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const (
	allow  = unix.SECCOMP_RET_ALLOW
	eperm  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	killed = unix.SECCOMP_RET_KILL_THREAD
)

// Calls of Docker's default profile and what they must come to, by the numbers
// of the kernel's syscall_64.tbl and syscall_32.tbl.
func TestDockerProfile(t *testing.T) {
	f, warnings := mustCompile(t, dockerProfile(t))
	for _, w := range warnings {
		if !w.Debug {
			t.Errorf("a profile everybody uses warns: %+v", w)
		}
	}
	const amd64, i386 = unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386
	const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWUSER
	cases := []struct {
		name   string
		arch   uint32
		number uint32
		args   []uint64
		want   uint32
	}{
		{"read", amd64, 0, nil, allow},
		{"execve", amd64, 59, nil, allow},
		{"openat2", amd64, 437, nil, allow},
		{"mount", amd64, 165, nil, eperm},
		{"kexec_load", amd64, 246, nil, eperm},
		{"unshare", amd64, 272, nil, eperm},
		{"io_uring_setup", amd64, 425, nil, eperm},
		{"clone", amd64, 56, []uint64{uint64(unix.SIGCHLD)}, allow},
		{"clone with namespaces", amd64, 56, []uint64{namespaces}, eperm},
		{"clone3", amd64, 435, nil, answerENOSYS},
		{"socket AF_INET", amd64, 41, []uint64{unix.AF_INET}, allow},
		{"socket AF_NETLINK", amd64, 41, []uint64{unix.AF_NETLINK}, allow},
		{"socket AF_VSOCK", amd64, 41, []uint64{unix.AF_VSOCK}, eperm},
		{"socket AF_ALG", amd64, 41, []uint64{unix.AF_ALG}, eperm},
		{"personality PER_LINUX32", amd64, 135, []uint64{8}, allow},
		{"personality ADDR_NO_RANDOMIZE", amd64, 135, []uint64{0x0040000}, eperm},
		{"9999", amd64, 9999, nil, answerENOSYS},
		{"i386 read", i386, 3, nil, allow},
		{"i386 mount", i386, 21, nil, eperm},
		{"i386 clone with namespaces", i386, 120, []uint64{namespaces}, eperm},
		{"i386 9999", i386, 9999, nil, answerENOSYS},
		{"x32 read", amd64, x32Bit, nil, allow},
		{"x32 execve", amd64, x32Bit | 520, nil, allow},
		{"x32 mount", amd64, x32Bit | 165, nil, eperm},
		{"x32 9999", amd64, x32Bit | 9999, nil, answerENOSYS},
		{"arm64 read", unix.AUDIT_ARCH_AARCH64, 63, nil, killed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := call{number: c.number, arch: c.arch}
			copy(in.args[:], c.args)
			if got := answerOf(t, f.Program, in); got != c.want {
				t.Errorf("got %s, want %s", verdictText(got), verdictText(c.want))
			}
		})
	}
}

// A profile that ends at openat2 (437) was written before faccessat2 (439).
func TestNewerThanTheProfile(t *testing.T) {
	for _, fallback := range []specs.LinuxSeccompAction{specs.ActErrno, specs.ActKill, specs.ActKillProcess} {
		f, _ := mustCompile(t, &specs.LinuxSeccomp{DefaultAction: fallback,
			Syscalls: []specs.LinuxSyscall{{Names: []string{"read", "openat2"}, Action: specs.ActAllow}}})
		refused, _ := verdict(fallback, uint16(unix.EPERM))
		for nr, want := range map[int]uint32{unix.SYS_READ: allow, unix.SYS_OPENAT2: allow, unix.SYS_MOUNT: refused,
			unix.SYS_CLONE3: refused, unix.SYS_FACCESSAT2: answerENOSYS, 9999: answerENOSYS} {
			if got := answerOf(t, f.Program, native(nr)); got != want {
				t.Errorf("default %s, call %d: got %s, want %s", fallback, nr, verdictText(got), verdictText(want))
			}
		}
	}
}

// What the profile names but does not need a rule for, it knows all the same.
func TestDefaultRulesCountForTheNewestCall(t *testing.T) {
	f, _ := mustCompile(t, &specs.LinuxSeccomp{DefaultAction: specs.ActErrno,
		Syscalls: []specs.LinuxSyscall{{Names: []string{"faccessat2"}, Action: specs.ActErrno}}})
	if got := answerOf(t, f.Program, native(unix.SYS_FACCESSAT2)); got != eperm {
		t.Errorf("got %s", verdictText(got))
	}
}
