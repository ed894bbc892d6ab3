package rootfs

import (
	"strconv"

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
			p.MountSetattr(m.fd, "", 0, readonly)
		}
	}
	for i := range r.mounts {
		if r.mounts[i].keep {
			p.Close(r.mounts[i].fd)
		}
	}
	if r.in.Config.Root.Readonly {
		p.At("root.readonly")
		p.MountSetattr(r.root, "", 0, readonly)
	}
	if c, _ := rootPropagation(r.in.Config.Linux.RootfsPropagation); c.kind != 0 {
		p.At("linux.rootfsPropagation")
		p.MountSetattr(r.root, "", recursively(c.recursive), unix.MountAttr{Propagation: c.kind})
	}
	p.Close(r.root)
}

// requireProc checks that /proc is where the container will look for it. Who
// shares the root's directory can rename it, mounts and all.
func (r *Rootfs) requireProc() {
	for i := range r.mounts {
		if m := &r.mounts[i]; m.dest == "proc" && m.anchor() {
			r.p.At(m.field + ".destination")
			how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY, Resolve: noLinks}
			r.p.Into(r.target)
			magic := r.p.Fstatfs(r.p.Openat2(r.root, "proc", how))
			r.p.Require(magic, ^uint64(0), unix.PROC_SUPER_MAGIC, "is no procfs any more: somebody moves directories of the root")
			r.p.Close(r.target)
			return
		}
	}
}

// open opens a path of the configuration that is to be covered.
func (r *Rootfs) openPath(path string, flags uint64) nsenter.FD {
	dir, path := r.anchor(relative(path))
	if path == "" {
		path = "."
	}
	r.p.Into(r.target)
	return r.p.Openat2(dir, path, unix.OpenHow{Flags: unix.O_PATH | flags, Resolve: inRoot})
}

// readonlyPaths records a read-only copy of each path over itself.
func (r *Rootfs) readonlyPaths() {
	p := r.p
	for i, path := range r.in.Config.Linux.ReadonlyPaths {
		p.At("linux.readonlyPaths[" + strconv.Itoa(i) + "]")
		fd := r.openPath(path, 0)
		p.IfOK(func() {
			p.Into(r.mounted)
			tree := p.OpenTree(fd, "", unix.OPEN_TREE_CLONE|unix.AT_RECURSIVE|unix.AT_EMPTY_PATH)
			p.MountSetattr(tree, "", unix.AT_RECURSIVE, unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
			p.MoveMount(tree, "", fd, "")
			p.Close(tree)
			p.Close(fd)
		}, unix.ENOENT, unix.ENOTDIR)
	}
}

// masks are what covers the masked paths.
type masks struct {
	null, empty nsenter.FD
	used, one   nsenter.Word // used becomes one's value once empty is mounted
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
	m := masks{null: null, empty: p.Register(), used: p.Word(), one: p.Word()}
	p.Put(m.one, 1)
	r.makeEmpty(m.empty)
	for i, path := range paths {
		p.At("linux.maskedPaths[" + strconv.Itoa(i) + "]")
		fd := r.openPath(path, unix.O_DIRECTORY)
		p.Branch(func() { r.maskDirectory(fd, m) },
			func() { r.maskFile(path, m) }, unix.ENOENT, unix.ENOTDIR)
	}
	p.Close(null)
	p.Close(m.empty)
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

// maskDirectory covers fd. The first time it takes the empty directory itself,
// as only a mount that is attached can be copied (before Linux 6.15).
func (r *Rootfs) maskDirectory(fd nsenter.FD, m masks) {
	p := r.p
	p.When(m.used, ^uint64(0), 0, func() {
		p.MoveMount(m.empty, "", fd, "")
		p.Store(m.one, m.used)
	}, func() {
		p.Into(r.mounted)
		tree := p.OpenTree(m.empty, "", unix.OPEN_TREE_CLONE|unix.AT_EMPTY_PATH)
		p.MoveMount(tree, "", fd, "")
		p.Close(tree)
	})
	p.Close(fd)
}

func (r *Rootfs) maskFile(path string, m masks) {
	p := r.p
	fd := r.openPath(path, 0)
	p.IfOK(func() {
		p.Into(r.mounted)
		tree := p.OpenTree(m.null, "", unix.OPEN_TREE_CLONE|unix.AT_EMPTY_PATH)
		p.MoveMount(tree, "", fd, "")
		p.Close(tree)
		p.Close(fd)
	}, unix.ENOENT, unix.ENOTDIR)
}
