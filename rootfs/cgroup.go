package rootfs

import (
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// mountCgroup records copies of the host's cgroup mounts, each cut down to the
// container's own directory. A fresh cgroup2 mount would show the host's whole
// hierarchy, unless there is a cgroup namespace, and the kernel takes 10 ms for it.
func (r *Rootfs) mountCgroup(m *mount) {
	if len(r.in.Cgroup.V1) > 0 {
		r.mountCgroupV1(m)
		return
	}
	p := r.p
	at := r.place(m, false, nil)
	p.At(m.field)
	p.Into(r.mounted)
	tree := p.OpenTree(nsenter.AtCWD, r.in.Cgroup.Unified, unix.OPEN_TREE_CLONE)
	set := func() { r.setAttributes(m, target{tree, false, hierarchyAttributes}) }
	if r.classic {
		r.ifCgroup(nil, func() { r.makeEmpty(tree) })
		r.mountOn(tree, m, at)
		set()
	} else {
		r.ifCgroup(set, func() { r.makeEmpty(tree) })
		r.mountOn(tree, m, at)
	}
	p.Close(tree)
}

// ifCgroup records what to do when the container has got the cgroup opened
// last, and when it has not: an ordinary user's runtime may be denied cgroups,
// and goes on without.
func (r *Rootfs) ifCgroup(has, lacks func()) {
	r.p.Branch(has, lacks, unix.ENOENT, unix.EACCES)
}

// mountCgroupV1 records a tmpfs with a directory per hierarchy, and links for
// those that hold several controllers: cpu -> cpu,cpuacct.
func (r *Rootfs) mountCgroupV1(m *mount) {
	p := r.p
	p.At(m.field)
	p.Into(r.context)
	fs := p.Fsopen("tmpfs")
	p.FsconfigString(fs, "source", "cgroup")
	p.FsconfigString(fs, "mode", "755")
	p.FsconfigCreate(fs)
	top := p.Register()
	p.Into(top)
	p.Fsmount(fs, hierarchyAttributes)
	p.Close(fs)
	r.mountOn(top, m, r.place(m, false, nil))
	p.At(m.field)
	for _, h := range r.in.Cgroup.V1 {
		r.addHierarchy(m, top, h.Name, h.Dir)
		for _, link := range h.Links {
			p.Symlinkat(h.Name, top, link)
		}
	}
	if r.in.Cgroup.Unified != "" {
		r.addHierarchy(m, top, "unified", r.in.Cgroup.Unified)
	}
	if !m.own.empty() {
		r.change(target{top, false, hierarchyAttributes}, true, unix.MountAttr{Attr_set: m.own.set, Attr_clr: m.own.clear})
	}
	r.propagate(m, target{fd: top})
	p.Close(top)
}

// hierarchyAttributes are those that hosts mount cgroups with.
const hierarchyAttributes = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC

func (r *Rootfs) addHierarchy(m *mount, top nsenter.FD, name, dir string) {
	p := r.p
	p.Into(r.mounted)
	tree := p.OpenTree(nsenter.AtCWD, dir, unix.OPEN_TREE_CLONE)
	r.ifCgroup(func() {
		p.Mkdirat(top, name, 0o755)
		p.MoveMount(tree, "", top, name)
		if r.classic && !m.own.empty() {
			r.change(target{tree, false, hierarchyAttributes}, false, unix.MountAttr{Attr_set: m.own.set, Attr_clr: m.own.clear})
		}
		p.Close(tree)
	}, nil)
}

// checkCgroup checks the options, and finds out what there is to show.
func (r *Rootfs) checkCgroup(m *mount) error {
	if err := m.checkData("a cgroup mount"); err != nil {
		return err
	}
	m.data = nil
	// Access times mean nothing there, and in a user namespace they are locked.
	const times = unix.MOUNT_ATTR__ATIME | unix.MOUNT_ATTR_NODIRATIME
	m.own.set &^= times
	m.own.clear &^= times
	c := r.in.Cgroup
	switch {
	case len(c.V1) > 0 || c.Unified != "":
	case c.Namespace:
		m.family, m.fstype = familyFS, "cgroup2"
	default:
		// Nothing can be shown, and what /sys holds there must not show through.
		m.family, m.fstype = familyFS, "tmpfs"
		m.own.apply(attributes{set: unix.MOUNT_ATTR_RDONLY})
	}
	if c.Unscoped {
		m.own.apply(attributes{set: unix.MOUNT_ATTR_RDONLY})
	}
	return nil
}
