package tests

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
)

// execOnTerminal runs `exec -t` in the foreground of a new session with a
// controlling terminal, as a shell does.
func execOnTerminal(env *harness.Env, c *harness.Container, program ...string) (*harness.Pty, *harness.Process) {
	env.T.Helper()
	pty := env.NewPty(31, 77)
	x := c.ExecCommand([]string{"--tty"}, program...)
	x.Stdin, x.Stdout, x.Stderr = pty.Slave, pty.Slave, pty.Slave
	x.Attr = syscall.SysProcAttr{Setsid: true, Setctty: true}
	return pty, x.Start()
}

// TestExecTerminal: a terminal of its own for the process, of the same size as
// the caller's; typing, output, Ctrl-C and the exit code pass.
func TestExecTerminal(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	pty, process := execOnTerminal(env, c, "sh", "-c", `
		trap 'echo got SIGINT' INT; tty; stty size; read x; echo "read <$x>"; read y; exit 6`)
	pty.WaitFor("/dev/pts/0\r\n31 77\r\n")
	pty.Write("a word\n")
	pty.WaitFor("read <a word>\r\n")
	pty.Write("\x03")
	pty.WaitFor("got SIGINT")
	pty.Write("\n")
	process.Wait().WantCode(t, 6)
}

// TestExecTerminalJobControl: a shell has job control: Ctrl-Z stops a job, fg
// continues it, Ctrl-C ends it, and not the shell.
func TestExecTerminalJobControl(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	pty, process := execOnTerminal(env, c, "sh", "-c", "PS1='prompt''> ' exec sh -i")
	prompts := 0
	prompt := func() {
		t.Helper()
		prompts++
		pty.WaitCount("prompt> ", prompts)
	}
	prompt()
	pty.Write("echo now; cat\n")
	pty.WaitFor("\r\nnow\r\n")
	pty.Write("one\n")
	pty.WaitFor("one\r\none\r\n")
	pty.Write("\x1a")
	pty.WaitFor("Stopped")
	prompt()
	pty.Write("echo then; fg\n")
	pty.WaitFor("\r\nthen\r\n")
	pty.WaitCount("cat\r\n", 2) // fg says what it continues
	pty.Write("two\n")
	pty.WaitFor("two\r\ntwo\r\n")
	pty.Write("\x03")
	prompt()
	pty.Write("exit 9\n")
	process.Wait().WantCode(t, 9)
}

// TestExecTerminalResize: a new size of the caller's terminal reaches the process.
func TestExecTerminalResize(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	pty, process := execOnTerminal(env, c, "sh", "-c",
		`trap 'stty size' WINCH; trap 'exit 0' TERM; echo ready; while :; do sleep 1000 & wait $!; done`)
	pty.WaitFor("ready")
	for i := range uint16(3) {
		pty.Resize(40+i, 90+i)
		pty.WaitFor(fmt.Sprintf("%d %d\r\n", 40+i, 90+i))
	}
	process.Signal(syscall.SIGTERM)
	process.Wait().WantCode(t, 0)
}

// TestExecConsoleSocket: a detached exec sends the master to the engine.
func TestExecConsoleSocket(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	socket := env.FDSocket()
	_, pid := c.ExecDetached([]string{"--tty", "--console-socket", socket.Path}, "sh", "-c", "tty; stty size; read x; echo got $x")
	master, name := socket.Receive()
	if !strings.Contains(name, "ptmx") {
		t.Errorf("the message names the terminal, got %q", name)
	}
	console := env.Console(master)
	console.WaitFor("/dev/pts/0\r\n")
	console.Write("word\n")
	console.WaitFor("got word\r\n")
	console.ReadAll()
	want(t, "exit status", c.WaitPid(pid).ExitStatus(), 0)
}

