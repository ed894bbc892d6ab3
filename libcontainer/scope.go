package libcontainer

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/cgroups"
	"ociruntime/cgroups/systemd"
)

// scope is the systemd unit that owns the cgroup of a container in creation,
// with --systemd-cgroup.
type scope struct {
	systemd.Unit
	limits    []systemd.Property
	annotated []systemd.Property
}

// nameScope decides which unit the container's cgroup belongs to, and what its
// properties are. cgroupsPath has systemd's form, "slice:prefix:name".
func (b *birth) nameScope(host *cgroups.Host) (err error) {
	s := &scope{}
	if s.Unit, err = systemd.Parse(b.linux().CgroupsPath, b.id, b.rootless); err != nil {
		return err
	}
	unified := host.Mode == cgroups.V2
	if s.limits, err = unitProperties(b.linux().Resources, unified, !s.User); err != nil {
		return err
	}
	if s.annotated, err = systemd.FromAnnotations(b.config.Annotations); err != nil {
		return err
	}
	b.scope = s
	b.group, err = host.NewScope(s.Path(), s.Name, s.User, cgroups.Options{Lenient: s.User})
	return err
}

// unitProperties are the limits as systemd knows them, so that a daemon-reload
// does not undo them. A user manager may not restrict devices.
func unitProperties(r *specs.LinuxResources, unified, devices bool) ([]systemd.Property, error) {
	properties, err := systemd.Properties(r, unified)
	if err != nil || !devices || r == nil {
		return properties, err
	}
	rules, _, err := systemd.Devices(r.Devices) // the cgroup has its own list too, which is exact
	return append(properties, rules...), err
}

// startScope has systemd make the unit with the stage in it, then sets what
// systemd does not know.
func (b *birth) startScope() error {
	properties := b.scope.annotated
	if !b.limitedLate {
		properties = slices.Concat(b.scope.limits, properties)
	}
	if err := b.scope.Start(b.stage.Pid, b.id, properties, b.runtime.timeout()); err != nil {
		return err
	}
	if err := b.group.Adopt(b.stage.Pid); err != nil {
		return err
	}
	if b.limitedLate {
		return b.group.Make(b.resources())
	}
	return b.group.Create(b.resources())
}

// stopScope has systemd forget the unit that owns the cgroup, if one does. Before
// the cgroup was taken, or if it is not ours by its mark, a unit of that name may be
// another's; then it is only stopped if it is what remains of a create that was
// killed, with nobody in it: the stage ends without its parent.
func (c *container) stopScope(ours bool) error {
	unit, ok := systemd.Of(c.Cgroup)
	if !ok {
		return nil
	}
	if c.Cgroup.Taken && ours {
		return unit.Stop(c.runtime.timeout())
	}
	if err := unit.StopEmpty(c.runtime.timeout()); err != nil {
		c.runtime.Log.Debugf("%v", err) // where there is no systemd, nothing remains of its
	}
	return nil
}
