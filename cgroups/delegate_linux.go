package cgroups

import (
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
