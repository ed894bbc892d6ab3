package tests

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
)

// notifying has an agent asked about mkdir.
func notifying(listenerPath string) harness.Edit {
	return func(c *specs.Spec) {
		c.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction:    specs.ActAllow,
			ListenerPath:     listenerPath,
			ListenerMetadata: "some \"metadata\"",
			Syscalls:         []specs.LinuxSyscall{{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActNotify}},
		}
	}
}

var makeDirectory = harness.Shell("mkdir /tmp/x 2>&1; echo end")

const deniedByAgent = "mkdir: can't create directory '/tmp/x': Invalid cross-device link\nend\n"

// requireSeccomp skips for a binary without libseccomp.
func requireSeccomp(t *testing.T, env *harness.Env) {
	t.Helper()
	if version := env.BareCommand("--version").Run().WantCode(t, 0).Stdout; !strings.Contains(version, "\nlibseccomp: ") {
		t.Skip("the binary was built without libseccomp")
	}
}

// wantProcessState checks what the agent is told.
func wantProcessState(t *testing.T, s harness.ContainerProcessState, id string, status ...string) {
	t.Helper()
	want(t, "fds", strings.Join(s.Fds, " "), "seccompFd")
	want(t, "metadata", s.Metadata, "some \"metadata\"")
	want(t, "state.id", s.State.ID, id)
	want(t, "ociVersion", s.Version, s.State.OCIVersion)
	if s.Version == "" || s.State.Bundle == "" {
		t.Errorf("ociVersion %q, bundle %q", s.Version, s.State.Bundle)
	}
	for _, one := range status {
		if s.State.Status == one {
			return
		}
	}
	t.Errorf("state.status is %q, want one of %q", s.State.Status, status)
}

// TestNotifyRun: the agent at listenerPath decides about the container's calls.
func TestNotifyRun(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	requireSeccomp(t, env)
	agent := env.FDSocket()
	p := env.RunCommand(env.Bundle(makeDirectory, notifying(agent.Path))).Start()
	listener, state := agent.Listener()
	wantProcessState(t, state, state.State.ID, "creating", "created")
	want(t, "pid", state.Pid, state.State.Pid)
	listener.Deny(unix.EXDEV)
	want(t, "output", p.Wait().WantCode(t, 0).Stdout, deniedByAgent)
}

// TestNotifyStart: the agent hears of a created container when it starts, and
// of each exec.
func TestNotifyStart(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	requireSeccomp(t, env)
	agent := env.FDSocket()
	c := env.Create(env.Bundle(harness.Shell("mkdir /tmp/x 2>&1; echo end; sleep 1000"), notifying(agent.Path)))
	start := env.Command("start", c.ID).Start()
	listener, state := agent.Listener()
	wantProcessState(t, state, c.ID, "creating", "created")
	want(t, "pid", state.Pid, c.Pid)
	start.Wait().WantQuiet(t)
	listener.Deny(unix.EXDEV)
	c.WaitStdout(deniedByAgent)

	exec := env.Command("exec", c.ID, "sh", "-c", "mkdir /tmp/x 2>&1; echo end").Start()
	listener, state = agent.Listener()
	wantProcessState(t, state, c.ID, "running")
	want(t, "state.pid", state.State.Pid, c.Pid)
	if state.Pid == c.Pid || state.Pid == 0 {
		t.Errorf("the agent is told pid %d for the exec; the container's is %d", state.Pid, c.Pid)
	}
	listener.Deny(unix.EXDEV)
	want(t, "output", exec.Wait().WantCode(t, 0).Stdout, deniedByAgent)
}

// TestNotifyNobody: without an agent the program does not run, and nothing of
// the container is left.
func TestNotifyNobody(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	requireSeccomp(t, env)
	marker := env.File("marker")
	bundle := env.Bundle(harness.Shell("echo ran >/mnt/marker"), notifying(env.File("nosuch.sock")),
		harness.Mounted(specs.Mount{Destination: "/mnt", Type: "bind", Source: env.Dir, Options: []string{"bind"}}))
	env.Run(bundle).WantError(t, 1, "linux.seccomp.listenerPath", env.File("nosuch.sock"), "no such file")
	c := env.Create(bundle)
	c.Call("start").WantError(t, 1, "linux.seccomp.listenerPath", env.File("nosuch.sock"))
	c.WantStatus("stopped")
	if _, err := os.Stat(marker); err == nil {
		t.Error("the program ran without its supervisor")
	}
}

// TestNotifySilent: an agent that does not read cannot hold the runtime up.
func TestNotifySilent(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	requireSeccomp(t, env)
	path := env.File("silent.sock")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	check(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	check(t, unix.Listen(fd, 0))
	client, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	t.Cleanup(func() { unix.Close(client) })
	check(t, unix.Connect(client, &unix.SockaddrUnix{Name: path})) // takes the only place in the queue

	bundle := env.Bundle(makeDirectory, notifying(path))
	env.Call("--timeout", "200ms", "run", "--bundle", bundle.Dir, env.ID()).
		WantError(t, 1, "linux.seccomp.listenerPath", "does not answer")
}

// TestNotifyFilterTooTight: a filter that forbids handing its listener over is
// an error, and no hang.
func TestNotifyFilterTooTight(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	requireSeccomp(t, env)
	for _, action := range []specs.LinuxSeccompAction{specs.ActErrno, specs.ActKillProcess} {
		agent := env.FDSocket()
		bundle := env.Bundle(makeDirectory, notifying(agent.Path), func(c *specs.Spec) {
			c.Linux.Seccomp.Syscalls = append(c.Linux.Seccomp.Syscalls,
				specs.LinuxSyscall{Names: []string{"sendmsg", "write"}, Action: action})
		})
		env.Run(bundle).WantError(t, 1, "linux.seccomp")
		c := env.Create(bundle)
		c.Call("start").WantError(t, 1, "linux.seccomp")
	}
}
