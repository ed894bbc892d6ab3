package libcontainer

import (
	"errors"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// at says at which stage of its life the container failed.
func at(stage diag.Stage, err error) error {
	if err == nil {
		return nil
	}
	return &diag.Error{Err: err, Stage: stage}
}

// explainClone words why there is no stage. One clone(2) makes namespaces and,
// on cgroup v2, enters the cgroup; which of the two it was the kernel does not
// tell.
func (b *birth) explainClone(err error, joins bool) error {
	var e *diag.Error
	var errno unix.Errno
	if !errors.As(err, &e) || e.Op != "clone" || !errors.As(err, &errno) {
		return err
	}
	switch errno {
	case unix.EOPNOTSUPP, unix.EBUSY, unix.ENOSPC, unix.EAGAIN, unix.ENOMEM, unix.EACCES:
		if !joins {
			break
		}
		joined := b.group.ExplainJoin(errno)
		if j := (*diag.Error)(nil); errno == unix.ENOSPC && (!errors.As(joined, &j) || j.Hint == "") {
			break // the cpuset has CPUs, so it is the namespaces that are counted
		}
		if code := diag.CodeOf(joined); code != "process-limit" && code != "no-memory" { // those are not the cgroup's
			return joined
		}
	}
	return err
}
