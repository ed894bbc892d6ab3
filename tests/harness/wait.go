package harness

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	timeoutEnv = "TEST_TIMEOUT"       // deadline of one call or wait, as in time.ParseDuration
	pollStep   = 5 * time.Millisecond // between two looks where the kernel offers no event
)

// Timeout is the deadline for each single wait. A loaded machine may be slow,
// a correct runtime never waits this long.
func Timeout() time.Duration {
	if d, err := time.ParseDuration(os.Getenv(timeoutEnv)); err == nil {
		return d
	}
	return 20 * time.Second
}

var errDeadline = errors.New("deadline passed")

// Eventually calls done until it is true, for things the kernel sends no event
// about (a file that appears in /proc, a process state).
func Eventually(timeout time.Duration, done func() bool) error {
	for deadline := time.Now().Add(timeout); ; time.Sleep(pollStep) {
		if done() {
			return nil
		}
		if time.Now().After(deadline) {
			return errDeadline
		}
	}
}

// WaitReadable blocks until the descriptor has something to read, is at its
// end, or, for a pidfd, its process has ended.
func WaitReadable(fd int, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		left := max(time.Until(deadline), 0) // looks once, however short the timeout
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int((left + time.Millisecond - 1).Milliseconds()))
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("poll: %w", err)
		}
		if left == 0 {
			return errDeadline
		}
	}
}

// waitExit blocks until the process has ended; a process that does not exist
// has. It does not reap.
func waitExit(pid int, timeout time.Duration) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pidfd_open %d: %w", pid, err)
	}
	defer unix.Close(fd)
	return WaitReadable(fd, timeout)
}

// MountsChanged tells whether the mount namespace has changed since the
// mountinfo file was opened or last asked about, proc_pid_mounts(5).
func MountsChanged(mountinfo *os.File) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(mountinfo.Fd()), Events: unix.POLLPRI}}
	_, err := unix.Poll(fds, 0)
	return fds[0].Revents&unix.POLLPRI != 0, err
}
