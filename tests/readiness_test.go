package tests

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
)

// manager is a service manager that wants to know when its service is ready.
type manager struct {
	t      *testing.T
	socket int
	path   string
}

// newManager listens at path, which may be abstract ("@name").
func newManager(t *testing.T, path string) *manager {
	t.Helper()
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	t.Cleanup(func() { unix.Close(socket) })
	check(t, unix.Bind(socket, &unix.SockaddrUnix{Name: path}))
	return &manager{t, socket, path}
}

// env is the environment in which the manager starts its services.
func (m *manager) env() []string { return append(os.Environ(), "NOTIFY_SOCKET="+m.path) }

// receive returns the next message and the descriptor that came with it, or -1.
func (m *manager) receive() (string, int) {
	m.t.Helper()
	check(m.t, harness.WaitReadable(m.socket, harness.Timeout()))
	text, control := make([]byte, 4096), make([]byte, 128)
	n, c, _, _, err := unix.Recvmsg(m.socket, text, control, unix.MSG_CMSG_CLOEXEC)
	check(m.t, err)
	messages, err := unix.ParseSocketControlMessage(control[:c])
	check(m.t, err)
	if len(messages) == 0 {
		return string(text[:n]), -1
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	check(m.t, err)
	want(m.t, "descriptors", len(fds), 1)
	return string(text[:n]), fds[0]
}

// wantReady expects the three messages, and answers the last.
func (m *manager) wantReady(mainPid int) {
	m.t.Helper()
	for _, expected := range []string{"READY=1\n", fmt.Sprintf("MAINPID=%d\n", mainPid)} {
		text, fd := m.receive()
		want(m.t, "message", text, expected)
		want(m.t, "its descriptor", fd, -1)
	}
	text, fd := m.receive()
	want(m.t, "message", text, "BARRIER=1")
	if fd < 0 {
		m.t.Fatal("the barrier has no descriptor")
	}
	check(m.t, unix.Close(fd))
}

// wantSilence expects that nothing was sent.
func (m *manager) wantSilence() {
	m.t.Helper()
	if harness.WaitReadable(m.socket, time.Nanosecond) == nil {
		text, _ := m.receive()
		m.t.Errorf("the manager was told %q", text)
	}
}

// notifier is a service that does these things; see tests/notifier.
func notifier(t *testing.T, actions ...string) harness.Edit {
	t.Helper()
	bound := harness.Program(t, "tests/notifier")
	return func(c *specs.Spec) {
		bound(c)
		harness.Args(append([]string{"/tmp/notifier"}, actions...)...)(c)
	}
}

// createNotified creates a container under the manager.
func createNotified(env *harness.Env, m *manager, b *harness.Bundle) *harness.Container {
	env.T.Helper()
	create := env.Command("create", "--bundle", b.Dir, env.ID())
	create.Env = m.env()
	return env.Adopt(create, b)
}

// startNotified starts it.
func startNotified(env *harness.Env, m *manager, c *harness.Container) *harness.Process {
	env.T.Helper()
	start := env.Command("start", c.ID)
	start.Env = m.env()
	return start.Start()
}

// TestReadinessStart: start returns once the service is ready and the manager
// has been told; by whatever user it is run, and wherever the manager listens.
func TestReadinessStart(t *testing.T) {
	t.Parallel()
	cases := map[string][]harness.Edit{
		"root":                nil,
		"user":                {func(c *specs.Spec) { c.Process.User = specs.User{UID: 1000, GID: 1000} }},
		"user namespace":      {harness.UserNamespace},
		"user in a namespace": {harness.UserNamespace, func(c *specs.Spec) { c.Process.User = specs.User{UID: 1000, GID: 1000} }},
		"read-only root":      {func(c *specs.Spec) { c.Root.Readonly = true }},
		"host pid namespace":  {harness.WithoutNamespace(specs.PIDNamespace)},
	}
	for name, edits := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			m := newManager(t, env.File("manager"))
			if name == "root" {
				m = newManager(t, "@"+env.ID())
			}
			bundle := env.Bundle(append(edits, notifier(t, "say=up", "send=STATUS=busy\\nREADY=1\\nMAINPID=1", "send=READY=1", "sleep"))...)
			check(t, os.MkdirAll(bundle.Path("run/notify"), 0o755)) // the image is not the mapped root's
			c := createNotified(env, m, bundle)
			start := startNotified(env, m, c)
			m.wantReady(c.Pid)
			start.Wait().WantQuiet(t)
			c.WantStatus("running")
			m.wantSilence()
		})
	}
}

