package tests

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
)

// TestPidfdSocket: --pidfd-socket sends a pidfd of the container's process, so
// that an engine never has to trust a number.
func TestPidfdSocket(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	socket := env.FDSocket()
	c := env.Create(env.Bundle(harness.Forever), "--pidfd-socket", socket.Path)
	pidfd, text := socket.Receive()
	want(t, "message", text, "standard")
	info := read(t, fmt.Sprintf("/proc/self/fdinfo/%d", pidfd.Fd()))
	want(t, "process behind the pidfd", statusField(t, info, "Pid"), fmt.Sprint(c.Pid))
}

// TestPidfdSocketMissing fails the create, and leaves nothing.
func TestPidfdSocketMissing(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle()
	env.Call("create", "--bundle", bundle.Dir, "--pidfd-socket", env.File("nosuch.sock"), env.ID()).
		WantError(t, 1, env.File("nosuch.sock"), "no such file or directory")
}

// TestSeccomp: a profile is applied, or refused by a binary that was built
// without libseccomp, which also says so in its version.
func TestSeccomp(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Shell("mkdir /tmp/x 2>&1; echo end"), func(c *specs.Spec) {
		c.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow,
			Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActErrno,
				ErrnoRet: harness.Pointer(uint(38))}},
		}
	})
	if !hasLibseccomp(t, env) {
		env.Run(bundle).WantError(t, 1, "linux.seccomp", "no seccomp support")
		return
	}
	want(t, "output", env.Run(bundle).WantCode(t, 0).Stdout, "mkdir: can't create directory '/tmp/x': Function not implemented\nend\n")
	status := env.Stdout(harness.Args("cat", "/proc/self/status"), func(c *specs.Spec) {
		c.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
	})
	want(t, "Seccomp", statusField(t, status, "Seccomp"), "2")
}

// hasLibseccomp tells whether the version names one, "libseccomp: 2.5.4".
func hasLibseccomp(t *testing.T, env *harness.Env) bool {
	t.Helper()
	version := env.BareCommand("--version").Run().WantCode(t, 0).Stdout
	_, line, found := strings.Cut(version, "\nlibseccomp: ")
	if !found || line == "" {
		t.Fatalf("no libseccomp in the version: %q", version)
	}
	return line[0] >= '0' && line[0] <= '9'
}
