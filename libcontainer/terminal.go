package libcontainer

import (
	"errors"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// terminal relays between the caller's terminal, in raw mode, and the pty of a
// container process in the foreground. All methods do nothing on nil.
type terminal struct {
	tty    int // the caller's
	opened bool
	saved  unix.Termios
	master int
	stop   [2]int        // a pipe: closing its second end ends the relay
	done   chan struct{} // the relay has ended
}

var errNoTTY = errors.New("no terminal to be in the foreground of")

// newTerminal takes over master, and puts the caller's terminal into raw mode
// until restore.
func newTerminal(master int) (*terminal, error) {
	t := &terminal{master: master, done: make(chan struct{})}
	if err := t.find(); err != nil {
		unix.Close(master)
		return nil, err
	}
	saved, err := unix.IoctlGetTermios(t.tty, unix.TCGETS)
	if err != nil {
		return nil, &diag.Error{Op: "read terminal settings", Err: err}
	}
	t.saved = *saved
	raw := t.saved
	makeRaw(&raw)
	if err := unix.IoctlSetTermios(t.tty, unix.TCSETS, &raw); err != nil {
		return nil, &diag.Error{Op: "set terminal to raw mode", Err: err}
	}
	if err := unix.Pipe2(t.stop[:], unix.O_CLOEXEC); err != nil {
		return nil, &diag.Error{Op: "pipe", Err: err}
	}
	t.resize()
	go t.print()
	go t.feed()
	return t, nil
}

// find looks for a terminal on the standard descriptors, then for the
// controlling one.
func (t *terminal) find() error {
	for _, fd := range []int{2, 1, 0} {
		if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
			t.tty = fd
			return nil
		}
	}
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return &diag.Error{Field: "process.terminal", Op: "open", Path: "/dev/tty", Err: err, Hint: errNoTTY.Error()}
	}
	t.tty, t.opened = fd, true
	return nil
}

// makeRaw is cfmakeraw(3).
func makeRaw(t *unix.Termios) {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB
	t.Cflag |= unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
}

// resize gives the pty the size of the caller's terminal.
func (t *terminal) resize() {
	if t == nil {
		return
	}
	if size, err := unix.IoctlGetWinsize(t.tty, unix.TIOCGWINSZ); err == nil {
		_ = unix.IoctlSetWinsize(t.master, unix.TIOCSWINSZ, size) // a pty that hung up needs none
	}
}

// restore puts the caller's terminal back as it was.
func (t *terminal) restore() {
	if t == nil || t.master < 0 {
		return
	}
	_ = unix.IoctlSetTermios(t.tty, unix.TCSETSW, &t.saved) // nothing better can be done
	unix.Close(t.master)
	t.master = -1
	if t.opened {
		unix.Close(t.tty)
	}
}

// drain waits until all that the process printed has been passed on.
func (t *terminal) drain() {
	if t == nil {
		return
	}
	unix.Close(t.stop[1])
	<-t.done
	unix.Close(t.stop[0])
}

// print copies from the pty to our standard output until nobody has the pty
// open, or until it is stopped and nothing is left to read.
func (t *terminal) print() {
	defer close(t.done)
	var buf [32 << 10]byte
	for stopped := false; ; {
		fds := []unix.PollFd{{Fd: int32(t.master), Events: unix.POLLIN}, {Fd: int32(t.stop[0]), Events: unix.POLLIN}}
		wait := -1
		if stopped {
			fds, wait = fds[:1], 0
		}
		n, err := unix.Poll(fds, wait)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || !stopped && fds[1].Revents != 0 && fds[0].Revents == 0 {
			if stopped || err != nil {
				return
			}
			stopped = true
			continue
		}
		n, err = unix.Read(t.master, buf[:])
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || !writeAll(1, buf[:n]) {
			return
		}
	}
}

// feed copies from our standard input to the pty. It ends with the process.
func (t *terminal) feed() {
	var buf [4096]byte
	for {
		n, err := unix.Read(0, buf[:])
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || !writeAll(t.master, buf[:n]) {
			return
		}
	}
}

// writeAll writes b to fd, whatever number of calls it takes; false if fd does
// not take it.
func writeAll(fd int, b []byte) bool {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		switch {
		case err == unix.EAGAIN: // somebody else made it nonblocking
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1)
		case err != nil && err != unix.EINTR:
			return false
		case n > 0:
			b = b[n:]
		}
	}
	return true
}