// TestReadinessWait: start goes on waiting while the service is not ready and
// says other things, others may act on the container meanwhile, and its end is
// the end of the wait.
func TestReadinessWait(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	m := newManager(t, env.File("manager"))
	c := createNotified(env, m, env.Bundle(notifier(t, "send=STATUS=starting", "send=READY=0\\nREADY=11\\n READY=1", "say=up", "sleep")))
	start := startNotified(env, m, c)
	c.WaitStdout("up\n")
	c.WantStatus("running")
	want(t, "exit code of an exec", c.Exec("true").Code, 0)
	if !start.Running() {
		t.Errorf("start has not waited: %s", start.Wait())
	}
	c.Kill("KILL")
	start.Wait().WantQuiet(t)
	m.wantSilence()
	c.Wait()
	c.Delete()
}

// TestReadinessLastWords: a service that is ready and gone at once was ready.
func TestReadinessLastWords(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	m := newManager(t, env.File("manager"))
	for range 5 {
		c := createNotified(env, m, env.Bundle(notifier(t, "send=", "send=STATUS=x", "send=READY=1")))
		start := startNotified(env, m, c)
		m.wantReady(c.Pid)
		start.Wait().WantQuiet(t)
		c.Wait()
	}
}

// TestReadinessRun: in the foreground the runtime stays the main process, and
// does not hold up the program; detached it waits, and the program takes over.
func TestReadinessRun(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	m := newManager(t, env.File("manager"))
	run := env.RunCommand(env.Bundle(notifier(t, "say=before", "send=READY=1", "say=after")))
	run.Env = m.env()
	process := run.Start()
	m.wantReady(process.Pid())
	want(t, "output", process.Wait().WantCode(t, 0).Stdout, "before\nafter\n")

	run = env.RunCommand(env.Bundle(notifier(t, "say=never ready")))
	run.Env = m.env()
	run.Run().WantCode(t, 0)
	m.wantSilence()

	bundle := env.Bundle(notifier(t, "say=up", "send=READY=1", "sleep"))
	detached := env.Command("run", "--detach", "--pid-file", env.File("pid"), "--bundle", bundle.Dir, env.ID())
	detached.Env = m.env()
	c := env.Container(detached.ID(), bundle)
	process = detached.Start()
	check(t, harness.Eventually(harness.Timeout(), func() bool { return strings.Contains(process.Stdout(), "up") }))
	pid, err := strconv.Atoi(read(t, env.File("pid")))
	check(t, err)
	m.wantReady(pid)
	process.Wait().WantCode(t, 0)
	c.WantStatus("running")
}

// TestReadinessInterrupted: a detached run that is asked to end while it waits
// leaves nothing behind.
func TestReadinessInterrupted(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	m := newManager(t, env.File("manager"))
	run := env.RunCommand(env.Bundle(notifier(t, "say=up", "sleep")), "--detach")
	run.Env = m.env()
	process := run.Start()
	check(t, harness.Eventually(harness.Timeout(), func() bool { return strings.Contains(process.Stdout(), "up") }))
	process.Signal(syscall.SIGTERM)
	r := process.Wait().WantCode(t, 1)
	if !strings.Contains(r.Stderr, "interrupted by SIGTERM") {
		t.Error(r)
	}
	env.Call("state", run.ID()).WantError(t, 1, "does not exist")
}