// TestExecConsoleSize: --process may set the size; without a terminal it is
// ignored.
func TestExecConsoleSize(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	file := env.File("process.json")
	socket := env.FDSocket()
	write(t, file, `{"terminal":true,"consoleSize":{"height":17,"width":91},"args":["stty","size"],"cwd":"/","env":["PATH=/bin"]}`)
	c.ExecCommand([]string{"-d", "--process", file, "--console-socket", socket.Path}).Run().WantQuiet(t)
	master, _ := socket.Receive()
	want(t, "size", env.Console(master).ReadAll(), "17 91\r\n")
	write(t, file, `{"consoleSize":{"height":17,"width":91},"args":["echo","fine"],"cwd":"/","env":["PATH=/bin"]}`)
	want(t, "output", c.ExecCommand([]string{"--process", file}).Run().WantCode(t, 0).Stdout, "fine\n")
}

// TestExecConsoleFlags: a console socket goes with a terminal that nobody else
// takes care of, and only with that.
func TestExecConsoleFlags(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	socket := env.FDSocket()
	c.ExecCommand([]string{"-d", "-t"}, "true").Run().WantError(t, 255, "cannot allocate tty if ", "will detach without setting console socket")
	for _, flags := range [][]string{{"-t"}, {"-d"}, {}} {
		c.ExecCommand(append(flags, "--console-socket", socket.Path), "true").Run().
			WantError(t, 255, "cannot use console socket if ", "will not detach or allocate tty")
	}
	c.ExecCommand([]string{"-d", "-t", "--console-socket", env.File("nosuch")}, "true").Run().
		WantError(t, 255, env.File("nosuch"), "no such file or directory")
}

// settings are those of the pty's caller side.
func settings(t *testing.T, pty *harness.Pty) unix.Termios {
	t.Helper()
	s, err := unix.IoctlGetTermios(int(pty.Slave.Fd()), unix.TCGETS)
	check(t, err)
	return *s
}

// TestTerminalRestored: however an exec or a run ends, the caller's terminal is
// as it was.
func TestTerminalRestored(t *testing.T) {
	t.Parallel()
	const wait = "echo ready; exec sleep 1000"
	cases := []struct {
		name   string
		script string
		end    func(t *testing.T, c *harness.Container, p *harness.Process)
	}{
		{"exit", "echo ready; sleep 0.1", nil},
		{"SIGTERM", wait, func(_ *testing.T, _ *harness.Container, p *harness.Process) { p.Signal(syscall.SIGTERM) }},
		{"SIGHUP", wait, func(_ *testing.T, _ *harness.Container, p *harness.Process) { p.Signal(syscall.SIGHUP) }},
		{"SIGKILL of exec", wait, func(_ *testing.T, _ *harness.Container, p *harness.Process) { p.Signal(syscall.SIGKILL) }},
		{"SIGSEGV of exec", wait, func(_ *testing.T, _ *harness.Container, p *harness.Process) { p.Signal(syscall.SIGABRT) }},
		{"container killed", wait, func(_ *testing.T, c *harness.Container, _ *harness.Process) { c.Kill("KILL") }},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			env, c := running(t)
			pty := env.NewPty(24, 80)
			before := settings(t, pty)
			command := c.ExecCommand([]string{"-t"}, "sh", "-c", x.script)
			command.Stdin, command.Stdout, command.Stderr = pty.Slave, pty.Slave, pty.Slave
			command.Attr = syscall.SysProcAttr{Setsid: true, Setctty: true}
			process := command.Start()
			pty.WaitFor("ready")
			if during := settings(t, pty); x.end != nil && during.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 {
				t.Errorf("not raw meanwhile: %#x", during.Lflag)
			}
			if x.end != nil {
				x.end(t, c, process)
			}
			process.Wait()
			err := harness.Eventually(harness.Timeout(), func() bool { return settings(t, pty) == before })
			if err != nil {
				t.Errorf("before %+v, after %+v", before, settings(t, pty))
			}
		})
	}
}

