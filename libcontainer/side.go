package libcontainer

import (
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
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

// sendFile sends fd, under a name, to whoever listens on the unix socket.
func sendFile(path, name string, fd int, timeout time.Duration) error {
	socket, err := sys.ConnectUnix(path, unix.SOCK_STREAM, timeout)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	if err := unix.Sendmsg(socket, []byte(name), unix.UnixRights(fd), nil, unix.MSG_NOSIGNAL); err != nil {
		return sys.SocketError("send file to", path, err, timeout)
	}
	return nil
}
