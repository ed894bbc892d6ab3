package rootfs

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// Finish records what only takes away: masks, read-only paths, read-only
// mounts and root, and the root's propagation.
func (r *Rootfs) Finish(p *nsenter.Program) {
	r.p = p
	if !r.in.MountNS {
		r.p.Close(r.root)
		return
	}
	r.requireProc()
	r.readonlyPaths()
	r.maskedPaths()
	readonly := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	for i := range r.mounts {
		m := &r.mounts[i]
		if m.late() {
			p.At(m.field)
			r.change(target{m.fd, false, m.attributes()}, false, readonly)
		}
	}
	for i := range r.mounts {
		if m := &r.mounts[i]; m.keep && m.fd != r.root {
			p.Close(m.fd)
		}
	}
	if r.in.Config.Root.Readonly {
		p.At("root.readonly")
		r.change(target{r.root, false, r.had}, false, readonly)
	}
	r.propagateRoot()
	p.Close(r.root)
}

// propagateRoot records linux.rootfsPropagation. It comes last: a mount made
// below a shared root would show on the host. An r-form reaches all mounts, so
// those with an option of their own get it again.
func (r *Rootfs) propagateRoot() {
	c, _ := rootPropagation(r.in.Config.Linux.RootfsPropagation)
	if c.kind == 0 {
		return
	}
	p := r.p
	p.At("linux.rootfsPropagation")
	r.change(target{fd: r.root}, c.recursive, unix.MountAttr{Propagation: c.kind})
	for i := range r.mounts {
		if m := &r.mounts[i]; c.recursive && len(m.propagation) > 0 {
			p.At(m.field)
			p.Into(r.target)
			fd := p.Openat2(r.root, m.dest, unix.OpenHow{Flags: unix.O_PATH, Resolve: inRoot})
			r.propagate(m, target{fd: fd, file: m.file})
			p.Close(r.target)
		}
	}
}

// requireProc checks that /proc is where the container will look for it. Who
// shares the root's directory can rename it, mounts and all.
func (r *Rootfs) requireProc() {
	m := r.at("proc", len(r.mounts))
	if m == nil {
		return
	}
	r.p.At(m.field + ".destination")
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY, Resolve: noLinks}
	r.p.Into(r.target)
	magic := r.p.Fstatfs(r.p.Openat2(r.root, "proc", how))
	r.p.Require(magic, ^uint64(0), unix.PROC_SUPER_MAGIC, "is no procfs any more: somebody moves directories of the root")
	r.p.Close(r.target)
}

// openPath opens a path of the configuration that is to be covered.
func (r *Rootfs) openPath(path string) nsenter.FD {
	dir, path := r.anchor(relative(path))
	if path == "" {
		path = "."
	}
	r.p.Into(r.target)
	return r.p.Openat2(dir, path, unix.OpenHow{Flags: unix.O_PATH, Resolve: inRoot})
}

// readonlyPaths records a read-only copy of each path over itself.
func (r *Rootfs) readonlyPaths() {
	p := r.p
	for i, path := range r.in.Config.Linux.ReadonlyPaths {
		p.At("linux.readonlyPaths[" + strconv.Itoa(i) + "]")
		if proc, name, ok := r.procEntry(path); ok {
			at := place{dir: proc, name: name}
			r.makeReadonly(path, at, at)
			continue
		}
		fd := r.openPath(path)
		p.IfOK(func() {
			r.makeReadonly(path, place{dir: fd}, place{dir: fd})
			p.Close(fd)
		}, unix.ENOENT, unix.ENOTDIR)
	}
}

// procEntry reports paths that are an entry of a procfs made by us, other than
// its links: nobody can have put something else there.
func (r *Rootfs) procEntry(path string) (proc nsenter.FD, name string, ok bool) {
	name, ok = strings.CutPrefix(relative(path), "proc/")
	switch name {
	case "self", "thread-self", "net", "mounts":
		return proc, "", false
	}
	if !ok || strings.Contains(name, "/") {
		return proc, "", false
	}
	if m := r.at("proc", len(r.mounts)); m != nil && m.family == familyFS {
		return m.fd, name, true
	}
	return proc, "", false
}