// TestTerminalRestoredAfterFailure: the process is not there in the end.
func TestTerminalRestoredAfterFailure(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	script(t, c.Bundle.Path("bin/broken"), "#!/nosuch/interpreter\n")
	pty := env.NewPty(24, 80)
	before := settings(t, pty)
	command := c.ExecCommand([]string{"-t"}, "broken") // only execve finds out
	command.Stdin, command.Stdout = pty.Slave, pty.Slave
	command.Attr = syscall.SysProcAttr{Setsid: true, Setctty: true}
	r := command.Run()
	r.WantError(t, 255, "/nosuch/interpreter", "no such file or directory")
	want(t, "settings", settings(t, pty), before)

	bundle := env.Bundle(harness.Terminal, harness.Args("broken"))
	script(t, bundle.Path("bin/broken"), "#!/nosuch/interpreter\n")
	command = env.RunCommand(bundle)
	command.Stdin, command.Stdout = pty.Slave, pty.Slave
	command.Attr = syscall.SysProcAttr{Setsid: true, Setctty: true}
	command.Run().WantError(t, 1, "/nosuch/interpreter")
	want(t, "settings", settings(t, pty), before)
}

// TestTerminalHangUp: when the caller's terminal goes away, so does that of the
// process, which gets SIGHUP.
func TestTerminalHangUp(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	pty, process := execOnTerminal(env, c, "sh", "-c", `trap 'echo hup >/tmp/hup; exit 5' HUP; echo ready; while :; do sleep 1000 & wait $!; done`)
	pty.WaitFor("ready")
	pty.CloseSlave()
	pty.Close()
	process.Wait().WantCode(t, 5)
	wantFile(t, c.Bundle.Path("tmp/hup"), "hup\n")
}

// TestTerminalHangUpIgnored: a process that ignores SIGHUP runs on, with a
// terminal that is gone.
func TestTerminalHangUpIgnored(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	pty, process := execOnTerminal(env, c, "sh", "-c", `trap '' HUP; echo ready; cat; echo "cat $?" >/tmp/end; exit 5`)
	pty.WaitFor("ready")
	pty.CloseSlave()
	pty.Close()
	process.Wait().WantCode(t, 5)
}

// TestTerminalOutputGone: nobody reads the output any more.
func TestTerminalOutputGone(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	pty := env.NewPty(24, 80)
	r, w, err := os.Pipe()
	check(t, err)
	command := c.ExecCommand([]string{"-t"}, "yes")
	command.Stdin, command.Stdout, command.Stderr = pty.Slave, w, pty.Slave
	command.Attr = syscall.SysProcAttr{Setsid: true, Setctty: true}
	process := command.Start()
	check(t, w.Close())
	_, err = r.Read(make([]byte, 100))
	check(t, err)
	check(t, r.Close())
	process.Wait().WantCode(t, 128+int(syscall.SIGHUP))
}

// TestTerminalPipedInput: the end of an input that is no terminal is typed.
func TestTerminalPipedInput(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	for _, text := range []string{"one\ntwo\n", "no newline", ""} {
		pty := env.NewPty(24, 80)
		r, w, err := os.Pipe()
		check(t, err)
		command := c.ExecCommand([]string{"-t"}, "sh", "-c", "stty -echo; cat; echo; echo end")
		command.Stdin, command.Stdout, command.Stderr = r, pty.Slave, pty.Slave
		command.Attr = syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 1}
		process := command.Start()
		check(t, r.Close())
		_, err = w.WriteString(text)
		check(t, err)
		check(t, w.Close())
		pty.WaitFor(strings.ReplaceAll(text, "\n", "\r\n") + "\r\nend\r\n")
		process.Wait().WantCode(t, 0)
	}
}

// TestTerminalBackgroundJob: what the process leaves behind, with its terminal
// open, does not hold up exec.
func TestTerminalBackgroundJob(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	pty, process := execOnTerminal(env, c, "sh", "-c", `trap '' HUP; sleep 1000 & yes 2>/dev/null & sleep 0.2; exit 7`)
	go func() { _, _ = io.Copy(io.Discard, pty.Master()) }() // its output
	process.Wait().WantCode(t, 7)
}

