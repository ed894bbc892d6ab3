// Package hooks runs the hooks of config.md#posix-platform-hooks: one after
// the other, state on stdin, bounded in time and in what they may print.
package hooks

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
)

// ErrTimeout is the cause when a hook did not end in time; it has been killed.
var ErrTimeout = errors.New("did not end in time and was killed")

// Starter starts hook with the given stdin, stdout and stderr, as a child of
// the calling process, and returns its pid.
type Starter func(hook *specs.Hook, stdio [3]int) (pid int, err error)

// Kind is one list of hooks, in the order and under the name of config.json.
type Kind struct {
	Name    string // e.g. "createRuntime"
	Hooks   []specs.Hook
	Start   Starter       // Runtime, or one that joins the container's namespaces
	Timeout time.Duration // for a hook that sets none
	Append  [2]string     // files that get all that hooks write to stdout and stderr; "" for none

	Timeline    *diag.Timeline // nil, or gets how long each hook took
	TraceParent string         // for the environment of hooks that have none of that name; "" for none

	// Interrupted, if set, is asked when there is something to read from the
	// descriptor Interrupt. Its error ends the hook.
	Interrupt   int
	Interrupted func() error
}

// Run runs the hooks in order, with state on stdin, and stops at the first
// that fails. Its error names the hook, how it ended, and what it last wrote
// to stderr.
func (k Kind) Run(state []byte) error {
	for i := range k.Hooks {
		if err := k.run(i, state); err != nil {
			return err
		}
	}
	return nil
}

// RunAll runs every hook even when one fails, and passes each error to report:
// what runtime.md#lifecycle asks for poststop.
func (k Kind) RunAll(state []byte, report func(error)) {
	for i := range k.Hooks {
		if err := k.run(i, state); err != nil {
			report(err)
		}
	}
}

func (k Kind) run(i int, state []byte) error {
	h := k.traced(&k.Hooks[i])
	timeout := k.Timeout
	if h.Timeout != nil {
		timeout = time.Duration(*h.Timeout) * time.Second
	}
	began := time.Now()
	p, err := start(h, k.Start, k.Append)
	if err == nil {
		err = p.converse(state, began.Add(timeout), &k)
	}
	if k.Timeline != nil {
		k.Timeline.Add(diag.Span{Name: h.Path, Field: fmt.Sprintf("hooks.%s[%d]", k.Name, i), Process: p.pid, Start: began, End: time.Now()})
	}
	if err == nil {
		return nil
	}
	failure := &diag.Error{
		Field: fmt.Sprintf("hooks.%s[%d]", k.Name, i),
		Op:    fmt.Sprintf("error running %s hook #%d", k.Name, i),
		Path:  h.Path,
		Err:   err,
		Hint:  p.hint(time.Since(began)),
		Code:  "hook",
		Stage: diag.StageHooks,
	}
	if inner := (*diag.Error)(nil); errors.As(err, &inner) && inner.Code != "" {
		failure.Code = inner.Code // it was not the hook's fault: interrupted
	}
	return failure
}

// traced is the hook with the trace context that it belongs to.
func (k *Kind) traced(h *specs.Hook) *specs.Hook {
	const name = "TRACEPARENT="
	if k.TraceParent == "" || slices.ContainsFunc(h.Env, func(s string) bool { return strings.HasPrefix(s, name) }) {
		return h
	}
	with := *h
	with.Env = append(slices.Clip(h.Env), name+k.TraceParent)
	return &with
}

// running is a started hook and our ends of its pipes, -1 once closed.
type running struct {
	pid    int
	pidfd  int
	stdin  int
	output [2]int  // stdout, stderr
	copies [2]int  // files that get what is read from output
	tail   [2]tail // the last bytes of each
}

// start starts h with three new pipes. It returns a usable running even with
// an error.
func start(h *specs.Hook, starter Starter, copies [2]string) (*running, error) {
	p := &running{pidfd: -1, stdin: -1, output: [2]int{-1, -1}, copies: [2]int{-1, -1}}
	if err := p.openCopies(copies); err != nil {
		p.close()
		return p, err
	}
	var theirs [3]int
	for i := range theirs {
		var pipe [2]int
		if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
			return p, &diag.Error{Op: "pipe", Err: err}
		}
		if i == 0 {
			theirs[i], p.stdin = pipe[0], pipe[1]
		} else {
			p.output[i-1], theirs[i] = pipe[0], pipe[1]
		}
		defer unix.Close(theirs[i])
	}
	for _, fd := range []int{p.stdin, p.output[0], p.output[1]} {
		if err := unix.SetNonblock(fd, true); err != nil {
			return p, err
		}
	}
	var err error
	if p.pid, err = starter(h, theirs); err != nil {
		p.close()
		return p, err
	}
	if p.pidfd, err = unix.PidfdOpen(p.pid, 0); err != nil {
		return p, &diag.Error{Op: "pidfd_open", Err: err}
	}
	return p, nil
}

// openCopies opens the files that get a copy of the output. A named pipe that
// nobody reads is an error, and one that is full loses what does not fit.
func (p *running) openCopies(paths [2]string) (err error) {
	for i, path := range paths {
		if path == "" {
			continue
		}
		// O_NONBLOCK: a FIFO that nobody reads must not hold us up.
		flags := unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_NOCTTY | unix.O_NONBLOCK | unix.O_CLOEXEC
		if p.copies[i], err = unix.Open(path, flags, 0o600); err != nil {
			return &diag.Error{Op: "open", Path: path, Err: err, Hint: "for the hook's output, as an annotation asks"}
		}
	}
	return nil
}

