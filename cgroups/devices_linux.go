package cgroups

import (
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
)

// restrictDevices applies a device policy: by the version 1 controller where it
// is mounted, else by a program on the version 2 cgroup, which needs no
// controller. A policy that allows everything is not written into a new cgroup:
// it is what a new cgroup has, or less if its parent has less, which writing
// cannot change. asked: the config has rules of its own, so that it is an error
// when they cannot be applied.
func (g *Group) restrictDevices(d *deviceRules, asked bool) error {
	t := g.legacy("devices")
	if t == nil {
		t = g.unified()
	}
	if t == nil {
		if asked && !g.lenient {
			return g.noController(&controller{name1: "devices", field: deviceField(ours)})
		}
		return nil
	}
	if d.everything() && !t.old {
		return nil
	}
	err := t.applyDevices(d)
	if g.lenient && errors.Is(err, unix.EPERM) {
		return nil // who may not restrict devices may not make device nodes either
	}
	return err
}

func (t *tree) applyDevices(d *deviceRules) error {
	if t.Controllers == "" {
		return t.deviceProgram(d)
	}
	settings, err := d.settings()
	if err != nil {
		return err
	}
	return t.writeDevices(settings)
}

// changeDevices replaces the policy of a cgroup in use.
func (g *Group) changeDevices(d *deviceRules) error {
	t := g.legacy("devices")
	if t == nil {
		return g.restrictDevices(d, true)
	}
	exceptions, err := d.exceptions()
	if err != nil {
		return err
	}
	old, ok := parseDeviceList(t.now("devices.list"))
	switch {
	case !ok:
		return &diag.Error{Op: "understand", Path: t.Dir() + "/devices.list", Err: unix.EINVAL}
	case !old.allowAll && !d.allowAll:
		return t.writeDevices(transition(old.list, exceptions))
	}
	settings, err := d.settings()
	if err != nil {
		return err
	}
	// Between "allow all" and what is denied again there is a moment of more
	// than either policy allows, and nobody may run in it.
	if err := g.Freeze(freezeForDevices); err != nil {
		return err
	}
	err = t.writeDevices(settings)
	if thaw := g.Thaw(freezeForDevices); err == nil {
		err = thaw
	}
	return err
}

// freezeForDevices is how long a container may resist being stopped for the
// few microseconds that changing its device default takes.
const freezeForDevices = 2 * time.Second

// writeDevices writes the list through two descriptors instead of opening a
// file for each entry; the kernel takes one entry per write(2).
func (t *tree) writeDevices(settings []Setting) error {
	dir, err := t.open()
	if err != nil {
		return err
	}
	allow, err := openat(dir, "devices.allow", unix.O_WRONLY)
	if err != nil {
		return pathErr("open", t.Dir()+"/devices.allow", err)
	}
	defer unix.Close(allow)
	deny, err := openat(dir, "devices.deny", unix.O_WRONLY)
	if err != nil {
		return pathErr("open", t.Dir()+"/devices.deny", err)
	}
	defer unix.Close(deny)
	for i := range settings {
		fd := deny
		if settings[i].File == "devices.allow" {
			fd = allow
		}
		if err := writeAll(fd, settings[i].Value); err != nil {
			return t.explainDevice(&settings[i], err)
		}
	}
	return nil
}

func (t *tree) explainDevice(s *Setting, err error) error {
	e := &diag.Error{Field: s.Field, Op: "write " + s.Value + " to", Path: t.Dir() + "/" + s.File, Err: err, Code: "cgroup-device-refused"}
	switch {
	case err == unix.EPERM && s.File == "devices.allow":
		e.Hint = "a cgroup above does not allow it: " + t.above("devices.list")
	case err == unix.EINVAL && s.Value == "a":
		e.Hint = "the container has cgroups of its own below; version 1 cannot change the default then"
	}
	return e
}

// deviceProgram puts the policy's program on the version 2 cgroup. One that is
// there already is replaced in one step, so that no moment exists without a policy.
func (t *tree) deviceProgram(d *deviceRules) error {
	dir, err := t.open()
	if err != nil {
		return err
	}
	prog, err := loadProgram(d)
	if err != nil {
		return err
	}
	defer unix.Close(prog)
	// The kernel takes O_PATH descriptors for none of these calls.
	cgroup, err := openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return pathErr("open", t.Dir(), err)
	}
	defer unix.Close(cgroup)
	if t.old {
		return t.replaceProgram(cgroup, prog)
	}
	return t.attached(sys.ProgAttach(cgroup, prog, unix.BPF_CGROUP_DEVICE, unix.BPF_F_ALLOW_MULTI, -1))
}

// programName is by what bpftool(8), and we, know the program.
const programName = "oci_devices"

func loadProgram(d *deviceRules) (int, error) {
	code := encode(d.program(), binary.NativeEndian)
	fd, err := sys.ProgLoad(unix.BPF_PROG_TYPE_CGROUP_DEVICE, unix.BPF_CGROUP_DEVICE, code, "Apache-2.0", programName, nil)
	if err == nil {
		return fd, nil
	}
	e := &diag.Error{Field: deviceField(ours), Op: "load eBPF program", Err: err, Code: "cgroup-device-program"}
	switch err {
	case unix.EINVAL:
		e.Hint = "device control on cgroup v2 needs Linux 5.6 with CONFIG_CGROUP_BPF"
	case unix.EPERM:
		e.Hint = "needs CAP_BPF or CAP_SYS_ADMIN, and memory below RLIMIT_MEMLOCK before Linux 5.11"
	}
	return -1, e
}

// replaceProgram takes the place of our own program on the cgroup, if there is
// one. Those of others stay, systemd's among them: a device has to pass all.
func (t *tree) replaceProgram(cgroup, prog int) error {
	old, err := ourProgram(cgroup)
	if err != nil {
		return t.attached(err)
	}
	flags := uint32(unix.BPF_F_ALLOW_MULTI)
	if old >= 0 {
		defer unix.Close(old)
		flags |= unix.BPF_F_REPLACE
	}
	return t.attached(sys.ProgAttach(cgroup, prog, unix.BPF_CGROUP_DEVICE, flags, old))
}

// ourProgram opens the attached program that has our name; -1 if there is none.
func ourProgram(cgroup int) (int, error) {
	ids, err := sys.ProgQuery(cgroup, unix.BPF_CGROUP_DEVICE)
	if err != nil {
		return -1, err
	}
	for _, id := range ids {
		prog, err := sys.ProgByID(id)
		if err == unix.ENOENT {
			continue // detached meanwhile
		}
		if err != nil {
			return -1, err
		}
		name, err := sys.ProgName(prog)
		if err == nil && name == programName {
			return prog, nil
		}
		closeFD(prog)
		if err != nil {
			return -1, err
		}
	}
	return -1, nil
}

func (t *tree) attached(err error) error {
	if err == nil {
		return nil
	}
	return &diag.Error{Field: deviceField(ours), Op: "attach eBPF program to", Path: t.Dir(), Err: err, Code: "cgroup-device-program"}
}
