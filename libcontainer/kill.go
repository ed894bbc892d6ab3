package libcontainer

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"ociruntime/cgroups"
	"ociruntime/internal/diag"
)

// Kill sends a signal to the container's process, or to all of them. SIGKILL
// reaches every process that would otherwise survive it: those of a container
// without a pid namespace of its own, and frozen ones.
func (r *Runtime) Kill(id string, o KillOptions) error {
	c, err := r.load(id)
	if err != nil {
		return err
	}
	defer c.close()
	group := c.cgroup()
	defer group.Close()
	if o.All {
		return c.killAll(group, unix.Signal(o.Signal))
	}
	pidfd, err := c.alive()
	if errors.Is(err, ErrNotRunning) {
		return &diag.Error{Path: id, Err: ErrNotRunning, Code: "not-running"}
	}
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	if err := signalPidfd(pidfd, unix.Signal(o.Signal)); err != nil {
		return err
	}
	if o.Signal != int(unix.SIGKILL) {
		return nil
	}
	return c.finishKill(group)
}

// signalPidfd signals the process; one that has just ended is not running.
func signalPidfd(pidfd int, signal unix.Signal) error {
	err := unix.PidfdSendSignal(pidfd, signal, nil, 0)
	switch err {
	case nil:
		return nil
	case unix.ESRCH:
		return &diag.Error{Err: ErrNotRunning, Code: "not-running"}
	}
	return &diag.Error{Op: "signal the container process", Path: fmt.Sprint(int(signal)), Err: err}
}

// finishKill makes a SIGKILL effective. The kernel does the rest itself when
// pid 1 of a pid namespace dies, unless it is frozen.
func (c *container) finishKill(group *cgroups.Group) error {
	if !c.PidNS {
		return ignoreNoCgroup(group.Kill(c.runtime.timeout()))
	}
	frozen, err := group.Frozen()
	if err != nil || !frozen {
		return nil // gone, or nothing to thaw
	}
	err = group.Thaw(c.runtime.timeout())
	if errors.Is(err, cgroups.ErrFrozenAbove) && group.Mode() == cgroups.V2 {
		return nil // SIGKILL reaches what version 2 has frozen
	}
	return err
}

// killAll signals every process of the container; none being left is success.
func (c *container) killAll(group *cgroups.Group, signal unix.Signal) error {
	if !group.Ours() {
		return c.killInit(signal)
	}
	if signal == unix.SIGKILL {
		return ignoreNoCgroup(group.Kill(c.runtime.timeout()))
	}
	pids, err := group.Procs()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := unix.Kill(pid, signal); err != nil && err != unix.ESRCH {
			return &diag.Error{Op: "signal", Path: fmt.Sprint(pid), Err: err}
		}
	}
	return nil
}

// killInit signals the one process that is known where there is no cgroup.
func (c *container) killInit(signal unix.Signal) error {
	pidfd, err := c.alive()
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	return signalPidfd(pidfd, signal)
}

func ignoreNoCgroup(err error) error {
	if errors.Is(err, cgroups.ErrNoCgroup) {
		return nil
	}
	return err
}