// converse feeds state to the hook and drains what it prints until it ends.
// A hook that does not read its input, or leaves a child behind that keeps the
// pipes open, holds nothing up.
func (p *running) converse(state []byte, deadline time.Time, k *Kind) error {
	defer p.close()
	interrupt := -1
	if k.Interrupted != nil {
		interrupt = k.Interrupt
	}
	for {
		fds := []unix.PollFd{
			{Fd: int32(p.pidfd), Events: unix.POLLIN},
			{Fd: int32(p.output[0]), Events: unix.POLLIN},
			{Fd: int32(p.output[1]), Events: unix.POLLIN},
			{Fd: int32(p.stdin), Events: unix.POLLOUT},
			{Fd: int32(interrupt), Events: unix.POLLIN},
		}
		left := time.Until(deadline)
		if left <= 0 {
			doing := sys.Doing(p.pid)
			p.kill()
			return &diag.Error{Err: ErrTimeout, Hint: doing}
		}
		if _, err := unix.Poll(fds, int(left.Milliseconds())+1); err != nil && err != unix.EINTR {
			return &diag.Error{Op: "poll", Err: err}
		}
		p.drain(0, fds[1].Revents)
		p.drain(1, fds[2].Revents)
		if fds[3].Revents != 0 {
			state = p.feed(state)
		}
		if fds[0].Revents != 0 {
			return p.finish()
		}
		if fds[4].Revents != 0 {
			if err := k.Interrupted(); err != nil {
				p.kill()
				return err
			}
		}
	}
}

// killTimeout bounds the wait for a hook that was killed. One in a frozen cgroup
// of version 1, or that waits for a dead file server, dies when that is over.
const killTimeout = 2 * time.Second

func (p *running) kill() {
	_ = unix.PidfdSendSignal(p.pidfd, unix.SIGKILL, nil, 0) // it may have ended just now
	for end := time.Now().Add(killTimeout); time.Now().Before(end); {
		fds := []unix.PollFd{{Fd: int32(p.pidfd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, int(time.Until(end).Milliseconds())+1); n > 0 || err != nil && err != unix.EINTR {
			_, _ = p.wait()
			return
		}
	}
}

// feed writes some of state, closes stdin after the last byte, and returns
// what is left.
func (p *running) feed(state []byte) []byte {
	n, err := unix.Write(p.stdin, state)
	if err == unix.EAGAIN || err == unix.EINTR {
		return state
	}
	if err != nil || n == len(state) { // EPIPE: the hook does not want it
		unix.Close(p.stdin)
		p.stdin = -1
		return nil
	}
	return state[n:]
}

// drain reads what is there from stdout or stderr.
func (p *running) drain(i int, events int16) {
	if events == 0 || p.output[i] < 0 {
		return
	}
	var buf [4096]byte
	n, err := unix.Read(p.output[i], buf[:])
	if n > 0 {
		p.tail[i].add(buf[:n])
		if p.copies[i] >= 0 {
			_, _ = unix.Write(p.copies[i], buf[:n]) // a full disk, or pipe, is no failure of the hook
		}
		return
	}
	if n == 0 && err == nil {
		unix.Close(p.output[i])
		p.output[i] = -1
	}
}

// finish collects the last output and the exit status.
func (p *running) finish() error {
	for i := range p.output {
		for before := -1; p.tail[i].total != before; {
			before = p.tail[i].total
			p.drain(i, unix.POLLIN)
		}
	}
	status, err := p.wait()
	switch {
	case err != nil:
		return err
	case status.Signaled():
		return fmt.Errorf("killed by %s", unix.SignalName(status.Signal()))
	case status.ExitStatus() != 0:
		return fmt.Errorf("exit status %d", status.ExitStatus())
	}
	return nil
}

func (p *running) wait() (status syscall.WaitStatus, err error) {
	for {
		_, err = syscall.Wait4(p.pid, &status, 0, nil)
		if err != syscall.EINTR {
			return status, err
		}
	}
}

func (p *running) close() {
	for _, fd := range []*int{&p.pidfd, &p.stdin, &p.output[0], &p.output[1], &p.copies[0], &p.copies[1]} {
		if *fd >= 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
}

// hint tells how long the hook ran and what it said last.
func (p *running) hint(took time.Duration) string {
	if p.pid == 0 {
		return ""
	}
	s := fmt.Sprintf("after %d ms, stdout: %s, stderr: %s", took.Milliseconds(), p.tail[0].text(), p.tail[1].text())
	return strings.TrimSpace(s)
}

// tail keeps the last bytes of a stream of any length.
type tail struct {
	bytes []byte
	total int
}

const tailSize = 1024

func (t *tail) add(b []byte) {
	t.total += len(b)
	t.bytes = append(t.bytes, b...)
	if over := len(t.bytes) - tailSize; over > 0 {
		t.bytes = t.bytes[over:]
	}
}

// text is the tail on one line.
func (t *tail) text() string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(string(t.bytes), "?")), " ")
}

// Runtime starts a hook in the runtime's own namespaces, with nothing of the
// runtime's environment.
func Runtime(h *specs.Hook, stdio [3]int) (int, error) {
	args := Args(h)
	files := []uintptr{uintptr(stdio[0]), uintptr(stdio[1]), uintptr(stdio[2])}
	pid, err := sys.ForkExec(h.Path, args, &syscall.ProcAttr{Env: h.Env, Files: files,
		// Killed in the middle of a hook, we must not leave it behind. What
		// counts is the end of our thread, and those of Go end with the process.
		Sys: &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}})
	if err != nil {
		return 0, &diag.Error{Op: "fork/exec", Err: err}
	}
	return pid, nil
}

// Args is the hook's argument vector; without args it is the path alone.
func Args(h *specs.Hook) []string {
	if len(h.Args) == 0 {
		return []string{h.Path}
	}
	return h.Args
}