// TestTerminalReopened: a process may close its terminal and open it again.
func TestTerminalReopened(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	pty, process := execOnTerminal(env, c, "sh", "-c", `exec <&- >&- 2>&-; sleep 0.2; exec </dev/tty >/dev/tty 2>&1; echo again; read x; echo got $x`)
	pty.WaitFor("again\r\n")
	pty.Write("word\n")
	pty.WaitFor("got word\r\n")
	process.Wait().WantCode(t, 0)
}

// TestTerminalPaste: what is typed fast arrives whole, with line editing by the
// kernel and without.
func TestTerminalPaste(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	line := strings.Repeat("0123456789abcdef", 8)[:127] + "\n"
	text := strings.Repeat(line, size/len(line))
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	for name, mode := range map[string]string{"raw": "raw -echo", "lines": "-echo"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, c := running(t)
			pty, process := execOnTerminal(env, c, "sh", "-c", fmt.Sprintf("stty %s; echo ready; head -c %d | sha256sum; stty sane", mode, size))
			pty.WaitFor("ready")
			go func() { _, _ = pty.Master().WriteString(text) }()
			pty.WaitFor(sum)
			process.Wait().WantCode(t, 0)
		})
	}
}

// TestTerminalPrint: what is printed fast arrives whole, up to the last byte,
// although the process ends at once.
func TestTerminalPrint(t *testing.T) {
	t.Parallel()
	size := full(4<<20, 100<<20)
	env, c := running(t)
	pty, process := execOnTerminal(env, c, "sh", "-c", fmt.Sprintf("stty -opost; seq -w 0 99999999 | head -c %d", size))
	hash := sha256.New()
	n, err := io.CopyN(hash, pty.Master(), int64(size))
	if err != nil {
		t.Errorf("%d of %d bytes: %v", n, size, err)
	}
	process.Wait().WantCode(t, 0)
	expected := sha256.New()
	for i, left := 0, size; left > 0; i++ {
		line := fmt.Sprintf("%08d\n", i)
		line = line[:min(len(line), left)]
		left -= len(line)
		_, _ = io.WriteString(expected, line)
	}
	want(t, "hash of the output", fmt.Sprintf("%x", hash.Sum(nil)), fmt.Sprintf("%x", expected.Sum(nil)))
}

// TestTerminalInUserNamespace: an exec's terminal belongs to the container's user.
func TestExecTerminalUserNamespace(t *testing.T) {
	t.Parallel()
	env, c := running(t, harness.UserNamespace, func(c *specs.Spec) { c.Process.User = specs.User{UID: 1000, GID: 1000} })
	pty, process := execOnTerminal(env, c, "sh", "-c", "stat -c 'owner %u' $(tty); echo through >/dev/tty")
	pty.WaitFor("owner 1000\r\nthrough\r\n")
	process.Wait().WantCode(t, 0)
}

// TestTerminalControlling: with stdio elsewhere, the terminal is the one that
// controls the caller's session: it gives the size and becomes raw.
func TestTerminalControlling(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	pty := env.NewPty(33, 66)
	before := settings(t, pty)
	x := c.ExecCommand([]string{"-t"}, "sh", "-c", "stty size; echo ready; sleep 1000")
	x.Files = []*os.File{pty.Slave}
	x.Attr = syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	process := x.Start()
	process.WaitStdout("33 66\r\nready\r\n")
	if during := settings(t, pty); during.Lflag&(unix.ICANON|unix.ECHO) != 0 {
		t.Errorf("not raw meanwhile: %#x", during.Lflag)
	}
	process.Signal(syscall.SIGTERM)
	process.Wait().WantCode(t, 128+int(syscall.SIGTERM))
	want(t, "settings", settings(t, pty), before)
}
