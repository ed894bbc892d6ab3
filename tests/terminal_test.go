package tests

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
)

// createWithConsole creates a container whose terminal is sent to a socket,
// and returns both.
func createWithConsole(env *harness.Env, edits ...harness.Edit) (*harness.Container, *harness.Console, string) {
	socket := env.FDSocket()
	c := env.Create(env.Bundle(append([]harness.Edit{harness.Terminal}, edits...)...), "--console-socket", socket.Path)
	master, name := socket.Receive()
	return c, env.Console(master), name
}

// TestConsoleSocket: the pty master arrives before create returns; what the
// program does on stdio is seen there.
func TestConsoleSocket(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c, console, name := createWithConsole(env, harness.Shell("echo hello; read x; echo got $x; tty >&2"))
	if !strings.Contains(name, "ptmx") && !strings.Contains(name, "pts") {
		t.Errorf("the message names the terminal, got %q", name)
	}
	c.Start()
	console.WaitFor("hello\r\n")
	console.Write("word\n")
	console.WaitFor("got word\r\n")
	console.WaitFor("/dev/pts/0")
	console.ReadAll()
	if status := c.Wait(); status.ExitStatus() != 0 {
		t.Errorf("exit status %d", status.ExitStatus())
	}
}

// TestConsoleInside: the terminal is the container's own devpts; /dev/console
// is a device node bound to it, owned by the user; the program leads a session
// whose controlling terminal it is.
func TestConsoleInside(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c, console, _ := createWithConsole(env, harness.Shell(`
		test -c /dev/console && echo console is a device
		stat -c '%t:%T' /dev/console
		stat -c 'owner %u mode %a' /dev/pts/0
		echo through console >/dev/console
		echo through tty >/dev/tty
		for n in 0 1 2; do readlink /proc/self/fd/$n; done
		awk '{print "session", $6, "tty", $7}' /proc/1/stat; echo end`))
	c.Start()
	text := console.WaitFor("end\r\n")
	for _, part := range []string{"console is a device\r\n88:0\r\n", "owner 0 mode 620\r\n", "through console\r\n", "through tty\r\n",
		"/dev/pts/0\r\n/dev/pts/0\r\n/dev/pts/0\r\n", "session 1 tty 34816"} { // 34816 is 136:0
		if !strings.Contains(text, part) {
			t.Errorf("no %q in %q", part, text)
		}
	}
	console.ReadAll()
}

// TestConsoleOwner: the terminal belongs to the user of the process.
func TestConsoleOwner(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c, console, _ := createWithConsole(env, harness.Shell(`stat -c '%u' /dev/pts/0; echo x >/dev/console && echo end`),
		func(c *specs.Spec) { c.Process.User = specs.User{UID: 1000, GID: 1000} })
	c.Start()
	if text := console.WaitFor("end\r\n"); !strings.HasPrefix(text, "1000\r\n") {
		t.Errorf("got %q", text)
	}
	console.ReadAll()
}

// TestConsoleSize: process.consoleSize sets the size before the program runs.
func TestConsoleSize(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c, console, _ := createWithConsole(env, harness.Shell("stty size; echo end"),
		func(c *specs.Spec) { c.Process.ConsoleSize = &specs.Box{Height: 17, Width: 91} })
	c.Start()
	if text := console.WaitFor("end\r\n"); !strings.HasPrefix(text, "17 91\r\n") {
		t.Errorf("got %q", text)
	}
	console.ReadAll()
}

// TestConsoleSizeIgnored: "If terminal is false, runtimes MUST ignore it."
func TestConsoleSizeIgnored(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	got := env.Stdout(harness.Shell("echo fine"), func(c *specs.Spec) { c.Process.ConsoleSize = &specs.Box{Height: 17, Width: 91} })
	want(t, "output", got, "fine")
}

// TestConsoleFlags: a console socket goes with a terminal that nobody else
// takes care of, and only with that.
func TestConsoleFlags(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	with, without := env.Bundle(harness.Terminal), env.Bundle()
	socket := env.FDSocket()
	const needed = "cannot allocate tty if runc will detach without setting console socket"
	const refused = "cannot use console socket if runc will not detach or allocate tty"
	cases := []struct {
		name, text string
		args       []string
	}{
		{"create without", needed, []string{"create", "--bundle", with.Dir}},
		{"detached without", needed, []string{"run", "-d", "--bundle", with.Dir}},
		{"create, no terminal", refused, []string{"create", "--console-socket", socket.Path, "--bundle", without.Dir}},
		{"detached, no terminal", refused, []string{"run", "-d", "--console-socket", socket.Path, "--bundle", without.Dir}},
		{"foreground, no terminal", refused, []string{"run", "--console-socket", socket.Path, "--bundle", without.Dir}},
		{"foreground", refused, []string{"run", "--console-socket", socket.Path, "--bundle", with.Dir}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			// The clients' words, with the runtime's own name or without one.
			before, after, _ := strings.Cut(c.text, "runc ")
			env.Call(append(c.args, env.ID())...).WantError(t, 1, before, after)
		})
	}
}

