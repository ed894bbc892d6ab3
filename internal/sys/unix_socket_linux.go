package sys

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// ConnectUnix connects a new socket of the type to whoever listens at path. A
// listener with a full queue is waited for until timeout, and so is one that
// does not read when something is sent. The path may be longer than a socket
// address; "@" begins an abstract one. The caller closes the descriptor.
func ConnectUnix(path string, kind int, timeout time.Duration) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, &diag.Error{Op: "socket", Err: err}
	}
	// The limit is for connect(2) too, socket(7).
	limit := unix.NsecToTimeval(timeout.Nanoseconds())
	if err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit); err == nil {
		err = connect(fd, path)
	}
	if err != nil {
		_ = unix.Close(fd) // nothing has been sent
		return -1, SocketError("connect", path, err, timeout)
	}
	return fd, nil
}

// connect goes by way of a descriptor when the path is longer than sockaddr_un
// has room for.
func connect(fd int, path string) error {
	address := &unix.SockaddrUnix{Name: path}
	if len(path) >= len(unix.RawSockaddrUnix{}.Path) {
		socket, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(socket)
		address.Name = "/proc/self/fd/" + strconv.Itoa(socket)
	}
	return RetryEINTR(func() error { return unix.Connect(fd, address) })
}

// RetryEINTR repeats a call that a signal interrupts: on a socket with a timeout
// the kernel does not do so by itself, signal(7).
func RetryEINTR(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// SocketError words an error on a socket of ConnectUnix.
func SocketError(op, path string, err error, timeout time.Duration) error {
	if err == unix.EAGAIN { // what SO_SNDTIMEO ends with
		return &diag.Error{Op: op, Path: path, Err: errors.New("the other side does not answer, in " + timeout.String()), Code: "socket"}
	}
	return &diag.Error{Op: op, Path: path, Err: err, Code: "socket"}
}
