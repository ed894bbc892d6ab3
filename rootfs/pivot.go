package rootfs

import (
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// Pivot records that the container's root becomes "/" and the working
// directory, and that the host's tree is gone.
func (r *Rootfs) Pivot(p *nsenter.Program) {
	r.p = p
	p.At("root.path")
	switch {
	case !r.in.MountNS:
		r.chroot()
	case r.in.NoPivot:
		r.moveRoot()
	default:
		// pivot_root(2), "pivot_root(".", ".")": the old root comes to lie over
		// the new one, where "." finds it.
		p.Fchdir(r.root)
		p.PivotRoot(".", ".")
		p.Umount2(".", unix.MNT_DETACH)
	}
}

// chroot is for a container without a mount namespace, thus without mounts.
func (r *Rootfs) chroot() {
	p := r.p
	r.root = p.Openat2(nsenter.AtCWD, r.path, unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY})
	p.Fchdir(r.root)
	p.Chroot(".")
}

// moveRoot moves the root over "/", for hosts whose "/" is an initramfs, which
// pivot_root(2) refuses. The host's tree stays reachable for the kernel below it:
// a complete procfs or sysfs there would let the container mount its own
// without our masks (mount_too_revealing, fs/namespace.c), so they go first.
func (r *Rootfs) moveRoot() {
	p := r.p
	for _, path := range r.covered {
		p.Umount2(path, unix.MNT_DETACH)
		p.IfErr(func() { p.Mount("tmpfs", path, "tmpfs", unix.MS_RDONLY, "") }, unix.EINVAL, unix.EPERM)
	}
	p.Fchdir(r.root)
	p.MoveMount(r.root, "", nsenter.AtCWD, "/")
	p.Chroot(".")
}
