package libcontainer

import (
	"errors"

	"ociruntime/cgroups"
	"ociruntime/internal/diag"
)

// Pause freezes every process of a created or running container.
func (r *Runtime) Pause(id string) error {
	c, err := r.loadLocked(id)
	if err != nil {
		return err
	}
	defer c.close()
	status, err := c.status()
	if err != nil {
		return err
	}
	if status == Paused {
		return &diag.Error{Path: id, Err: ErrNotRunning, Hint: "it is already paused", Code: "not-running"}
	}
	if status != Created && status != Running {
		return &diag.Error{Path: id, Err: ErrNotRunning, Hint: "it is " + string(status), Code: "not-running"}
	}
	group := c.cgroup()
	defer group.Close()
	if err := group.Freeze(r.timeout()); err != nil {
		return &diag.Error{Op: "pause", Path: id, Err: err}
	}
	return nil
}

// Resume thaws a paused container.
func (r *Runtime) Resume(id string) error {
	c, err := r.loadLocked(id)
	if err != nil {
		return err
	}
	defer c.close()
	status, err := c.status()
	if err != nil {
		return err
	}
	if status != Paused {
		return &diag.Error{Path: id, Err: ErrNotPaused, Hint: "it is " + string(status), Code: "not-paused"}
	}
	group := c.cgroup()
	defer group.Close()
	return group.Thaw(r.timeout())
}

// Processes lists the pids of the container's processes, in the runtime
// namespace; none once it is stopped.
func (r *Runtime) Processes(id string) ([]int, error) {
	c, err := r.load(id)
	if err != nil {
		return nil, err
	}
	defer c.close()
	group := c.cgroup()
	defer group.Close()
	pids, err := group.Procs()
	if !errors.Is(err, cgroups.ErrNoCgroup) {
		return pids, err
	}
	pidfd, err := c.alive()
	if err != nil {
		return nil, nil
	}
	closeFD(pidfd)
	return []int{c.Pid}, nil
}
