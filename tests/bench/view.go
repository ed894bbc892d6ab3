package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const cgroupMount = "/sys/fs/cgroup"

// canShow says whether a host of that layout can show the view in a mount namespace.
func canShow(layout, view string) bool {
	switch view {
	case "v1":
		return layout != "v2"
	case "hybrid":
		return layout == "hybrid"
	default:
		return true
	}
}

// enterView changes the cgroup mounts of this process's own mount namespace.
func enterView(view string) error {
	layout := hostLayout()
	switch {
	case !canShow(layout, view):
		return fmt.Errorf("a host whose cgroups are %s cannot show the view %s", layout, view)
	case view == layout, layout == "v2":
		return nil
	case view == "v1":
		return onlyV1()
	default:
		return onlyV2(layout)
	}
}

// hostLayout is v1, hybrid or v2, by what is mounted in this mount namespace.
func hostLayout() string {
	switch {
	case filesystem(cgroupMount) == unix.CGROUP2_SUPER_MAGIC:
		return "v2"
	case filesystem(cgroupMount+"/unified") == unix.CGROUP2_SUPER_MAGIC:
		return "hybrid"
	default:
		return "v1"
	}
}

func filesystem(path string) int64 {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return 0
	}
	return int64(st.Type)
}

// aside is where mounts wait while /sys/fs/cgroup is taken apart.
const aside = "/mnt"

// onlyV1 gives the namespace a tmpfs of its own with the v1 hierarchies in it. Unmounting
// cgroup2 would leave its directory, which some runtimes take for a hierarchy.
func onlyV1() error {
	if err := unix.Mount("ocibench", aside, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	entries, err := os.ReadDir(cgroupMount)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := moveAside(e); err != nil {
			return fmt.Errorf("%s/%s: %w", cgroupMount, e.Name(), err)
		}
	}
	return replaceCgroupMount()
}

func moveAside(e os.DirEntry) error {
	from, to := filepath.Join(cgroupMount, e.Name()), filepath.Join(aside, e.Name())
	if e.Type()&os.ModeSymlink != 0 { // cpu -> cpu,cpuacct
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	if filesystem(from) != unix.CGROUP_SUPER_MAGIC {
		return nil
	}
	if err := os.Mkdir(to, 0o755); err != nil {
		return err
	}
	return unix.Mount(from, to, "", unix.MS_BIND, "")
}

// replaceCgroupMount puts what is mounted aside in the place of all cgroup mounts.
func replaceCgroupMount() error {
	if err := unix.Unmount(cgroupMount, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", cgroupMount, err)
	}
	return unix.Mount(aside, cgroupMount, "", unix.MS_MOVE, "")
}

// onlyV2 puts cgroup2 where v1 was. It moves the mount that the host already has, because
// a fresh one could change the flags (nsdelegate and such) that all cgroup2 mounts share.
func onlyV2(layout string) error {
	if layout == "v1" {
		if err := unix.Mount("cgroup2", aside, "cgroup2", 0, ""); err != nil {
			return err
		}
	} else if err := unix.Mount(cgroupMount+"/unified", aside, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s/unified: %w", cgroupMount, err)
	}
	return replaceCgroupMount()
}

// hierarchies lists the cgroup mounts below /sys/fs/cgroup: v1 names, and whether
// cgroup2 is there too (at "unified" or, with no names, at the top).
func hierarchies() (v1 []string, v2 string, err error) {
	if filesystem(cgroupMount) == unix.CGROUP2_SUPER_MAGIC {
		return nil, cgroupMount, nil
	}
	entries, err := os.ReadDir(cgroupMount)
	if err != nil {
		return nil, "", err
	}
	for _, e := range entries {
		path := filepath.Join(cgroupMount, e.Name())
		switch {
		case !e.IsDir(): // a link such as cpu -> cpu,cpuacct
		case filesystem(path) == unix.CGROUP_SUPER_MAGIC:
			v1 = append(v1, e.Name())
		case filesystem(path) == unix.CGROUP2_SUPER_MAGIC:
			v2 = path
		}
	}
	return v1, v2, nil
}

// makeParentCgroup makes the cgroup that all containers are put below, ready to take them,
// so that no runtime has to do it and none finds it done by another.
func makeParentCgroup(name string) (paths []string, err error) {
	v1, v2, err := hierarchies()
	if err != nil {
		return nil, err
	}
	for _, controller := range v1 {
		top := filepath.Join(cgroupMount, controller)
		paths = append(paths, filepath.Join(top, name))
		if err := os.MkdirAll(filepath.Join(top, name), 0o755); err != nil {
			return paths, err
		}
		if err := inheritCpuset(top, name); err != nil {
			return paths, err
		}
	}
	if v2 == "" {
		return paths, nil
	}
	paths = append(paths, filepath.Join(v2, name))
	return paths, delegate(v2, name)
}

func inheritCpuset(top, name string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(top, file))
		if err != nil {
			continue // another controller
		}
		if err := os.WriteFile(filepath.Join(top, name, file), value, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// delegate enables in name/ all controllers that the cgroup2 root has enabled or can enable.
func delegate(v2, name string) error {
	if err := os.MkdirAll(filepath.Join(v2, name), 0o755); err != nil {
		return err
	}
	list, err := os.ReadFile(filepath.Join(v2, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, controller := range strings.Fields(string(list)) {
		for _, dir := range []string{v2, filepath.Join(v2, name)} {
			err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// removeCgroups kills what is left below the given cgroups and removes them, children first.
func removeCgroups(paths []string) {
	for _, top := range paths {
		// Again and again: a command that was under way may still make one.
		_ = eventually(func() error {
			_ = removeChildren(top)
			return rmdir(top)
		})
	}
}

// removeChildren does so with the cgroups one below, and returns those that it found.
func removeChildren(top string) []string {
	var found []string
	children, _ := filepath.Glob(top + "/*/cgroup.procs")
	for _, procs := range children {
		found = append(found, filepath.Dir(procs))
		killAll(procs)
		_ = removeDir(filepath.Dir(procs))
	}
	return found
}

func killAll(procs string) {
	list, _ := os.ReadFile(procs)
	for _, word := range bytes.Fields(list) {
		if pid, err := strconv.Atoi(string(word)); err == nil && pid > 1 {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// removeDir removes a cgroup, waiting a while for killed processes to leave it.
func removeDir(path string) error {
	return eventually(func() error { return rmdir(path) })
}

// rmdir removes a cgroup that may be gone already.
func rmdir(path string) error {
	reapAll()
	if err := unix.Rmdir(path); err != unix.ENOENT {
		return err
	}
	return nil
}

// addHostMounts binds directories of dir onto themselves until the namespace has count
// mounts, and returns how many it has then.
func addHostMounts(dir string, count int) (int, error) {
	have, err := countMounts()
	if err != nil {
		return 0, err
	}
	for i := have; i < count; i++ {
		target := filepath.Join(dir, strconv.Itoa(i))
		if err := os.MkdirAll(target, 0o755); err != nil {
			return 0, err
		}
		if err := unix.Mount(target, target, "", unix.MS_BIND, ""); err != nil {
			return 0, fmt.Errorf("host mount %d: %w", i, err)
		}
	}
	return countMounts()
}

func countMounts() (int, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	return bytes.Count(data, []byte("\n")), err
}
