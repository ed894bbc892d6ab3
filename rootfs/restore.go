package rootfs

import (
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// restoreRoot is the name of the directory that Restorable puts the root on.
const restoreRoot = "root"

// Restorable records what CRIU wants of the root of a container that it is to
// make mounts in: it is itself a mount, whose parent nothing covers, and has a
// mountpoint for each of the mounts. It is put on the directory "root" of a tmpfs
// over dir, an absolute path without links, which only the stage sees: it needs a
// mount namespace of its own. Restorable returns the path that the root is at.
func (r *Rootfs) Restorable(p *nsenter.Program, dir string) string {
	r.p = p
	r.registers = registers{p.Register(), p.Register(), p.Register(), [2]nsenter.FD{p.Register(), p.Register()}}
	r.isolate()
	p.At("root.path")
	umask := p.Umask(0)
	fs := p.Fsopen("tmpfs")
	p.FsconfigString(fs, "mode", "711")
	p.FsconfigCreate(fs)
	top := p.Fsmount(fs, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	p.Close(fs)
	p.MoveMount(top, "", nsenter.AtCWD, dir)
	p.Mkdirat(top, restoreRoot, 0o700)
	r.root = p.OpenTree(nsenter.AtCWD, r.path, unix.OPEN_TREE_CLONE|unix.AT_RECURSIVE)
	p.MoveMount(r.root, "", top, restoreRoot)
	r.mountpoints()
	p.UmaskBack(umask)
	return dir + "/" + restoreRoot
}

// mountpoints makes those that are on the root itself; what is mounted there
// brings the others along.
func (r *Rootfs) mountpoints() {
	for i := range r.mounts {
		m := &r.mounts[i]
		if m.dest == "" || m.family == familyRemount || m.family == familyLink || r.hidden(i) {
			continue
		}
		r.p.At(m.field + ".destination")
		r.open(m.dest, m.file, unix.OpenHow{Flags: unix.O_PATH, Resolve: inRoot}, r.target, nil)
		r.p.Close(r.target)
	}
}

// hidden reports whether an earlier mount lies over the mountpoint of mount i.
func (r *Rootfs) hidden(i int) bool {
	for j := range r.mounts[:i] {
		if earlier := &r.mounts[j]; earlier.dest != r.mounts[i].dest && below(r.mounts[i].dest, earlier.dest) {
			return true
		}
	}
	return false
}
