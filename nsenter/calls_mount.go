package nsenter

import "golang.org/x/sys/unix"

// Recorded calls of the mount API by file descriptor (Linux 5.2, 5.12), and
// the classic ones where there is no other.

// sizeofMountAttr is MOUNT_ATTR_SIZE_VER0.
const sizeofMountAttr = 32

// OpenTree opens path below dir; flags with OPEN_TREE_CLONE give a detached
// copy of the mount, to be placed with MoveMount.
func (p *Program) OpenTree(dir FD, path string, flags uint) FD {
	return p.call(unix.SYS_OPEN_TREE, dir, p.str(path), imm(flags|unix.OPEN_TREE_CLOEXEC))
}

// MoveMount places the mount at from/fromPath on to/toPath. Empty paths mean
// the descriptors themselves.
func (p *Program) MoveMount(from FD, fromPath string, to FD, toPath string) {
	flags := 0
	if fromPath == "" {
		flags |= unix.MOVE_MOUNT_F_EMPTY_PATH
	}
	if toPath == "" {
		flags |= unix.MOVE_MOUNT_T_EMPTY_PATH
	}
	p.do(unix.SYS_MOVE_MOUNT, from, p.str(fromPath), to, p.str(toPath), imm(flags))
}

// Fsopen opens a context to configure a new instance of the file system.
func (p *Program) Fsopen(fstype string) FD {
	return p.call(unix.SYS_FSOPEN, p.str(fstype), imm(unix.FSOPEN_CLOEXEC))
}

// FsconfigString sets key to value.
func (p *Program) FsconfigString(fs FD, key, value string) {
	p.do(unix.SYS_FSCONFIG, fs, imm(unix.FSCONFIG_SET_STRING), p.str(key), p.str(value), imm(0))
}

// FsconfigFlag sets a key that takes no value.
func (p *Program) FsconfigFlag(fs FD, key string) {
	p.do(unix.SYS_FSCONFIG, fs, imm(unix.FSCONFIG_SET_FLAG), p.str(key), imm(0), imm(0))
}

// FsconfigCreate makes the superblock.
func (p *Program) FsconfigCreate(fs FD) {
	p.do(unix.SYS_FSCONFIG, fs, imm(unix.FSCONFIG_CMD_CREATE), imm(0), imm(0), imm(0))
}

// Fspick opens the file system mounted at path below dir, to be reconfigured.
func (p *Program) Fspick(dir FD, path string) FD {
	flags := unix.FSPICK_CLOEXEC
	if path == "" {
		flags |= unix.FSPICK_EMPTY_PATH
	}
	return p.call(unix.SYS_FSPICK, dir, p.str(path), imm(flags))
}

// FsconfigReconfigure applies what was set since Fspick.
func (p *Program) FsconfigReconfigure(fs FD) {
	p.do(unix.SYS_FSCONFIG, fs, imm(unix.FSCONFIG_CMD_RECONFIGURE), imm(0), imm(0), imm(0))
}

// Fsmount makes a detached mount of the superblock; attributes are MOUNT_ATTR_*.
func (p *Program) Fsmount(fs FD, attributes uint) FD {
	return p.call(unix.SYS_FSMOUNT, fs, imm(unix.FSMOUNT_CLOEXEC), imm(attributes))
}

// MountSetattr changes a mount, or with AT_RECURSIVE the tree below it
// (Linux 5.12). An empty path means fd's own mount.
func (p *Program) MountSetattr(fd FD, path string, flags uint, attr unix.MountAttr) {
	if path == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	at := p.quads(attr.Attr_set, attr.Attr_clr, attr.Propagation, attr.Userns_fd)
	p.do(unix.SYS_MOUNT_SETATTR, fd, p.str(path), imm(flags), imm(at), imm(sizeofMountAttr))
}

// MountIDMapped id-maps the mount fd to the user namespace userns; flags may
// have AT_RECURSIVE.
func (p *Program) MountIDMapped(fd, userns FD, flags uint) {
	at := p.quads(unix.MOUNT_ATTR_IDMAP, 0, 0, userns.value)
	if userns.word {
		p.Store(Word(userns.value), Word(at+24))
	}
	p.do(unix.SYS_MOUNT_SETATTR, fd, p.str(""), imm(flags|unix.AT_EMPTY_PATH), imm(at), imm(sizeofMountAttr))
}

// Mount is classic mount(2), for what the newer calls cannot say.
func (p *Program) Mount(source, target, fstype string, flags uintptr, data string) {
	d := imm(0)
	if data != "" {
		d = p.str(data)
	}
	p.do(unix.SYS_MOUNT, p.str(source), p.str(target), p.str(fstype), imm(flags), d)
}

// PivotRoot makes newRoot the root and puts the old one at putOld.
func (p *Program) PivotRoot(newRoot, putOld string) {
	p.do(unix.SYS_PIVOT_ROOT, p.str(newRoot), p.str(putOld))
}

// Umount2 unmounts target.
func (p *Program) Umount2(target string, flags int) {
	p.do(unix.SYS_UMOUNT2, p.str(target), imm(flags))
}

// Chroot changes the root to path.
func (p *Program) Chroot(path string) { p.do(unix.SYS_CHROOT, p.str(path)) }
