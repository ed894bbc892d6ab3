package libcontainer

import (
	"errors"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/cgroups"
	"ociruntime/cgroups/systemd"
	"ociruntime/internal/diag"
	"ociruntime/libcontainer/intelrdt"
	"ociruntime/spec"
)

// Update changes the limits of a container that has not stopped: either all of
// them, or none. What resources and rdt do not mention, or mention as zero,
// stays. rdt may be nil.
func (r *Runtime) Update(id string, resources *specs.LinuxResources, rdt *specs.LinuxIntelRdt) error {
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
	undo, err := c.updateIntelRdt(rdt)
	if err != nil {
		return err
	}
	if err := c.updateCgroup(resources); err != nil {
		undo()
		return err
	}
	return nil
}

// updateCgroup changes the limits of the cgroup, and of its unit if systemd
// owns it: else the next daemon-reload would bring the old ones back.
func (c *container) updateCgroup(resources *specs.LinuxResources) error {
	group := c.cgroup()
	defer group.Close()
	if group.Mode() == cgroups.None {
		return &diag.Error{Path: c.id, Err: cgroups.ErrNoCgroup}
	}
	unit, ok := systemd.Of(c.Cgroup)
	if !ok {
		return group.Set(resources)
	}
	resources = completed(resources, group)
	properties, err := unitProperties(resources, group.Mode() == cgroups.V2, false)
	if err != nil {
		return err
	}
	return group.SetAnd(resources, func() error { return unit.Set(properties, c.runtime.timeout()) })
}

// completed adds to a quota the present period, and the reverse: systemd wants to
// know how much of a second they are, and writes both files anew, rounded.
func completed(r *specs.LinuxResources, group *cgroups.Group) *specs.LinuxResources {
	zero := func(n *int64) bool { return n == nil || *n == 0 }
	if r.CPU == nil || zero(r.CPU.Quota) == (r.CPU.Period == nil || *r.CPU.Period == 0) {
		return r // both or none
	}
	quota, period := group.Bandwidth()
	all, cpu := *r, *r.CPU
	if zero(cpu.Quota) {
		cpu.Quota = &quota
	} else {
		cpu.Period = &period
	}
	all.CPU = &cpu
	return &all
}

// updateIntelRdt changes the schemata of the container's group.
func (c *container) updateIntelRdt(rdt *specs.LinuxIntelRdt) (undo func(), err error) {
	if rdt == nil {
		return func() {}, nil
	}
	if c.IntelRdt == nil {
		return nil, &diag.Error{Field: "linux.intelRdt", Err: errors.New("the container was created without it"), Code: "intelrdt"}
	}
	root, err := intelrdt.Root()
	if err != nil {
		return nil, err
	}
	return c.IntelRdt.Update(root, rdt)
}
