package cgroups

import (
	"path"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Remove takes away what Create made: the cgroup, those that the container
// made below it, and parents that were made for it and are empty again. It
// waits for dying processes, but not beyond timeout; then the error is ErrBusy
// and names those that are left. What existed before Create stays, and what is
// gone already is no error. A cgroup without the container's mark goes if it is
// empty: so is one that was made by a Create that was killed before it could
// leave the mark.
func (g *Group) Remove(timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	var first error
	for i := len(g.trees) - 1; i >= 0; i-- {
		if err := g.remove(&g.trees[i], deadline); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// remove removes the cgroup in one hierarchy. It keeps no descriptor open: the
// caller may be cleaning up because he has run out of them.
func (g *Group) remove(t *tree, deadline time.Time) error {
	defer t.close()
	if t.Made == 0 {
		return nil
	}
	if g.owns(t) {
		return t.remove(deadline)
	}
	if _, err := t.mount(); err == nil {
		t.removeEmpty()
	}
	return nil
}

func (t *tree) remove(deadline time.Time) error {
	root, err := t.mount()
	if err != nil {
		if gone(err) {
			return nil
		}
		return err
	}
	err = unix.Unlinkat(root, below(t.Path), unix.AT_REMOVEDIR)
	if err == unix.EBUSY {
		err = t.removeBusy(deadline)
	}
	if err != nil && err != unix.ENOENT {
		if _, ok := err.(*diag.Error); ok {
			return err
		}
		return pathErr("rmdir", t.Dir(), err)
	}
	t.removeParents()
	return nil
}

// removeBusy removes what is below the cgroup and waits for the processes.
func (t *tree) removeBusy(deadline time.Time) error {
	dir, err := t.open()
	if err != nil {
		if gone(err) {
			return nil
		}
		return err
	}
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		removeChildren(dir)
		err := unix.Unlinkat(t.root, below(t.Path), unix.AT_REMOVEDIR)
		if err != unix.EBUSY {
			return err
		}
		if !time.Now().Before(deadline) {
			pids, _ := t.pids()
			return &diag.Error{Op: "remove cgroup", Path: t.Dir(), Err: &countError{ErrBusy, len(pids)}, Hint: describe(pids), Code: "cgroup-busy"}
		}
		t.waitEmpty(deadline, pause)
	}
}

// waitEmpty returns when the cgroup has lost its last process, as far as the
// kernel tells: version 2 does (cgroup.events), version 1 is asked again after
// a pause.
func (t *tree) waitEmpty(deadline time.Time, pause time.Duration) {
	if t.Controllers == "" {
		populated, err := t.waitEvent(deadline, func(events string) bool { return keyed(events, "populated") == "0" })
		if err == nil && populated {
			time.Sleep(pause) // populated turns 0 a moment before rmdir(2) succeeds
			return
		}
	}
	time.Sleep(min(pause, time.Until(deadline)))
}

// removeChildren removes the cgroups below dir, deepest first, as far as they
// are empty.
func removeChildren(dir int) {
	names, err := children(dir)
	if err != nil {
		return
	}
	for _, name := range names {
		if unix.Unlinkat(dir, name, unix.AT_REMOVEDIR) != unix.EBUSY {
			continue
		}
		if child, err := openDir(dir, name); err == nil {
			removeChildren(child)
			closeFD(child)
			_ = unix.Unlinkat(dir, name, unix.AT_REMOVEDIR) // the caller tries the whole again
		}
	}
}

// removeParents removes the directories Create had to make above the cgroup,
// unless somebody uses them by now.
func (t *tree) removeParents() {
	for p := path.Dir(t.Path); t.Made > 1; t.Made-- {
		// ENOENT: whoever made them was killed on the way down.
		if err := unix.Unlinkat(t.root, below(p), unix.AT_REMOVEDIR); err != nil && err != unix.ENOENT {
			break
		}
		p = path.Dir(p)
	}
	t.Made = 0
}
