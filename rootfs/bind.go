package rootfs

import (
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// takeSources records a detached copy of each bind source. They are all taken
// before the root is attached and anything is mounted, so that none of them
// contains what belongs to the container.
func (r *Rootfs) takeSources() {
	if r.sent() {
		r.receiveSources()
	}
	for i := range r.mounts {
		m := &r.mounts[i]
		if m.family == familyBind && !r.sent() {
			r.p.At(m.field + ".source")
			m.fd = r.p.OpenTree(nsenter.AtCWD, m.source, m.openTreeFlags())
		}
	}
}

func (m *mount) openTreeFlags() uint {
	flags := uint(unix.OPEN_TREE_CLONE) | recursively(m.recursive)
	if m.sourceNofollow {
		flags |= unix.AT_SYMLINK_NOFOLLOW
	}
	return flags
}

// mountBind records the attributes of a source's copy and its place.
func (r *Rootfs) mountBind(m *mount) {
	p := r.p
	t := target{m.fd, m.file, m.had}
	if !r.classic {
		r.setAttributes(m, t)
	}
	at := r.place(m, m.file, nil)
	r.mountOn(m.fd, m, at)
	if r.classic {
		r.setAttributes(m, t)
	}
	if m.dest != "" && !m.keep {
		p.Close(m.fd)
	}
}

// setAttributes sets and clears only what the options name: in a user
// namespace the kernel locks the flags that a mount came with, and a call that
// repeats or forgets one of them is refused (mount_setattr(2)).
func (r *Rootfs) setAttributes(m *mount, t target) {
	tree, own := r.treeAttributes(m), m.own
	single := len(m.propagation) == 1
	var treeKind, ownKind uint64
	if single && m.propagation[0].recursive {
		treeKind = m.propagation[0].kind
	} else if single {
		ownKind = m.propagation[0].kind
	}
	r.p.At(m.field + ".options")
	if r.classic && r.sent() {
		r.change(t, true, unix.MountAttr{Propagation: unix.MS_SLAVE}) // see takeTree
	}
	if !tree.empty() || treeKind != 0 {
		// What the whole tree gets need not be said again for its top.
		if m.recursive && own.within(tree) {
			own = attributes{}
		}
		r.change(t, true, unix.MountAttr{Attr_set: tree.set, Attr_clr: tree.clear, Propagation: treeKind})
	}
	if !own.empty() || ownKind != 0 {
		r.change(t, false, unix.MountAttr{Attr_set: own.set, Attr_clr: own.clear, Propagation: ownKind})
	}
	if !single {
		r.propagate(m, t)
	}
}

// treeAttributes is m.tree, with what a recursive bind of /sys needs: "ro" is to cover the
// cgroup file systems below it as well, which the host leaves writable
// (CVE-2023-25809).
func (r *Rootfs) treeAttributes(m *mount) attributes {
	a := m.tree
	if m.family == familyBind && m.recursive && m.dest == "sys" && !r.classic {
		a.set |= m.own.set & unix.MOUNT_ATTR_RDONLY
	}
	return a
}

func (a attributes) within(b attributes) bool {
	return a.set&^b.set == 0 && a.clear&^b.clear == 0 && a.clear&^a.set&b.set == 0
}

// remount records a change of the mount that is at the destination.
func (r *Rootfs) remount(m *mount) {
	p := r.p
	p.At(m.field + ".destination")
	fd := r.root
	if m.dest != "" {
		p.Into(r.target)
		fd = p.Openat2(r.root, m.dest, unix.OpenHow{Flags: unix.O_PATH, Resolve: inRoot})
	}
	if !m.bind {
		p.At(m.field)
		p.Into(r.context)
		fs := p.Fspick(fd, "")
		r.configure(fs, m)
		p.At(m.field)
		p.FsconfigReconfigure(fs)
		p.Close(fs)
	}
	r.setAttributes(m, target{fd, false, m.had})
	if m.dest != "" {
		p.Close(fd)
	}
}

// link records copy-symlink: the link itself, in place of a mount.
func (r *Rootfs) link(m *mount) {
	p := r.p
	p.At(m.field + ".destination")
	dir, ok := r.freshParent(m.dest)
	opened := false
	if !ok {
		dir = r.makeParents(m.dest, inRoot)
		opened = dir != r.root
	}
	p.Symlinkat(m.source, dir, base(m.dest))
	p.IfErr(func() { r.requireLink(m, dir) }, unix.EEXIST)
	if opened {
		p.Close(dir)
	}
}

// requireLink checks that the link which is there already is the one wanted.
func (r *Rootfs) requireLink(m *mount, dir nsenter.FD) {
	p := r.p
	buf := p.Space(len(m.source) + 8)
	length := p.Readlinkat(dir, base(m.dest), buf)
	const meaning = "exists already and is not the link to copy"
	p.Require(length, ^uint64(0), uint64(len(m.source)), meaning)
	for at := 0; at < len(m.source); at += 8 {
		mask, value := packed(m.source[at:])
		p.Require(buf.Word(at), mask, value, meaning)
	}
}

// packed is up to eight bytes of s as a word of the arena holds them.
func packed(s string) (mask, value uint64) {
	for i := 0; i < len(s) && i < 8; i++ {
		mask |= 0xff << (8 * i)
		value |= uint64(s[i]) << (8 * i)
	}
	return mask, value
}
