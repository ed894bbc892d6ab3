package libcontainer

import (
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Side channels to the engine: pid file, console socket, pidfd socket.

// writePidFile writes pid as decimal digits and nothing else, which is how
// engines parse it, into a new file that then takes path's place.
func writePidFile(path string, pid int) error {
	dir, base := filepath.Split(path)
	temporary := dir + "." + base
	flags := unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_CLOEXEC
	fd, err := unix.Open(temporary, flags, 0o666)
	if err != nil {
		return &diag.Error{Op: "write pid file", Path: path, Err: err, Code: "pid-file"}
	}
	_, err = unix.Write(fd, strconv.AppendInt(nil, int64(pid), 10))
	if closeErr := unix.Close(fd); err == nil {
		err = closeErr
	}
	if err == nil {
		err = unix.Rename(temporary, path)
	}
	if err != nil {
		_ = unix.Unlink(temporary) // the first error is the one to report
		return &diag.Error{Op: "write pid file", Path: path, Err: err, Code: "pid-file"}
	}
	return nil
}

const sendTimeout = 10 * time.Second

// sendFile sends fd, under a name, to whoever listens on the unix socket.
func sendFile(path, name string, fd int) error {
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return &diag.Error{Op: "socket", Err: err}
	}
	defer unix.Close(socket)
	// Whoever listens may not accept, and have a full queue.
	patience := unix.NsecToTimeval(int64(sendTimeout))
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &patience); err != nil {
		return &diag.Error{Op: "setsockopt", Err: err}
	}
	if err := unix.Connect(socket, &unix.SockaddrUnix{Name: path}); err != nil {
		return &diag.Error{Op: "connect", Path: path, Err: err, Code: "socket"}
	}
	if err := unix.Sendmsg(socket, []byte(name), unix.UnixRights(fd), nil, unix.MSG_NOSIGNAL); err != nil {
		return &diag.Error{Op: "send file to", Path: path, Err: err, Code: "socket"}
	}
	return nil
}
