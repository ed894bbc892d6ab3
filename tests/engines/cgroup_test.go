package engines

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ociruntime/tests/require"
	"ociruntime/tests/view"
)

// CgroupParent returns the path of a cgroup for all that an engine starts, and
// fails the test if anything is left in it when the world ends.
func (w *World) CgroupParent(t *testing.T) string {
	t.Helper()
	parent := "/" + view.Token() + "-" + filepath.Base(w.Dir)
	t.Cleanup(func() { removeParent(t, parent) })
	return parent
}

// removeParent removes the cgroup that an engine leaves, and complains about
// those below it. What podman has started to clean up gets the time to end.
func removeParent(t *testing.T, parent string) {
	var left []string
	for deadline := time.Now().Add(timeout); ; time.Sleep(20 * time.Millisecond) {
		left = removeOwned(parent)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("left behind: %s", strings.Join(left, " "))
			return
		}
	}
}

// removeOwned removes the cgroup and what the engine itself has made in it,
// and returns what is still there.
func removeOwned(parent string) (left []string) {
	for _, h := range view.Hierarchies() {
		top := filepath.Join(h.Point, parent)
		for _, dir := range slices.Backward(cgroupsBelow(top)) {
			if (dir != top && !engineOwned(dir)) || os.Remove(dir) != nil {
				left = append(left, dir)
			}
		}
	}
	return left
}

// engineOwned names those that the engines themselves make and leave: dockerd
// for BuildKit, podman for conmon.
func engineOwned(dir string) bool {
	name := filepath.Base(dir)
	return name == "buildkit" || name == "conmon"
}

// cgroupsBelow returns the directory and all below it, parents first.
func cgroupsBelow(top string) []string {
	var found []string
	_ = filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			found = append(found, path)
		}
		return nil
	})
	return found
}

// Cgroup returns the directory of the process's cgroup: the controller's on
// v1, else the one of cgroup2. The PID is the one seen in the world.
func (w *World) Cgroup(t testing.TB, pid, controller string) string {
	t.Helper()
	require.Controller(t, controller)
	dirs, err := view.CgroupDirs(strconv.Itoa(w.pid) + "/root/proc/" + pid)
	check(t, err)
	if dir, ok := dirs[controller]; ok && controller != "" {
		return dir
	}
	return dirs[""]
}

// Setting reads the file of the process's cgroup, by its name on v1 or on v2.
func (w *World) Setting(t testing.TB, pid, controller, v1, v2 string) string {
	t.Helper()
	dir := w.Cgroup(t, pid, controller)
	file := v2
	if view.HasControllerV1(controller) {
		file = v1
	}
	text, err := os.ReadFile(filepath.Join(dir, file))
	check(t, err)
	return strings.TrimSpace(string(text))
}
