package rootfs

import (
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// Console records a new pseudo-terminal of the container's own devpts, bound on
// /dev/console. It may be called before or after Pivot. The slave comes from
// the master (TIOCGPTPEER), never from a path: /dev/pts/N, or /dev/console, may
// be a link that the image has put there (CVE-2025-52565).
func (r *Rootfs) Console(p *nsenter.Program) (master, slave nsenter.FD) {
	r.p = p
	p.At("process.terminal")
	dir, path := r.anchor("dev/pts/ptmx")
	master = p.Openat2(dir, path, unix.OpenHow{Flags: unix.O_RDWR | unix.O_NOCTTY, Resolve: inRoot})
	r.requirePty(master, "/dev/pts/ptmx", 5, 2)
	p.IoctlData(master, unix.TIOCSPTLCK, make([]byte, 4))
	slave = p.Ioctl(master, unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)

	dev, _ := r.anchor("dev/console")
	opened := dev == r.root
	if opened {
		p.Into(r.target)
		dev = p.Openat2(r.root, "dev", unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY, Resolve: noLinks})
	}
	p.Mknodat(dev, "console", unix.S_IFREG|0o600, 0)
	p.Allow(unix.EEXIST)
	p.Into(r.mounted)
	tree := p.OpenTree(slave, "", unix.OPEN_TREE_CLONE|unix.AT_EMPTY_PATH)
	p.MoveMount(tree, "", dev, "console")
	p.Close(tree)
	if opened {
		p.Close(dev)
	}
	return master, slave
}

// hasDevpts reports whether /dev/pts may be a devpts: mounted as such, or part of
// something bound there.
func (r *Rootfs) hasDevpts() bool {
	n := len(r.mounts)
	if pts := r.at("dev/pts", n); pts != nil {
		return pts.fstype == "devpts" || pts.family == familyBind
	}
	dev := r.at("dev", n)
	return dev != nil && dev.family == familyBind
}

// requirePty records the checks that fd is the device major:minor on a devpts.
func (r *Rootfs) requirePty(fd nsenter.FD, path string, major, minor uint32) {
	p := r.p
	magic := p.Fstatfs(fd)
	p.Require(magic, ^uint64(0), unix.DEVPTS_SUPER_MAGIC, path+" is not on a devpts")
	st := p.Statx(fd, "", unix.AT_EMPTY_PATH)
	p.Require(st.Rdev(), ^uint64(0), nsenter.RdevValue(major, minor), path+" is not a pseudo-terminal")
}
