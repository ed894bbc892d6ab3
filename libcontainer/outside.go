package libcontainer

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/cgroups"
	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
	"ociruntime/libcontainer/criu"
)

// What of a container belongs to the outside, and so is not in its images but
// looked for anew by a restore: sources of bind mounts, namespaces of others,
// stdio. CRIU tells by names, which are runc's here, so that either runtime can
// restore what the other has dumped.

// outsideName is that of a namespace that CRIU can leave out, and since when; or
// "".
func outsideName(t specs.LinuxNamespaceType) (name string, since criu.Version) {
	switch t {
	case specs.NetworkNamespace:
		return "extRootNetNS", 31100
	case specs.PIDNamespace:
		return "extRootPidNS", 31500
	}
	return "", 0
}

// criuConfigs are configuration files of CRIU's for containers; runc's too, as
// it is what administrators have.
var criuConfigs = [...]string{"/etc/criu/runtime.conf", "/etc/criu/runc.conf"}

const annotationCriuConfig = "org.criu.config"

// criuConfig is the configuration file that has the last word, or "".
func criuConfig(annotations map[string]string, needs *[]need) string {
	if path, ok := annotations[annotationCriuConfig]; ok {
		*needs = append(*needs, need{31100, "the annotation " + annotationCriuConfig})
		return path
	}
	for _, path := range criuConfigs {
		if unix.Access(path, unix.R_OK) == nil {
			return path
		}
	}
	return ""
}

func (c *container) criuConfig(needs *[]need) string { return criuConfig(c.Annotations, needs) }

// planOutside finds out what of a running container belongs to the outside.
func (d *dumping) planOutside(config *specs.Spec, c *container) error {
	proc := "/proc/" + strconv.Itoa(c.Pid)
	if config.Linux != nil {
		for i, n := range config.Linux.Namespaces {
			if err := d.planNamespace(i, n, proc); err != nil {
				return err
			}
		}
	}
	root, err := unix.Open(proc+"/root", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return &diag.Error{Op: "open", Path: proc + "/root", Err: err}
	}
	defer unix.Close(root)
	for _, path := range outsideMounts(config, c) {
		if inside, ok := resolveInside(root, path, ""); ok {
			d.Mounts = append(d.Mounts, criu.Mount{Destination: inside})
		}
	}
	for _, place := range c.Cgroup.Places {
		if place.Has("freezer") {
			d.Freezer, d.freezerV1 = place.Dir(), true
		} else if place.Controllers == "" && d.Freezer == "" {
			d.Freezer = place.Dir()
		}
	}
	return d.planStdio(proc)
}

// planNamespace tells CRIU of a namespace that is not the container's own.
func (d *dumping) planNamespace(i int, n specs.LinuxNamespace, proc string) error {
	if n.Path == "" {
		return nil
	}
	name, since := outsideName(n.Type)
	if name == "" {
		return checkJoinable(i, n) // is dumped; a restore may join another
	}
	file := proc + "/ns/" + string(namespaceType(n.Type))
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return &diag.Error{Op: "stat", Path: file, Err: err}
	}
	d.External = append(d.External, string(namespaceType(n.Type))+"["+strconv.FormatUint(st.Ino, 10)+"]:"+name)
	d.needs = append(d.needs, need{since, "a " + string(n.Type) + " namespace by path"})
	return nil
}

// checkJoinable refuses namespaces by path that CRIU knows no way into.
func checkJoinable(i int, n specs.LinuxNamespace) error {
	switch n.Type {
	case specs.MountNamespace, specs.CgroupNamespace:
		return &diag.Error{Field: indexed("linux.namespaces", i) + ".path", Path: n.Path, Code: "criu-unsupported",
			Err: errors.New("CRIU cannot restore a process into an existing " + string(n.Type) + " namespace")}
	}
	return nil
}

// outsideMounts lists where mounts are that show what is not the container's.
func outsideMounts(config *specs.Spec, c *container) []string {
	var list []string
	for i := range config.Mounts {
		switch m := &config.Mounts[i]; {
		case isBind(m):
			list = append(list, m.Destination)
		case m.Type == "cgroup" || m.Type == "cgroup2":
			for _, view := range cgroupMounts(m.Destination, c.Cgroup) {
				list = append(list, view.Destination)
			}
		}
	}
	if config.Linux != nil {
		for _, device := range config.Linux.Devices {
			list = append(list, device.Path) // bound, where nodes cannot be made
		}
	}
	return list
}

