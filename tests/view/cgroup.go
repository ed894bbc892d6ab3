package view

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Hierarchy is one mounted cgroup tree.
type Hierarchy struct {
	Point   string   // mount point
	Unified bool     // cgroup2
	Names   []string // v1: the names in /proc/PID/cgroup: "memory", "name=systemd"
}

// Hierarchies returns the cgroup trees mounted in this view.
func Hierarchies() []Hierarchy {
	mounts, _ := Mounts("/proc/self/mountinfo")
	var found []Hierarchy
	for _, m := range mounts {
		switch {
		case !Within(m.Point, "/sys/fs/cgroup"):
		case m.Type == "cgroup2":
			found = append(found, Hierarchy{Point: m.Point, Unified: true})
		case m.Type == "cgroup":
			found = append(found, Hierarchy{Point: m.Point, Names: m.Super})
		}
	}
	return found
}

// HasControllerV1 tells whether a v1 hierarchy has the controller ("memory").
func HasControllerV1(name string) bool {
	return slices.ContainsFunc(Hierarchies(), func(h Hierarchy) bool { return slices.Contains(h.Names, name) })
}

// HasControllerV2 tells whether the cgroup2 tree has the controller.
func HasControllerV2(name string) bool {
	for _, h := range Hierarchies() {
		list, _ := os.ReadFile(filepath.Join(h.Point, "cgroup.controllers"))
		if h.Unified && slices.Contains(strings.Fields(string(list)), name) {
			return true
		}
	}
	return false
}

// CgroupDirs returns the directories of all cgroups the process is in, by the
// name of the hierarchy: a v1 controller ("memory"), or "" for cgroup2.
func CgroupDirs(pid string) (map[string]string, error) {
	text, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil {
		return nil, err
	}
	dirs, trees := map[string]string{}, Hierarchies()
	for line := range strings.Lines(string(text)) {
		// 4:cpu,cpuacct:/path on v1, 0::/path on v2, cgroups(7)
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		for name := range strings.SplitSeq(parts[1], ",") {
			for _, h := range trees {
				if h.Unified && name == "" || slices.Contains(h.Names, name) {
					dirs[name] = filepath.Join(h.Point, parts[2])
				}
			}
		}
	}
	return dirs, nil
}

// CgroupsNamed returns every directory below /sys/fs/cgroup with the text in
// its name or in the name of a parent. Plain directories on the tmpfs that v1
// hierarchies are mounted on count too: a runtime that does not check what it
// writes to makes such.
func CgroupsNamed(text string) []string {
	var found []string
	worth := worthALook()
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || !entry.IsDir():
			return nil // a cgroup that vanished meanwhile is no concern
		case strings.Contains(path, text):
			found = append(found, path)
		case !worth(path):
			return fs.SkipDir
		}
		return nil
	})
	return found
}

// worthALook returns which directories can have cgroups of tests below them:
// the mount points, the way down to our own cgroup, and systemd's slices, also
// those of users. A busy host has thousands of others.
func worthALook() func(dir string) bool {
	own, _ := CgroupDirs("self")
	return func(dir string) bool {
		if dir == "/sys/fs/cgroup" || filepath.Dir(dir) == "/sys/fs/cgroup" || strings.HasSuffix(dir, ".slice") || strings.HasPrefix(filepath.Base(dir), "user@") {
			return true
		}
		for _, mine := range own {
			if Within(mine, dir) {
				return true
			}
		}
		return false
	}
}

// RemoveCgroups removes the cgroups whose name holds the text, children first,
// and returns those it found.
func RemoveCgroups(text string) []string {
	found := CgroupsNamed(text)
	for _, dir := range slices.Backward(found) {
		if isTmpfs(dir) {
			_ = os.RemoveAll(dir) // plain files: rmdir(2) alone would not do
			continue
		}
		_ = os.Remove(dir)
	}
	return found
}

func isTmpfs(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) == nil && fs.Type == unix.TMPFS_MAGIC
}

func isCgroup2(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC
}
