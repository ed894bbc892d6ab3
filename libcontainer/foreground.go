package libcontainer

import (
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
// foreground: signals go to it, a resized terminal is passed on.
type foreground struct {
	signals  int       // each byte that can be read is a signal we got
	terminal *terminal // nil without one
}

// newForeground begins to catch signals; those that arrive before supervise
// are kept for it.
func newForeground() (*foreground, error) {
	signals, err := sys.Catch()
	if err != nil {
		return nil, &diag.Error{Op: "catch signals", Err: err}
	}
	return &foreground{signals: signals}, nil
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
		var received [64]byte
		n, err := unix.Read(f.signals, received[:])
		if err == unix.EAGAIN {
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(f.signals), Events: unix.POLLIN}}, -1) // EINTR: there is something to read
		}
		for i := range max(n, 0) {
			f.pass(s, unix.Signal(received[i]))
		}
	}
}

// pass forwards a signal, except for those that are about ourselves.
func (f *foreground) pass(s *nsenter.Stage, sig unix.Signal) {
	switch {
	case sig == unix.SIGCHLD, sig == unix.SIGPIPE: // our children, our output
	case sig == unix.SIGWINCH && f.terminal != nil:
		f.terminal.resize()
	default:
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
