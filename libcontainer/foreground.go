package libcontainer

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
	"ociruntime/nsenter"
)

// exitCode is what a shell would return for the status.
func exitCode(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// foreground waits for a process of a container as if it were a child in the
// foreground: signals go to it, a resized terminal is passed on. While there is
// no process yet, a signal that asks us to end does.
type foreground struct {
	signals  int           // each byte that can be read is a signal we got
	pending  []unix.Signal // for the process, once it is there
	terminal *terminal     // nil without one
}

// newForeground begins to catch signals: all of them or, before there can be a
// process to pass them on to, those that ask us to end.
func newForeground(all bool) (*foreground, error) {
	var only []unix.Signal
	if !all {
		only = ending[:]
	}
	signals, err := sys.Catch(only...)
	if err != nil {
		return nil, &diag.Error{Op: "catch signals", Err: err}
	}
	return &foreground{signals: signals}, nil
}

// catchAll catches the other signals, too.
func (f *foreground) catchAll() error {
	_, err := newForeground(true) // of the same pipe
	return err
}

var errInterrupted = errors.New("interrupted by")

// ending are the signals that ask a command to end.
var ending = [...]unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM}

// next is Stage.Next for a stage that is not yet the process. nil catches nothing.
func (f *foreground) next(s *nsenter.Stage, timeout time.Duration) (nsenter.Event, error) {
	if f == nil {
		return s.Next(timeout)
	}
	for {
		event, err := s.NextUnless(f.signals, timeout)
		if !errors.Is(err, nsenter.ErrInterrupted) {
			return event, err
		}
		if err := f.interrupted(); err != nil {
			return event, err
		}
	}
}

// interrupted is the error of a command that a signal has asked to end. Other
// signals are kept for the process.
func (f *foreground) interrupted() error {
	f.collect()
	for _, sig := range f.pending {
		if slices.Contains(ending[:], sig) {
			return &diag.Error{Err: fmt.Errorf("%w %s", errInterrupted, unix.SignalName(sig)), Code: "interrupted"}
		}
	}
	return nil
}

// collect reads the signals that have arrived.
func (f *foreground) collect() {
	var received [64]byte
	n, _ := unix.Read(f.signals, received[:]) // EAGAIN: none
	for i := range max(n, 0) {
		f.pending = append(f.pending, unix.Signal(received[i]))
	}
}

// supervise waits for the process and returns its exit code. Orphans that we
// inherit as a subreaper are reaped on the way: every end of a child is a
// SIGCHLD, too.
func (f *foreground) supervise(s *nsenter.Stage, t *terminal) int {
	f.terminal = t
	f.terminal.resize()
	for {
		if status, ended := reap(s.Pid); ended {
			f.terminal.drain()
			return exitCode(status)
		}
		if f.collect(); len(f.pending) == 0 {
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(f.signals), Events: unix.POLLIN}}, -1) // EINTR: there is something to read
		}
		for _, sig := range f.pending {
			f.pass(s, sig)
		}
		f.pending = f.pending[:0]
	}
}

// pass forwards a signal, except for those that are about ourselves.
func (f *foreground) pass(s *nsenter.Stage, sig unix.Signal) {
	switch {
	case sig == unix.SIGCHLD, sig == unix.SIGPIPE: // our children, our output
	case sig == unix.SIGWINCH && f.terminal != nil:
		f.terminal.resize()
	default:
		if sig == unix.SIGCONT {
			f.terminal.resume()
		}
		_ = unix.PidfdSendSignal(s.PidFD, sig, nil, 0) // it may have ended just now
	}
}

// reap waits for all children that have ended, and tells whether pid is among
// them.
func reap(pid int) (status unix.WaitStatus, ended bool) {
	for {
		var other unix.WaitStatus
		got, err := unix.Wait4(-1, &other, unix.WNOHANG, nil)
		switch {
		case got == pid:
			status, ended = other, true
		case err == unix.EINTR:
		case got <= 0:
			return status, ended
		}
	}
}
