package cgroups

import (
	"strings"

	"golang.org/x/sys/unix"
)

// Root is where every distribution mounts the cgroup file systems.
const Root = "/sys/fs/cgroup"

// Host is what is mounted, and where the caller itself is in it.
type Host struct {
	Mode Mode
	// Hierarchies has one entry per mounted version 1 hierarchy and, last, the
	// version 2 tree if there is one.
	Hierarchies []Hierarchy
}

// Hierarchy is one mounted tree of cgroups.
type Hierarchy struct {
	Controllers string // as in /proc/self/cgroup; empty for version 2
	Mount       string
	Own         string // the caller's cgroup, counted from the mount's root
	fd          int    // of Mount, O_PATH
}

// Detect looks at the usual mount places, and reads the host's mount table only
// when a hierarchy is not there. Nothing mounted is a Host with mode None, not
// an error. Close it when no Group will be made from it any more.
func Detect() (*Host, error) {
	text, err := readFile(unix.AT_FDCWD, "/proc/self/cgroup")
	if err != nil {
		return nil, pathErr("read", "/proc/self/cgroup", err)
	}
	return detect(parseMembership(text))
}

func detect(own []membership) (*Host, error) {
	h := &Host{Hierarchies: make([]Hierarchy, 0, len(own))}
	if path, ok := unifiedPath(own); ok && h.add(membership{"", path}, Root, 2) {
		h.Mode = V2
		return h, nil
	}
	var missing []membership
	for _, m := range own {
		if m.controllers != "" && !h.addUsual(m) {
			missing = append(missing, m)
		}
	}
	if path, ok := unifiedPath(own); ok && !h.add(membership{"", path}, Root+"/unified", 2) && len(h.Hierarchies) == 0 {
		missing = append(missing, membership{"", path}) // beside version 1 it may well be unmounted
	}
	if len(missing) > 0 {
		if err := h.addUnusual(missing); err != nil {
			return nil, err
		}
	}
	h.Mode = h.mode()
	return h, nil
}

func (h *Host) mode() Mode {
	switch n := len(h.Hierarchies); {
	case n == 0:
		return None
	case h.Hierarchies[n-1].Controllers != "":
		return V1
	case n == 1:
		return V2
	}
	return Hybrid
}

// addUsual tries /sys/fs/cgroup/cpu,cpuacct and then, as the order of the
// names is not fixed, the symbolic link /sys/fs/cgroup/cpu.
func (h *Host) addUsual(m membership) bool {
	name := strings.TrimPrefix(m.controllers, "name=")
	if h.add(m, Root+"/"+name, 1) {
		return true
	}
	first, _, several := strings.Cut(name, ",")
	return several && h.add(m, Root+"/"+first, 1)
}

// add enters a hierarchy if its mount point is a cgroup file system.
func (h *Host) add(m membership, mount string, want int) bool {
	fd, version := openRoot(mount)
	if version != want {
		closeFD(fd)
		return false
	}
	h.Hierarchies = append(h.Hierarchies, Hierarchy{m.controllers, mount, m.path, fd})
	return true
}

func openRoot(path string) (fd, version int) {
	fd, err := openDir(unix.AT_FDCWD, path)
	if err != nil {
		return -1, 0
	}
	return fd, cgroupVersion(fd)
}

// Close releases the descriptors. Groups made from the Host have their own.
func (h *Host) Close() {
	for i := range h.Hierarchies {
		closeFD(h.Hierarchies[i].fd)
		h.Hierarchies[i].fd = -1
	}
}

func closeFD(fd int) {
	if fd >= 0 {
		_ = unix.Close(fd) // only read from, or O_PATH: nothing can be lost
	}
}