// TestReadinessAsked: the container has a socket when create was asked to relay
// one, and start waits when it was, too. A config that has its own keeps it.
func TestReadinessAsked(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	m := newManager(t, env.File("manager"))
	script := harness.Shell("echo <$NOTIFY_SOCKET>; ls /run/notify; sleep 1000")
	want(t, "without", env.Stdout(harness.Shell("echo \"<$NOTIFY_SOCKET>\"; ls /run/notify 2>/dev/null; true")), "<>")

	c := createNotified(env, m, env.Bundle(harness.Shell("echo \"<$NOTIFY_SOCKET>\"; ls /run/notify; grep /run/notify /proc/self/mounts; sleep 1000")))
	c.Start() // by somebody who does not wait
	c.WaitStdout(" /run/notify ")
	want(t, "variable", strings.HasPrefix(c.Stdout(), "</run/notify/notify.sock>\n"), true)
	options := strings.Split(strings.Fields(c.Stdout()[strings.Index(c.Stdout(), " /run/notify "):])[2], ",")
	for _, o := range []string{"ro", "nosuid", "nodev", "noexec"} {
		want(t, o, slices.Contains(options, o), true)
	}
	want(t, "variable of an exec", c.ExecShell("echo \"<$NOTIFY_SOCKET>\"").Stdout, "<>\n")

	c = env.Create(env.Bundle(script))
	startNotified(env, m, c).Wait().WantQuiet(t)

	c = createNotified(env, m, env.Bundle(harness.Shell("echo \"<$NOTIFY_SOCKET>\"; sleep 1000"), func(c *specs.Spec) {
		c.Process.Env = append(c.Process.Env, "NOTIFY_SOCKET=/own")
	}))
	startNotified(env, m, c).Wait().WantQuiet(t)
	c.WaitStdout("</own>\n")
	m.wantSilence()
}

// TestReadinessManager: a manager that cannot be told is a warning, and no
// reason for the service not to run; one that does not read is waited for, but
// not for ever.
func TestReadinessManager(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(notifier(t, "send=READY=1", "say=up", "sleep"))
	for address, message := range map[string]string{
		env.File("nosuch"): "no such file or directory", "vsock:2:1": "vsock:2:1", "@": "address family", "relative": "relative",
	} {
		m := &manager{t: t, path: address}
		c := createNotified(env, m, bundle)
		r := startNotified(env, m, c).Wait().WantCode(t, 0)
		if !strings.Contains(r.Stderr, "level=warning") || !strings.Contains(r.Stderr, message) {
			t.Errorf("%s: no warning with %q: %s", address, message, r)
		}
		c.WaitStdout("up\n")
		c.Call("delete", "--force").WantQuiet(t)
	}
	m := newManager(t, env.File("manager"))
	c := createNotified(env, m, bundle)
	start := env.Command("--timeout", "300ms", "start", c.ID)
	start.Env = m.env()
	r := start.Run().WantCode(t, 0)
	if !strings.Contains(r.Stderr, "did not read in 300ms") {
		t.Errorf("no warning: %s", r)
	}
}

// TestReadinessKilled: a start that was killed while it waited has started the
// container; nothing of the socket is left when that is deleted.
func TestReadinessKilled(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	m := newManager(t, env.File("manager"))
	c := createNotified(env, m, env.Bundle(notifier(t, "say=up", "sleep")))
	start := startNotified(env, m, c)
	c.WaitStdout("up\n")
	start.Signal(syscall.SIGKILL)
	start.Wait()
	c.WantStatus("running")
	c.Call("delete", "--force").WantQuiet(t)

	// One that was killed before it opened the gate has left the socket.
	c = createNotified(env, m, env.Bundle(notifier(t, "send=READY=1", "sleep")))
	left := newManager(t, env.Root+"/"+c.ID+"/notify/notify.sock")
	start = startNotified(env, m, c)
	m.wantReady(c.Pid)
	start.Wait().WantQuiet(t)
	left.wantSilence()
}
