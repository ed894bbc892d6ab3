package cgroups

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Create is Make and Limit: what is needed before a first process may run freely.
func (g *Group) Create(r *specs.LinuxResources) error {
	if err := g.Make(r); err != nil {
		return err
	}
	return g.Limit(r)
}

// Make makes the cgroup in every hierarchy and gives it the controllers that r
// needs. What exists already is used as it is, if it is neither frozen nor
// holds processes. A process may enter afterwards (Join), though nothing is
// limited before Limit. After an error everything is as before the call. r may
// be nil, here and elsewhere.
func (g *Group) Make(r *specs.LinuxResources) error {
	if r == nil {
		r = &specs.LinuxResources{}
	}
	if err := g.make(r); err != nil {
		g.undo()
		return err
	}
	g.taken = true
	g.sign()
	return nil
}

func (g *Group) make(r *specs.LinuxResources) error {
	if err := g.makeTrees(r); err != nil {
		return err
	}
	if err := g.checkFit(); err != nil {
		return err
	}
	if t := g.unified(); t != nil {
		if err := g.enable(t, r); err != nil {
			return err
		}
	}
	if t := g.legacy("cpuset"); t != nil {
		return t.fillCpuset(r.CPU)
	}
	return nil
}

// Limit writes the settings and the device policy of a cgroup just made. It may
// run in a goroutine while another clones the first process into what Join
// returned, as long as that process waits for it. After an error the cgroup is
// removed, unless a process has entered it; then that is left to Kill and Remove.
func (g *Group) Limit(r *specs.LinuxResources) error {
	if g.disabled {
		return nil
	}
	if r == nil {
		r = &specs.LinuxResources{}
	}
	if err := g.limit(r); err != nil {
		g.undo()
		return err
	}
	for i := range g.trees {
		g.trees[i].old = true
	}
	return nil
}

func (g *Group) limit(r *specs.LinuxResources) error {
	policy, err := compileDevices(r.Devices)
	if err != nil {
		return err
	}
	settings, err := g.settings(r, present)
	if err != nil {
		return err
	}
	g.late, settings = splitLate(g.mode, settings)
	if err := g.write(settings); err != nil {
		return err
	}
	return g.restrictDevices(policy, len(r.Devices) > 0)
}

// Settle writes what can only hold once the container's first process is
// inside. Call it after the clone and before the process runs on.
func (g *Group) Settle() error {
	late := g.late
	g.late = nil
	return g.write(late)
}

// splitLate keeps back a pids limit of zero on version 2: the kernel charges a
// clone into a cgroup against its limit, and would refuse the first process
// (EAGAIN). An attached process, as on version 1, is never refused.
func splitLate(mode Mode, settings []Setting) (late, now []Setting) {
	if mode != V2 {
		return nil, settings
	}
	for i, s := range settings {
		if s.File == "pids.max" && s.Value == "0" {
			return settings[i : i+1 : i+1], append(append([]Setting(nil), settings[:i]...), settings[i+1:]...)
		}
	}
	return nil, settings
}

// makeTrees makes the directories. A lenient Group leaves out the hierarchies
// in which it may not make one.
func (g *Group) makeTrees(r *specs.LinuxResources) error {
	kept := 0
	for i := range g.trees {
		t := &g.trees[i]
		err := t.make()
		if err != nil && (!g.lenient || !denied(err) || limited(r)) {
			return g.explainMake(t, err)
		}
		if err != nil {
			t.Made = 0
			closeFD(t.root)
			continue
		}
		g.trees[kept] = *t
		kept++
	}
	if g.trees = g.trees[:kept]; kept == 0 {
		g.mode = None
	}
	return nil
}

// make makes the cgroup, and those above it where they are missing.
func (t *tree) make() error {
	root, err := t.mount()
	if err != nil {
		return err
	}
	for range 3 { // an empty parent may be removed by another container's delete meanwhile
		err = t.makeBelow(root)
		if err != unix.ENOENT {
			return err
		}
	}
	return err
}

func (t *tree) makeBelow(root int) error {
	t.Made, t.old = 0, false
	switch err := unix.Mkdirat(root, below(t.Path), 0o755); err {
	case nil:
		t.Made = 1
		return nil
	case unix.EEXIST:
		t.old = true
		return nil
	case unix.ENOENT:
		return t.makeParents(root)
	default:
		return err
	}
}

// makeParents walks down from the mount point. Once one element is ours, all
// that follow are.
func (t *tree) makeParents(root int) error {
	for i := 1; i <= len(t.Path); i++ {
		if i < len(t.Path) && t.Path[i] != '/' {
			continue
		}
		switch err := unix.Mkdirat(root, t.Path[1:i], 0o755); err {
		case nil:
			t.Made++
		case unix.EEXIST:
			t.Made = 0
			t.old = i == len(t.Path)
		default:
			if t.Made > 0 { // counted from the end, as ever: those that are still missing too
				t.Made += 1 + strings.Count(t.Path[i:], "/")
			}
			return err
		}
	}
	return nil
}

// undo removes what Create made. The cgroups are empty, as nobody has been told of them.
func (g *Group) undo() {
	for i := len(g.trees) - 1; i >= 0; i-- {
		t := &g.trees[i]
		if t.root >= 0 {
			t.removeEmpty()
		}
	}
}

// removeEmpty removes the Made last elements of the path as far as they are empty.
func (t *tree) removeEmpty() {
	for p := t.Path; t.Made > 0; t.Made-- {
		if err := unix.Unlinkat(t.root, below(p), unix.AT_REMOVEDIR); err != nil && err != unix.ENOENT {
			return
		}
		p = path.Dir(p)
	}
}

// checkFit refuses a cgroup that the container could not run in, or would
// share (config-linux.md#control-groups: a check that fails must be an error).
func (g *Group) checkFit() error {
	for i := range g.trees {
		t := &g.trees[i]
		if !t.old {
			continue
		}
		pids, err := t.pids()
		if err != nil {
			return err
		}
		pids = slices.DeleteFunc(pids, func(pid int) bool { return pid == g.adopted })
		if len(pids) > 0 {
			return &diag.Error{Field: "linux.cgroupsPath", Op: "use cgroup", Path: t.Dir(), Err: &countError{ErrNotEmpty, len(pids)},
				Hint: describe(pids), Code: "cgroup-not-empty"}
		}
	}
	frozen, err := g.Frozen()
	if frozen {
		return &diag.Error{Field: "linux.cgroupsPath", Op: "use cgroup", Err: ErrFrozen, Path: g.census().Dir(), Hint: g.frozenAt(), Code: "cgroup-frozen"}
	}
	return err
}

// countError is a sentinel with the number of processes that caused it.
type countError struct {
	error
	n int
}

func (e *countError) Unwrap() error { return e.error }
func (e *countError) Error() string {
	return e.error.Error() + ": " + strconv.Itoa(e.n) + " process(es) found"
}
