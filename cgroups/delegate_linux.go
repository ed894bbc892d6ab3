package cgroups

import (
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Chown gives the version 2 cgroup to the host user uid: the directory, and
// those files that /sys/kernel/cgroup/delegate names (Linux 4.15) or, without
// it, the three that delegation is made of, cgroups(7). Nothing else changes
// hands, so limits stay out of the container's reach.
func (g *Group) Chown(uid int) error {
	t := g.unified()
	if t == nil || g.mode != V2 {
		return nil
	}
	return t.chown(uid)
}

// Delegate moves process pid into a new version 2 cgroup, p below the Group's
// own, and hands it all controllers. The host user uid owns it, unless that is
// negative. Version 1 has no delegation to speak of: nothing is done.
func (g *Group) Delegate(p string, pid, uid int) error {
	t := g.unified()
	if t == nil || g.mode != V2 {
		return nil
	}
	if err := confined(p); err != nil {
		return err
	}
	sub := Load(g.Location())
	defer sub.Close()
	inner := sub.unified()
	if err := inner.descend(p); err != nil {
		return err
	}
	// The other way round the kernel refuses: no process may be where
	// controllers are handed down from, cgroups(7).
	if err := writeFile(inner.dir, "cgroup.procs", strconv.Itoa(pid)); err != nil {
		return pathErr("write", inner.Dir()+"/cgroup.procs", err)
	}
	have, err := readFile(inner.root, below(t.Path)+"/cgroup.controllers")
	if err != nil {
		return pathErr("read", t.Dir()+"/cgroup.controllers", err)
	}
	inner.handDown(strings.Fields(have))
	if uid < 0 {
		return nil
	}
	return inner.chown(uid)
}

// descend makes cgroups below t, down to p, and makes t the last, open.
func (t *tree) descend(p string) error {
	root, err := t.mount()
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(p, "/") {
		t.Path = path.Join(t.Path, name)
		if err := unix.Mkdirat(root, below(t.Path), 0o755); err != nil && err != unix.EEXIST {
			return pathErr("make", t.Dir(), err)
		}
	}
	_, err = t.open()
	return err
}

func (t *tree) chown(uid int) error {
	if _, err := t.open(); err != nil {
		return err
	}
	if err := unix.Fchownat(t.root, below(t.Path), uid, -1, 0); err != nil {
		return pathErr("chown", t.Dir(), err)
	}
	names, err := readFile(unix.AT_FDCWD, "/sys/kernel/cgroup/delegate")
	if err != nil {
		names = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n"
	}
	for name := range strings.FieldsSeq(names) {
		err := unix.Fchownat(t.dir, name, uid, -1, 0)
		if err != nil && err != unix.ENOENT { // a file of a controller that is not there
			return pathErr("chown", t.Dir()+"/"+name, err)
		}
	}
	return nil
}
