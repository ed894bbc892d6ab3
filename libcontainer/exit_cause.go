package libcontainer

import (
	"ociruntime/cgroups"
)

// ExitCause is the part that limits had in the end of a container, as its
// cgroup has counted it. Message is the line for people; the rest is for programs.
type ExitCause struct {
	Message string `json:"message"` // "oom: limit 64 MiB of /sys/fs/cgroup/x, peak 64 MiB, 1 process killed"
	cgroups.Cause
}

// ExitCause returns why the processes of a stopped container may have died, or
// nil if no limit had a part in it, if the container has not stopped, or if its
// cgroup is gone, as a systemd scope is when its last process has ended.
func (r *Runtime) ExitCause(id string) (*ExitCause, error) {
	c, err := r.load(id)
	if err != nil {
		return nil, err
	}
	defer c.close()
	status, err := c.status()
	if status != Stopped || err != nil {
		return nil, err
	}
	return c.exitCause(), nil
}

// exitCause is ExitCause for a container that is known to have stopped.
func (c *container) exitCause() *ExitCause {
	group := cgroups.Load(c.Cgroup)
	defer group.Close()
	return causeIn(group)
}

func causeIn(group *cgroups.Group) *ExitCause {
	cause := group.Cause()
	message := cause.String()
	if message == "" {
		return nil
	}
	return &ExitCause{Message: message, Cause: cause}
}

// keepCause puts the cause into the record before the cgroup that knows it is
// removed. Nobody but poststop hooks could still ask.
func (c *container) keepCause(group *cgroups.Group) {
	if !c.hasHooks("poststop") {
		return
	}
	cause := causeIn(group)
	if cause == nil { // or read already, by a delete that was killed
		return
	}
	c.record.ExitCause = cause
	if err := c.save(); err != nil {
		c.runtime.Log.Warnf("poststop hooks that run in a later delete will not learn of %q: %v", cause.Message, err)
	}
}

// tellCause warns of the part that limits had in the end of a container which
// was run in the foreground, and of which nothing remains to be asked.
func (c *container) tellCause(code int) {
	if code == 0 {
		return
	}
	if cause := c.exitCause(); cause != nil {
		c.runtime.Log.Warnf("container %s ended with exit code %d: %s", c.id, code, cause.Message)
	}
}
