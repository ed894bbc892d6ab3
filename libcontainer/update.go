package libcontainer

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/cgroups"
	"ociruntime/cgroups/systemd"
	"ociruntime/internal/diag"
	"ociruntime/spec"
)

// Update changes the limits of a container that has not stopped: either all of
// them, or none. What resources does not mention, or mentions as zero, stays.
func (r *Runtime) Update(id string, resources *specs.LinuxResources) error {
	if err := spec.ValidateResources("", resources); err != nil {
		return err
	}
	c, err := r.loadLocked(id)
	if err != nil {
		return err
	}
	defer c.close()
	status, err := c.status()
	if err != nil {
		return err
	}
	if status == Stopped || status == Creating {
		return &diag.Error{Path: id, Err: ErrNotRunning, Hint: "it is " + string(status), Code: "not-running"}
	}
	group := cgroups.Load(c.Cgroup)
	defer group.Close()
	if group.Mode() == cgroups.None {
		return &diag.Error{Path: id, Err: cgroups.ErrNoCgroup, Code: "no-cgroup"}
	}
	unit, ok := systemd.Of(c.Cgroup)
	if !ok {
		return group.Set(resources)
	}
	properties, err := unitProperties(resources, group.Mode() == cgroups.V2, false)
	if err != nil {
		return err
	}
	return group.SetAnd(resources, func() error { return unit.Set(properties, r.timeout()) })
}
