package cgroups

import (
	"os"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// addUnusual looks for hierarchies that are not at their usual place in the
// mount table. One that is mounted nowhere is left out: nothing can be done
// about it, and Create says so if a setting needs it.
func (h *Host) addUnusual(missing []membership) error {
	mounts, err := cgroupMounts()
	if err != nil {
		return err
	}
	for _, m := range missing {
		for _, mount := range mounts {
			want := 1
			if m.controllers == "" {
				want = 2
			}
			if serves(mount, m.controllers) && h.add(m, mount.Mountpoint, want) {
				break
			}
		}
	}
	return nil
}

// rebase finds the caller's cgroup below the mount point when only a part of
// the hierarchy is mounted there, as in a container without a cgroup
// namespace: the mount's root is a prefix of the path in /proc/self/cgroup.
func (h *Host) rebase(t *Hierarchy) error {
	mounts, err := cgroupMounts()
	if err != nil {
		return err
	}
	for _, mount := range mounts {
		if mount.Mountpoint != t.Mount {
			continue
		}
		if below, ok := strings.CutPrefix(t.Own, mount.Root); ok && (below == "" || below[0] == '/') {
			t.Own = "/" + strings.TrimPrefix(below, "/")
			return nil
		}
	}
	t.Own = "/"
	return nil
}

// serves reports whether a mount is the hierarchy with these controllers. The
// super options of a version 1 mount list them among others: "rw,cpu,cpuacct".
func serves(mount *mountinfo.Info, controllers string) bool {
	if controllers == "" {
		return mount.FSType == "cgroup2"
	}
	first, _, _ := strings.Cut(controllers, ",")
	return mount.FSType == "cgroup" && inList(mount.VFSOptions, first)
}

// cgroupMounts reads the cgroup mounts of the caller's mount namespace, newest
// first, since a later mount on the same place hides an earlier one.
func cgroupMounts() ([]*mountinfo.Info, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, &diag.Error{Op: "find cgroup mounts", Err: err}
	}
	defer f.Close()
	mounts, err := mountinfo.GetMountsFromReader(f, mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return nil, &diag.Error{Op: "read", Path: "/proc/self/mountinfo", Err: err}
	}
	for i, j := 0, len(mounts)-1; i < j; i, j = i+1, j-1 {
		mounts[i], mounts[j] = mounts[j], mounts[i]
	}
	return mounts, nil
}

func pathErr(op, path string, err error) error { return &diag.Error{Op: op, Path: path, Err: err} }

// exists reports whether path below the open directory is there. Only a clear
// "no" counts as no.
func exists(dir int, path string) bool {
	return unix.Faccessat(dir, path, unix.F_OK, 0) != unix.ENOENT
}
