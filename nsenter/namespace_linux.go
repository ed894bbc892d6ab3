package nsenter

import (
	"fmt"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Type is the kind of a namespace, by its name below /proc/PID/ns.
type Type string

// The namespaces of namespaces(7).
const (
	Mount   Type = "mnt"
	PID     Type = "pid"
	Network Type = "net"
	IPC     Type = "ipc"
	UTS     Type = "uts"
	User    Type = "user"
	Cgroup  Type = "cgroup"
	Time    Type = "time"
)

// Types lists all of them.
func Types() []Type { return []Type{User, Mount, PID, Network, IPC, UTS, Cgroup, Time} }

// Flag is the type's CLONE_NEW* flag, for clone(2), unshare(2) and setns(2);
// 0 for an unknown type.
func (t Type) Flag() uintptr {
	switch t {
	case Mount:
		return unix.CLONE_NEWNS
	case PID:
		return unix.CLONE_NEWPID
	case Network:
		return unix.CLONE_NEWNET
	case IPC:
		return unix.CLONE_NEWIPC
	case UTS:
		return unix.CLONE_NEWUTS
	case User:
		return unix.CLONE_NEWUSER
	case Cgroup:
		return unix.CLONE_NEWCGROUP
	case Time:
		return unix.CLONE_NEWTIME
	}
	return 0
}

// typeOf is the inverse of Flag.
func typeOf(flag uintptr) Type {
	for _, t := range Types() {
		if t.Flag() == flag {
			return t
		}
	}
	return ""
}

// OpenNamespace opens the namespace of type t behind path, close-on-exec. A
// path to anything else is an error that says what it is.
func OpenNamespace(t Type, path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return -1, &diag.Error{Op: "open", Path: path, Err: err, Code: "namespace-path"}
	}
	flag, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err != nil {
		unix.Close(fd)
		return -1, &diag.Error{Path: path, Err: fmt.Errorf("is not a namespace: %w", unix.EINVAL), Code: "namespace-path"}
	}
	if uintptr(flag) != t.Flag() {
		unix.Close(fd)
		return -1, &diag.Error{Path: path, Code: "namespace-path",
			Err: fmt.Errorf("is a %s namespace, not a %s namespace: %w", typeOf(uintptr(flag)), t, unix.EINVAL)}
	}
	return fd, nil
}
