package libcontainer

import (
	"errors"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// status is what the container is doing at this moment, from the kernel
// rather than from the record: any command may have been killed halfway.
func (c *container) status() (Status, error) {
	if c.Pid == 0 {
		return Creating, nil
	}
	pidfd, err := c.alive()
	if errors.Is(err, ErrNotRunning) {
		return Stopped, nil
	}
	if err != nil {
		return "", err
	}
	unix.Close(pidfd)
	if c.waiting() {
		return c.frozenOr(Created)
	}
	return c.frozenOr(Running)
}

// waiting reports whether the process still waits for start: the gate is
// there until start has removed it, and the process still is the stage, should
// start have been killed in between.
func (c *container) waiting() bool {
	if unix.Faccessat(c.dir, gateFile, unix.F_OK, 0) != nil {
		return false
	}
	return isStage(c.Pid)
}

// frozenOr returns Paused for a container whose cgroup is frozen, else status.
func (c *container) frozenOr(status Status) (Status, error) {
	group := c.cgroup()
	defer group.Close()
	frozen, err := group.Frozen()
	if frozen && err == nil {
		return Paused, nil
	}
	return status, nil // a cgroup that cannot be read is not frozen by us
}

// State returns the state of container id, runtime.md#query-state.
func (r *Runtime) State(id string) (*State, error) {
	c, err := r.load(id)
	if err != nil {
		return nil, err
	}
	defer c.close()
	s, err := c.state()
	if err == nil && s.Status == Stopped {
		s.ExitCause = c.exitCause()
	}
	return s, err
}

func (c *container) state() (*State, error) {
	status, err := c.status()
	if err != nil {
		return nil, err
	}
	s := c.stateAs(status, c.Pid)
	return s, nil
}

// stateAs is the state with a status that is known.
func (c *container) stateAs(status Status, pid int) *State {
	s := &State{
		OCIVersion:  specs.Version,
		ID:          c.id,
		Status:      status,
		Bundle:      c.Bundle,
		Rootfs:      c.Rootfs,
		Annotations: c.Annotations,
		Startup:     c.record.Startup,
	}
	if status != Stopped {
		s.Pid = pid
	} else {
		s.ExitCause = c.record.ExitCause
	}
	s.Created, _ = time.Parse(time.RFC3339Nano, c.Created) // zero before the record is complete
	return s
}
