package libcontainer

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

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
	signals  chan os.Signal
	terminal *terminal // nil without one
}

// newForeground begins to catch signals; those that arrive before supervise
// are kept for it.
func newForeground(t *terminal) *foreground {
	f := &foreground{signals: make(chan os.Signal, 128), terminal: t}
	signal.Notify(f.signals)
	return f
}

// supervise waits for the process and returns its exit code. Orphans that we
// inherit as a subreaper are reaped on the way.
func (f *foreground) supervise(s *nsenter.Stage) int {
	f.terminal.resize()
	ended := make(chan unix.WaitStatus, 1)
	go func() { ended <- reapUntil(s.Pid) }()
	for {
		select {
		case status := <-ended:
			signal.Stop(f.signals)
			f.terminal.drain()
			return exitCode(status)
		case sig := <-f.signals:
			f.pass(s, sig.(unix.Signal))
		}
	}
}

// pass forwards a signal, except for those that are about ourselves.
func (f *foreground) pass(s *nsenter.Stage, sig unix.Signal) {
	switch sig {
	case unix.SIGCHLD, unix.SIGURG: // ours; the Go runtime preempts with SIGURG
	case unix.SIGWINCH:
		if f.terminal != nil {
			f.terminal.resize()
			return
		}
		fallthrough
	default:
		_ = unix.PidfdSendSignal(s.PidFD, sig, nil, 0) // it may have ended just now
	}
}

// reapUntil waits for any child until it is pid.
func reapUntil(pid int) unix.WaitStatus {
	for {
		var status unix.WaitStatus
		got, err := unix.Wait4(-1, &status, 0, nil)
		if got == pid || err == unix.ECHILD {
			return status
		}
	}
}
