package seccomp

import (
	"strconv"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
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
	fd, err := sys.ConnectUnix(listenerPath, unix.SOCK_STREAM, timeout)
	if err != nil {
		return &diag.Error{Field: field + ".listenerPath", Err: err, Code: "seccomp-listener"}
	}
	defer unix.Close(fd)
	if err := sendAll(fd, processState, unix.UnixRights(listener)); err != nil {
		return &diag.Error{Field: field + ".listenerPath", Err: sys.SocketError("sendmsg", listenerPath, err, timeout), Code: "seccomp-listener"}
	}
	return nil
}

// sendAll sends message, the rights with its first part.
func sendAll(fd int, message, rights []byte) error {
	for len(message) > 0 {
		var n int
		err := sys.RetryEINTR(func() (err error) {
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
