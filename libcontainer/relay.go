package libcontainer

import (
	"sync"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
)

// relay copies between a pty and our standard input and output:
//
//	stdin  ── feed ──>  master     ends with the input
//	stdout <── print ── master     ends with the process, or when the output
//	                               takes no more
//
// There is an end to it in three ways. The process ends: what it has printed is
// drained. The caller's terminal, or the output, is gone: the pty is hung up,
// which tells the process by SIGHUP. An input that is no terminal ends: that is
// typed, as Ctrl-D.
type relay struct {
	tty  int    // the caller's
	stop [2]int // closing its second end ends both copies
	done chan struct{}

	mu      sync.Mutex // guards what follows
	master  int        // -1 once hung up
	peer    int        // the slave, so that there is no end of file while the process has it closed
	users   int        // copies under way
	stopped bool
	hung    bool
}

// afterwards is how much is read from the pty after the process has ended. A pty
// holds back less (64 KiB in buffers, 4 KiB in the line discipline), and what
// others go on to write is not waited for.
const afterwards = 256 << 10

func newRelay(master, tty int) (*relay, error) {
	r := &relay{tty: tty, master: master, peer: -1, done: make(chan struct{})}
	if err := unix.SetNonblock(master, true); err != nil {
		return nil, &diag.Error{Op: "fcntl", Err: err}
	}
	if err := unix.Pipe2(r.stop[:], unix.O_CLOEXEC); err != nil {
		return nil, &diag.Error{Op: "pipe", Err: err}
	}
	r.peer, _ = sys.PtyPeer(master) // -1: then the relay ends with the last who has the pty open
	return r, nil
}

// start begins to copy.
func (r *relay) start() {
	r.users = 2
	go r.print()
	go r.feed()
}

func (r *relay) resize(size *unix.Winsize) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.master >= 0 {
		_ = unix.IoctlSetWinsize(r.master, unix.TIOCSWINSZ, size) // a pty that hung up needs none
	}
}

// end makes both copies end; hangUp leaves what is unread.
func (r *relay) end(hangUp bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hung = r.hung || hangUp
	if !r.stopped {
		r.stopped = true
		unix.Close(r.stop[1])
	}
	if r.users == 0 {
		r.close()
	}
}

// hangUp ends the relay and closes the pty.
func (r *relay) hangUp() { r.end(true) }

// drain ends the relay once all output was passed on.
func (r *relay) drain() {
	r.end(false)
	<-r.done
}

// leave is the last act of a copy.
func (r *relay) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.users--; r.users == 0 && r.hung {
		r.close()
	}
}

// close closes the pty. Without its master it hangs up.
func (r *relay) close() {
	if r.master < 0 {
		return
	}
	closeFD(r.peer)
	unix.Close(r.master)
	unix.Close(r.stop[0])
	r.master = -1
}

func (r *relay) isHung() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hung
}

// print copies from the pty to our standard output.
func (r *relay) print() {
	defer r.leave()
	defer close(r.done)
	var buf [32 << 10]byte
	for left := -1; left != 0; {
		fds := []unix.PollFd{
			{Fd: int32(r.master), Events: unix.POLLIN},
			{Fd: int32(r.stop[0])},
			{Fd: int32(r.tty)}, // hung up?
		}
		wait := -1
		if left > 0 {
			fds, wait = fds[:1], 0
		}
		n, err := unix.Poll(fds, wait)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || n == 0 || r.isHung():
			return
		case left < 0 && fds[2].Revents != 0:
			r.hangUp()
			return
		case left < 0 && fds[1].Revents != 0:
			left = afterwards
		}
		if fds[0].Revents == 0 {
			continue
		}
		got, err := unix.Read(r.master, buf[:])
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
			continue
		case got <= 0: // nobody has the pty open
			return
		case !writeAll(1, buf[:got]):
			r.hangUp()
			return
		}
		if left > 0 {
			left = max(left-got, 0)
		}
	}
}

// feed copies from our standard input to the pty.
func (r *relay) feed() {
	defer r.leave()
	var buf [4096]byte
	lineEnds := true
	for r.wait(0, unix.POLLIN) {
		n, err := unix.Read(0, buf[:])
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
			continue
		case n <= 0 && isTerminal(0):
			r.hangUp()
			return
		case n <= 0:
			r.typeEnd(lineEnds)
			return
		case !r.typeAll(buf[:n]):
			return
		}
		lineEnds = buf[n-1] == '\n' || buf[n-1] == '\r'
	}
}

// wait waits until fd is ready, and reports whether it is time to use it.
func (r *relay) wait(fd int, events int16) bool {
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: events}, {Fd: int32(r.stop[0])}}
		_, err := unix.Poll(fds, -1)
		switch {
		case err == unix.EINTR:
		case err != nil || fds[1].Revents != 0:
			return false
		default:
			return true
		}
	}
}

// typeAll writes b to the pty, which takes as much as the process reads.
func (r *relay) typeAll(b []byte) bool {
	for len(b) > 0 {
		if !r.wait(r.master, unix.POLLOUT) {
			return false
		}
		n, err := unix.Write(r.master, b)
		if err != nil && err != unix.EAGAIN && err != unix.EINTR {
			return false
		}
		b = b[max(n, 0):]
	}
	return true
}

// typeEnd types the end of input; twice where it only completes a line. A
// program that has switched off all meaning of characters gets none.
func (r *relay) typeEnd(lineEnds bool) {
	settings, err := unix.IoctlGetTermios(r.master, unix.TCGETS)
	if err != nil || settings.Lflag&(unix.ICANON|unix.ISIG) == 0 {
		return
	}
	end := settings.Cc[unix.VEOF]
	if lineEnds {
		r.typeAll([]byte{end})
		return
	}
	r.typeAll([]byte{end, end})
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