// isBind follows config.md#mounts.
func isBind(m *specs.Mount) bool {
	if m.Type == "bind" {
		return true
	}
	for _, option := range m.Options {
		if option == "bind" || option == "rbind" {
			return true
		}
	}
	return false
}

// cgroupMounts are the mounts behind one of type cgroup: a directory of the
// host's tree, or a tmpfs with one per hierarchy.
func cgroupMounts(destination string, at cgroups.Location) []criu.Mount {
	var list []criu.Mount
	legacy := false
	for _, place := range at.Places {
		legacy = legacy || place.Controllers != ""
	}
	for _, place := range at.Places {
		m := criu.Mount{Destination: destination, Source: place.Dir()}
		switch {
		case place.Controllers != "":
			m.Destination += "/" + strings.TrimPrefix(place.Controllers, "name=")
		case legacy:
			m.Destination += "/unified"
		}
		list = append(list, m)
	}
	return list
}

// resolveInside returns path as it is below root once all links are followed.
// outside is the root's own path for us, or "" where the root is of another
// mount namespace.
func resolveInside(root int, path, outside string) (string, bool) {
	fd, err := unix.Openat2(root, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return "", false
	}
	defer unix.Close(fd)
	real, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return "", false
	}
	inside, ok := strings.CutPrefix(real, strings.TrimSuffix(outside, "/"))
	return inside, ok && inside != ""
}

// planStdio finds criu's names of stdin, stdout and stderr. A file that is not
// in the container, such as the engine's log, is left out by number.
func (d *dumping) planStdio(proc string) error {
	mounts, err := os.ReadFile(proc + "/mountinfo")
	if err != nil {
		return &diag.Error{Op: "read", Path: proc + "/mountinfo", Err: bareError(err)}
	}
	for i := range d.stdio {
		d.stdio[i], _ = os.Readlink(proc + "/fd/" + strconv.Itoa(i)) // "": closed
		if name := outsideFile(proc, i, string(mounts)); name != "" {
			d.stdio[i] = name
			d.leaveOut(name)
		}
	}
	open, err := os.ReadDir(proc + "/fd")
	if err != nil {
		return &diag.Error{Op: "read", Path: proc + "/fd", Err: bareError(err)}
	}
	for _, entry := range open {
		if fd, _ := strconv.Atoi(entry.Name()); fd > 2 {
			d.planSaved(outsideFile(proc, fd, string(mounts)))
		}
	}
	return nil
}

// planSaved takes an open file of the outside with another number for the one
// of stdio that is redirected at this moment: a shell keeps it so while a builtin
// command writes elsewhere.
func (d *dumping) planSaved(name string) {
	if name == "" || slices.Contains(d.External, name) {
		return
	}
	d.leaveOut(name)
	for _, i := range [...]int{1, 2, 0} {
		if strings.HasPrefix(d.stdio[i], "/") {
			d.stdio[i] = name
			return
		}
	}
}

// leaveOut has CRIU not dump what it knows by this name.
func (d *dumping) leaveOut(name string) {
	if !slices.Contains(d.External, name) {
		d.External = append(d.External, name)
	}
}

// outsideFile is criu's name of an open file whose mount is none of mounts, as
// mountinfo lists them; "" for others. Terminals have ways of their own.
func outsideFile(proc string, fd int, mounts string) string {
	number := strconv.Itoa(fd)
	if link, err := os.Readlink(proc + "/fd/" + number); err != nil || !strings.HasPrefix(link, "/") {
		return "" // a pipe, a socket, or such
	}
	var st unix.Stat_t
	if unix.Stat(proc+"/fd/"+number, &st) != nil || isTerminalDevice(&st) {
		return ""
	}
	var buf [1024]byte
	info, _ := sys.ReadSmall(proc+"/fdinfo/"+number, buf[:])
	for line := range strings.Lines(string(info)) {
		id, ok := strings.CutPrefix(line, "mnt_id:")
		if !ok {
			continue
		}
		id = strings.TrimSpace(id)
		if strings.HasPrefix(mounts, id+" ") || strings.Contains(mounts, "\n"+id+" ") {
			return ""
		}
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return ""
		}
		return "file[" + strconv.FormatUint(n, 16) + ":" + strconv.FormatUint(st.Ino, 16) + "]"
	}
	return ""
}

// isTerminalDevice: majors of Documentation/admin-guide/devices.txt.
func isTerminalDevice(st *unix.Stat_t) bool {
	if st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return false
	}
	major := unix.Major(st.Rdev)
	return major == 4 || major == 5 || major >= 136 && major <= 143
}
