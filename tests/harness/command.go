package harness

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/tests/view"
)

// Command is one call of the runtime, to be changed before Run or Start.
// Output that is not redirected goes to files, not pipes: a container that
// outlives the call keeps them open, and nobody must wait for it.
type Command struct {
	Binary  string   // the runtime under test
	Args    []string // without the program's name
	Dir     string   // working directory; the Env's when empty
	Env     []string // whole environment; the test's own when nil
	Stdin   *os.File // /dev/null when nil
	Stdout  *os.File // captured when nil
	Stderr  *os.File // captured when nil
	Files   []*os.File
	Attr    syscall.SysProcAttr // session, controlling terminal, credentials, ...
	Timeout time.Duration

	env *Env
}

// Result is what a call left for its caller to see.
type Result struct {
	Code   int            // exit code; -1 when a signal ended the runtime itself
	Signal syscall.Signal // that signal
	Stdout string
	Stderr string
	Args   []string
}

// Command prepares a call of the runtime with the Env's --root in front.
func (e *Env) Command(args ...string) *Command {
	e.T.Helper()
	return e.BareCommand(append([]string{"--root", e.Root}, args...)...)
}

// BareCommand prepares a call with exactly these arguments.
func (e *Env) BareCommand(args ...string) *Command {
	e.T.Helper()
	return &Command{Args: args, Dir: e.Dir, Timeout: Timeout(), env: e, Binary: Binary(e.T)}
}

// Call runs the runtime with these arguments, --root in front, to its end.
func (e *Env) Call(args ...string) Result {
	e.T.Helper()
	return e.Command(args...).Run()
}

// Run starts the command and waits for its end. A call that outlasts its
// deadline is killed and fails the test.
func (c *Command) Run() Result {
	c.env.T.Helper()
	return c.Start().Wait()
}

// Start starts the command in the background.
func (c *Command) Start() *Process {
	t := c.env.T
	t.Helper()
	p := &Process{t: t, timeout: c.Timeout, args: c.Args}
	p.cmd = exec.Command(c.Binary, c.Args...)
	p.cmd.Dir = c.Dir
	p.cmd.Env = append(c.environ(), tokenEnv+"="+c.env.token)
	p.cmd.ExtraFiles = c.Files
	p.cmd.Stdout, p.stdout = captured(t, c.env.Dir, c.Stdout)
	p.cmd.Stderr, p.stderr = captured(t, c.env.Dir, c.Stderr)
	if c.Stdin != nil {
		p.cmd.Stdin = c.Stdin
	}
	attr := c.Attr
	attr.Setpgid = !attr.Setsid // a session leader is a group leader already
	p.pidfd = -1
	attr.PidFD = &p.pidfd
	p.cmd.SysProcAttr = &attr
	t.Cleanup(p.finish)
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", c.Binary, err)
	}
	return p
}

func (c *Command) environ() []string {
	if c.Env != nil {
		return c.Env
	}
	return os.Environ()
}

// captured returns where output goes and, when that is for us to read, the
// file to read it from.
func captured(t testing.TB, dir string, redirected *os.File) (io.Writer, *os.File) {
	if redirected != nil {
		return redirected, nil
	}
	f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
	must(t, err)
	return f, f
}

// Process is a call that has been started.
type Process struct {
	t       *testing.T
	cmd     *exec.Cmd
	args    []string
	timeout time.Duration
	pidfd   int
	stdout  *os.File
	stderr  *os.File
	result  *Result
}

// Pid is the runtime's own process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends a signal to the runtime process.
func (p *Process) Signal(sig syscall.Signal) {
	p.t.Helper()
	must(p.t, unix.PidfdSendSignal(p.pidfd, sig, nil, 0))
}

// Running tells whether the call has not returned yet.
func (p *Process) Running() bool {
	return p.result == nil && WaitReadable(p.pidfd, time.Nanosecond) != nil
}

// Wait waits for the call to return. When the deadline passes it kills the
// call and fails the test with what the processes were waiting for.
func (p *Process) Wait() Result {
	p.t.Helper()
	if p.result != nil {
		return *p.result
	}
	if err := WaitReadable(p.pidfd, p.timeout); err != nil {
		story := describeGroup(p.Pid())
		p.kill()
		p.t.Fatalf("%s: no answer in %s; killed. Its processes:\n%s%s", p, p.timeout, story, p.result.Output())
	}
	p.reap()
	return *p.result
}

// reap collects the ended process and its output so far.
func (p *Process) reap() {
	_ = p.cmd.Wait() // the exit code below says the same
	p.result = &Result{Args: p.args, Code: p.cmd.ProcessState.ExitCode(), Stdout: p.Stdout(), Stderr: p.Stderr()}
	if status := p.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		p.result.Signal = status.Signal()
	}
	p.result.checkCodes(p.t)
}

// kill ends the call and everything in its process group.
func (p *Process) kill() {
	_ = unix.Kill(-p.Pid(), unix.SIGKILL)
	_ = waitExit(p.Pid(), p.timeout)
	p.reap()
}

// finish closes what Start opened, at the end of the test.
func (p *Process) finish() {
	if p.cmd.Process != nil {
		if p.result == nil {
			p.kill()
		}
		unix.Close(p.pidfd)
	}
	for _, f := range []*os.File{p.stdout, p.stderr} {
		if f != nil {
			f.Close()
		}
	}
}

// Stdout returns what was written so far, also by a container that has
// inherited the file.
func (p *Process) Stdout() string { return readAll(p.stdout) }

// Stderr is Stdout's twin.
func (p *Process) Stderr() string { return readAll(p.stderr) }

// WaitStdout waits until the captured output contains the text. A call that
// fails first ends the test.
func (p *Process) WaitStdout(text string) {
	p.t.Helper()
	failed := false
	err := Eventually(p.timeout, func() bool {
		failed = !p.Running() && p.Wait().Code != 0
		return strings.Contains(p.Stdout(), text) || failed
	})
	if err != nil || !strings.Contains(p.Stdout(), text) {
		p.t.Fatalf("%s: no %q on stdout; stdout %q, stderr %q", p, text, p.Stdout(), p.Stderr())
	}
}

func (p *Process) String() string {
	return filepath.Base(p.cmd.Path) + " " + strings.Join(p.args, " ")
}

// readAll reads a captured file without moving the offset its writers share.
func readAll(f *os.File) string {
	if f == nil {
		return ""
	}
	data, _ := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	return string(data)
}

// describeGroup lists the processes of a process group and their children.
func describeGroup(pgid int) string {
	var b strings.Builder
	for _, pid := range view.Processes() {
		if group, err := unix.Getpgid(pid); err == nil && group == pgid {
			fmt.Fprintf(&b, "  %s\n", view.Describe(pid))
		}
	}
	return b.String()
}

// Output is both streams, for failure messages.
func (r Result) Output() string {
	return fmt.Sprintf("stdout: %s\nstderr: %s", r.Stdout, r.Stderr)
}

func (r Result) String() string {
	if r.Signal != 0 {
		return fmt.Sprintf("runtime %s: killed by %s\n%s", strings.Join(r.Args, " "), r.Signal, r.Output())
	}
	return fmt.Sprintf("runtime %s: exit code %d\n%s", strings.Join(r.Args, " "), r.Code, r.Output())
}