// makeReadonly records a read-only copy of the mount at from, placed on to.
func (r *Rootfs) makeReadonly(path string, from, to place) {
	p := r.p
	flags := uint(unix.OPEN_TREE_CLONE | unix.AT_RECURSIVE | unix.AT_SYMLINK_NOFOLLOW)
	if from.name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	p.Into(r.mounted)
	tree := p.OpenTree(from.dir, from.name, flags)
	p.IfOK(func() {
		readonly := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
		if !r.classic {
			r.change(target{fd: tree}, true, readonly)
		}
		p.MoveMount(tree, "", to.dir, to.name)
		if r.classic {
			// For a file and a directory alike, by the link in /proc.
			r.change(target{tree, true, r.attributesAt(path)}, false, readonly)
		}
		p.Close(tree)
	}, unix.ENOENT)
}

// attributesAt are those of the mount of ours that path is on.
func (r *Rootfs) attributesAt(path string) uint64 {
	for i := len(r.mounts) - 1; i >= 0; i-- {
		if m := &r.mounts[i]; below(relative(path), m.dest) && m.family != familyRemount {
			return m.had&^m.own.clear | m.own.set
		}
	}
	return r.had
}

// maskedPaths records the null device over each file and an empty read-only
// directory over each directory. All share one tmpfs.
func (r *Rootfs) maskedPaths() {
	paths := r.in.Config.Linux.MaskedPaths
	if len(paths) == 0 {
		return
	}
	p := r.p
	p.At("linux.maskedPaths")
	null := r.openNull()
	empty, cover := p.Register(), p.Register()
	r.makeEmpty(empty)
	for i, path := range paths {
		p.At("linux.maskedPaths[" + strconv.Itoa(i) + "]")
		fd := r.openPath(path)
		p.IfOK(func() {
			st := p.Statx(fd, "", unix.AT_EMPTY_PATH)
			p.Copy(null, cover)
			p.When(st.Type(), nsenter.TypeMask, nsenter.TypeValue(unix.S_IFDIR), func() { p.Copy(empty, cover) }, nil)
			r.mask(fd, cover)
			p.Close(fd)
		}, unix.ENOENT, unix.ENOTDIR)
	}
	p.Close(null)
	p.Close(empty)
}

// openNull opens the container's null device. The image, or a hook, may have
// put anything in its place, which would then lie writable over what is to be
// masked (CVE-2025-31133).
func (r *Rootfs) openNull() nsenter.FD {
	const invalid = "container's /dev/null is invalid: it is not the character device 1:3"
	p := r.p
	dir, path := r.anchor("dev/null")
	fd := p.Openat2(dir, path, unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW, Resolve: inRoot})
	st := p.Statx(fd, "", unix.AT_EMPTY_PATH)
	p.Require(st.Type(), nsenter.TypeMask, nsenter.TypeValue(unix.S_IFCHR), invalid)
	p.Require(st.Rdev(), ^uint64(0), nsenter.RdevValue(1, 3), invalid)
	return fd
}

// makeEmpty records a directory, detached, that is and stays empty.
func (r *Rootfs) makeEmpty(fd nsenter.FD) {
	p := r.p
	p.Into(r.context)
	fs := p.Fsopen("tmpfs")
	p.FsconfigString(fs, "nr_inodes", "1")
	p.FsconfigString(fs, "mode", "755")
	p.FsconfigCreate(fs)
	p.Into(fd)
	p.Fsmount(fs, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	p.Close(fs)
}

// mask covers fd with a copy of cover. Before Linux 6.15 only a mount that is
// attached can be copied: the first directory gets the empty one itself.
func (r *Rootfs) mask(fd, cover nsenter.FD) {
	p := r.p
	p.Into(r.mounted)
	tree := p.OpenTree(cover, "", unix.OPEN_TREE_CLONE|unix.AT_EMPTY_PATH)
	p.Branch(func() {
		p.MoveMount(tree, "", fd, "")
		p.Close(tree)
	}, func() {
		p.MoveMount(cover, "", fd, "")
	}, unix.EINVAL)
}
