package seccomp

import (
	"errors"
	"strconv"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// ProcessState is the "container process state" of config-linux.md that goes
// with a listener, as JSON. pid is the container process as this runtime sees
// it, metadata is listenerMetadata, and state is the container's state in JSON,
// whose status is "creating" at this time.
func ProcessState(ociVersion string, pid int, metadata string, state []byte) []byte {
	b := []byte(`{"ociVersion":`)
	b = diag.AppendJSONString(b, ociVersion)
	b = append(b, `,"fds":["`+specs.SeccompFdName+`"],"pid":`+strconv.Itoa(pid)...)
	if metadata != "" {
		b = append(b, `,"metadata":`...)
		b = diag.AppendJSONString(b, metadata)
	}
	b = append(b, `,"state":`...)
	b = append(b, state...)
	return append(b, '}')
}

// SendListener connects to the agent at listenerPath, sends it processState
// together with the listener's fd, and closes the connection: one state per
// connection, never reused. The listener stays the caller's to close. An agent
// that does not accept or read in time is an error.
func SendListener(listenerPath string, listener int, processState []byte, timeout time.Duration) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return sendError("socket", listenerPath, err)
	}
	defer unix.Close(fd)
	// The timeout covers connect(2) too, see socket(7).
	limit := unix.NsecToTimeval(timeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit); err != nil {
		return sendError("setsockopt", listenerPath, err)
	}
	if err := connect(fd, listenerPath); err != nil {
		return sendError("connect", listenerPath, err)
	}
	if err := sendAll(fd, processState, unix.UnixRights(listener)); err != nil {
		return sendError("sendmsg", listenerPath, err)
	}
	return nil
}

// connect goes by way of an fd when the path is longer than sockaddr_un has
// room for.
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
	return retry(func() error { return unix.Connect(fd, address) })
}

// sendAll sends message, the rights with its first part.
func sendAll(fd int, message, rights []byte) error {
	for len(message) > 0 {
		var n int
		err := retry(func() (err error) {
			n, err = unix.SendmsgN(fd, message, rights, nil, unix.MSG_NOSIGNAL)
			return err
		})
		if err != nil {
			return err
		}
		message, rights = message[n:], nil
	}
	return nil
}

// retry repeats a call that a signal interrupts: a socket with a timeout does
// not do so by itself, see signal(7).
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func sendError(op, path string, err error) error {
	if err == unix.EAGAIN { // what SO_SNDTIMEO ends with
		err = errors.New("the agent does not answer")
	}
	return &diag.Error{Field: field + ".listenerPath", Op: op, Path: path, Err: err, Code: "seccomp-listener"}
}
