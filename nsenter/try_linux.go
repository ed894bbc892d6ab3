package nsenter

import (
	"errors"
	"io"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Try makes new namespaces, CLONE_NEW* flags, for the moment that a child lives
// in them, and returns why that is refused, or nil. Those which Entry has the
// stage make, it makes here too.
func Try(flags uintptr) error {
	const late = unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME
	p := New(0)
	if flags&late != 0 {
		p.Unshare(flags & late)
	}
	p.Exit(0)
	s, err := p.Start(Options{Args: []string{stageName}, CloneFlags: flags &^ late, Cgroup: -1, Stdio: [3]int{0, 1, 2}})
	if err != nil {
		return err
	}
	_, err = s.Next(10 * time.Second)
	s.Close()
	if err == ErrTimeout {
		_ = unix.Kill(s.Pid, unix.SIGKILL) // not yet waited for, so it is still ours
	}
	var status unix.WaitStatus
	for {
		if _, waited := unix.Wait4(s.Pid, &status, 0, nil); waited != unix.EINTR {
			break
		}
	}
	switch {
	case err != io.EOF:
		return err
	case !status.Exited() || status.ExitStatus() != 0:
		return errors.New("the stage ended with status " + strconv.Itoa(int(status)))
	}
	return nil
}