// TestConsoleSocketMissing: nobody listens.
func TestConsoleSocketMissing(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Terminal)
	env.Call("create", "--bundle", bundle.Dir, "--console-socket", env.File("nosuch.sock"), env.ID()).
		WantError(t, 1, env.File("nosuch.sock"), "no such file or directory")
}

// onTerminal runs the bundle in the foreground of a new session with a
// controlling terminal, as a shell does.
func onTerminal(env *harness.Env, bundle *harness.Bundle, rows, columns uint16) (*harness.Pty, *harness.Process) {
	pty := env.NewPty(rows, columns)
	run := env.RunCommand(bundle)
	run.Stdin, run.Stdout, run.Stderr = pty.Slave, pty.Slave, pty.Slave
	run.Attr = syscall.SysProcAttr{Setsid: true, Setctty: true}
	return pty, run.Start()
}

// TestForegroundTerminal: the program has a terminal of its own, of the same
// size; typing and output pass between both; Ctrl-C reaches the program.
func TestForegroundTerminal(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	pty, process := onTerminal(env, env.Bundle(harness.Terminal, harness.Shell(`
		trap 'echo got SIGINT' INT; tty; stty size; read x; echo "read <$x>"; read y; exit 6`)), 31, 77)
	pty.WaitFor("/dev/pts/0\r\n31 77\r\n")
	pty.Write("a word\n")
	pty.WaitFor("read <a word>\r\n")
	pty.Write("\x03")
	pty.WaitFor("got SIGINT")
	pty.Write("\n")
	process.Wait().WantCode(t, 6)
}

// TestForegroundResize: a new size of the outer terminal reaches the inner one.
func TestForegroundResize(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	pty, process := onTerminal(env, env.Bundle(harness.Terminal,
		harness.Shell(`trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 1000 & wait $!; done`)), 10, 20)
	pty.WaitFor("ready")
	pty.Resize(44, 99)
	pty.WaitFor("44 99")
	process.Wait().WantCode(t, 0)
}

// TestForegroundRestores: the outer terminal is raw while the program runs and
// as before afterwards.
func TestForegroundRestores(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	pty, process := onTerminal(env, env.Bundle(harness.Terminal, harness.Shell("echo ready; read x")), 24, 80)
	before, err := unix.IoctlGetTermios(int(pty.Slave.Fd()), unix.TCGETS)
	check(t, err)
	pty.WaitFor("ready")
	pty.Write("\n")
	process.Wait().WantCode(t, 0)
	after, err := unix.IoctlGetTermios(int(pty.Slave.Fd()), unix.TCGETS)
	check(t, err)
	if *before != *after {
		t.Errorf("terminal settings: before %+v, after %+v", before, after)
	}
	want(t, "echo after the run", after.Lflag&unix.ECHO != 0, true)
}

// TestForegroundAllOutput: a program that writes much and ends at once has all
// of it on the screen.
func TestForegroundAllOutput(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	pty, process := onTerminal(env, env.Bundle(harness.Terminal, harness.Shell("seq 1 20000; echo the end")), 24, 80)
	text := pty.WaitFor("the end\r\n")
	process.Wait().WantCode(t, 0)
	want(t, "lines", strings.Count(text, "\n"), 20001)
}

// TestForegroundNoTerminal: process.terminal without a terminal to copy from.
func TestForegroundNoTerminal(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	run := env.RunCommand(env.Bundle(harness.Terminal))
	run.Attr = syscall.SysProcAttr{Setsid: true} // no controlling terminal, so no /dev/tty either
	run.Run().WantError(t, 1, "/dev/tty", "no such device or address")
}

// TestTerminalWithUserNamespace: the terminal belongs to the container's root.
func TestTerminalWithUserNamespace(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c, console, _ := createWithConsole(env, harness.UserNamespace, harness.Shell("stat -c 'owner %u' /dev/pts/0 /dev/console; echo end"))
	c.Start()
	if text := console.WaitFor("end\r\n"); strings.Count(text, "owner 0\r\n") != 2 {
		t.Errorf("got %q", text)
	}
	console.ReadAll()
}

// TestConsoleNotFollowed: /dev/console as a symlink in the image is not
// followed (CVE-2025-52565): its target stays as it is, and the container sees
// a terminal there or does not start.
func TestConsoleNotFollowed(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	socket := env.FDSocket()
	bundle := env.Bundle(harness.Terminal, harness.WithoutMount("/dev"), harness.Shell("stat -c %t /dev/console; echo end"))
	write(t, bundle.Path("etc/target"), "untouched")
	check(t, os.Symlink("/etc/target", bundle.Path("dev/console")))
	check(t, os.MkdirAll(bundle.Path("dev/pts"), 0o755))
	create := env.Command("create", "--bundle", bundle.Dir, "--console-socket", socket.Path, env.ID())
	r := create.Run()
	if r.Code == 0 {
		c := env.Container(create.ID(), bundle)
		master, _ := socket.Receive()
		console := env.Console(master)
		c.Start()
		if text := console.WaitFor("end\r\n"); !strings.HasPrefix(text, "88\r\n") {
			t.Errorf("/dev/console: %q", text)
		}
	}
	wantFile(t, bundle.Path("etc/target"), "untouched")
}
