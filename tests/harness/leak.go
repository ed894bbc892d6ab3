package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/tests/view"
)

// leakGrace is how long something may take to vanish on its own: a killed
// process that is still dying, a cgroup the kernel still considers busy.
const leakGrace = 2 * time.Second

// checkLeaks fails the test for each thing that carries its name and is still
// there: processes, mounts, cgroups, state. What it finds it also removes, as
// far as it can, so that one leak fails one test.
func (e *Env) checkLeaks() {
	e.T.Helper()
	var left []string
	_ = Eventually(leakGrace, func() bool {
		left = e.Leftovers()
		return len(left) == 0
	})
	for _, what := range left {
		e.T.Errorf("left behind: %s", what)
	}
	if len(left) > 0 {
		e.clean()
	}
}

// Leftovers describes everything of this test that exists on the host right
// now, containers that are still meant to be there included.
func (e *Env) Leftovers() []string {
	view.ReapOrphans()
	var left []string
	for _, pid := range e.Processes() {
		left = append(left, "process "+view.Describe(pid))
	}
	mounts, _ := view.Mounts("/proc/self/mountinfo")
	for _, m := range mounts {
		if (view.Within(m.Point, e.Dir) || strings.Contains(m.Root, e.token+"-")) && !slices.Contains(e.mounts, m.Point) {
			left = append(left, fmt.Sprintf("mount %s at %s", m.Type, m.Point))
		}
	}
	for _, dir := range view.CgroupsNamed(e.token + "-") {
		left = append(left, "cgroup "+dir)
	}
	entries, _ := os.ReadDir(e.Root)
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".@") { // no id has one: a cache, which may stay
			left = append(left, "state "+filepath.Join(e.Root, entry.Name()))
		}
	}
	return left
}

// clean removes by force what the runtime under test left.
func (e *Env) clean() {
	for _, pid := range e.Processes() {
		_ = unix.Kill(pid, unix.SIGKILL) // it may be gone already
	}
	_ = view.Unmount(func(m view.Mount) bool { return view.Within(m.Point, e.Dir) })
	_ = Eventually(leakGrace, func() bool { return len(view.RemoveCgroups(e.token+"-")) == 0 })
}

// Processes returns the live processes of this test.
func (e *Env) Processes() []int {
	return slices.DeleteFunc(view.Processes(), func(pid int) bool {
		return !view.Alive(pid) || slices.Contains(e.holders, pid) || !e.owns(pid)
	})
}

// owns recognises a process of this test: one that runs in a cgroup named
// after it, has one of its root file systems as "/", or was given its mark in
// the environment by Command.
func (e *Env) owns(pid int) bool {
	proc := "/proc/" + pidString(pid)
	if cgroup, _ := os.ReadFile(proc + "/cgroup"); strings.Contains(string(cgroup), e.token+"-") {
		return true
	}
	if environ, _ := os.ReadFile(proc + "/environ"); strings.Contains(string(environ), tokenEnv+"="+e.token+"\x00") {
		return true
	}
	var root unix.Stat_t
	if unix.Stat(proc+"/root/.", &root) != nil {
		return false
	}
	return slices.Contains(e.roots, inode{root.Dev, root.Ino})
}

// inode names a file across bind mounts and mount namespaces.
type inode struct{ dev, ino uint64 }

// removeTree deletes dir unless something is still mounted in it: what a
// broken runtime has bound there from the host must survive.
func removeTree(dir string) error {
	mounts, err := view.Mounts("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if view.Within(m.Point, dir) {
			return errors.New("not removed, still mounted: " + m.Point)
		}
	}
	return os.RemoveAll(dir)
}
