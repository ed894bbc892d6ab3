package diag

import (
	"time"

	"golang.org/x/sys/unix"
)

// Deliver writes b to a log or to stderr, and gives up when nothing has been
// taken for the time of patience: a reader who has stopped reading must not keep
// a half-made container waiting. Nor must one who has gone have SIGPIPE end us in
// the middle, which is what package os does to a write to a broken stderr.
func Deliver(fd int, b []byte, patience time.Duration) {
	end := time.Now().Add(patience)
	for len(b) > 0 {
		left := time.Until(end)
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, int(max(left, 0).Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if err != nil || ready == 0 {
			return
		}
		n, err := unix.Write(fd, b[:portion(fd, b)])
		if err != nil && err != unix.EINTR && err != unix.EAGAIN {
			return // nowhere left to report it
		}
		if n > 0 {
			b, end = b[n:], time.Now().Add(patience)
		}
	}
}

// portion is how much of b may be written at once. A file takes all of it, in
// one write(2), so that lines of several processes do not mix. A pipe that poll
// calls writable has room for PIPE_BUF bytes, and may block for more, pipe(7).
func portion(fd int, b []byte) int {
	const pipeBuf = 4096
	var st unix.Stat_t
	if len(b) <= pipeBuf || unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
		return len(b)
	}
	return pipeBuf
}
