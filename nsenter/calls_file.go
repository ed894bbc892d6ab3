package nsenter

import "golang.org/x/sys/unix"

// Recorded calls on files and paths. A directory argument of AtCWD means the
// stage's working directory, which after Chroot or PivotRoot is the
// container's.

// Openat2 opens path below dir, see openat2(2). how.Resolve confines paths
// that an image supplies.
func (p *Program) Openat2(dir FD, path string, how unix.OpenHow) FD {
	how.Flags |= unix.O_CLOEXEC
	at := p.quads(how.Flags, how.Mode, how.Resolve)
	return p.call(unix.SYS_OPENAT2, dir, p.str(path), imm(at), imm(unix.SizeofOpenHow))
}

// Close closes fd.
func (p *Program) Close(fd FD) { p.do(unix.SYS_CLOSE, fd) }

// CloseRange closes the descriptors from first to the highest there can be, or
// with CLOSE_RANGE_CLOEXEC marks them.
func (p *Program) CloseRange(first FD, flags int) {
	p.do(unix.SYS_CLOSE_RANGE, first, imm(uint64(^uint32(0))), imm(flags))
}

// CloseOnExec marks fd to be closed when the stage becomes the program.
func (p *Program) CloseOnExec(fd FD) {
	p.do(unix.SYS_FCNTL, fd, imm(unix.F_SETFD), imm(unix.FD_CLOEXEC))
}

// Dup3 makes to a copy of from.
func (p *Program) Dup3(from, to FD, flags int) { p.do(unix.SYS_DUP3, from, to, imm(flags)) }

// Mkdirat makes a directory. The umask applies.
func (p *Program) Mkdirat(dir FD, path string, mode uint32) {
	p.do(unix.SYS_MKDIRAT, dir, p.str(path), imm(mode))
}

// Mknodat makes a node; mode carries the type, as in mknod(2).
func (p *Program) Mknodat(dir FD, path string, mode uint32, dev uint64) {
	p.do(unix.SYS_MKNODAT, dir, p.str(path), imm(mode), imm(dev))
}

// Symlinkat makes path below dir a symbolic link to target.
func (p *Program) Symlinkat(target string, dir FD, path string) {
	p.do(unix.SYS_SYMLINKAT, p.str(target), dir, p.str(path))
}

// Unlinkat removes path; flags may be AT_REMOVEDIR.
func (p *Program) Unlinkat(dir FD, path string, flags int) {
	p.do(unix.SYS_UNLINKAT, dir, p.str(path), imm(flags))
}

// Fchmodat changes the mode of path below dir. It follows a final symbolic
// link: use it on paths the image cannot have made.
func (p *Program) Fchmodat(dir FD, path string, mode uint32) {
	p.do(unix.SYS_FCHMODAT, dir, p.str(path), imm(mode))
}

// FchmodatWord is Fchmodat with the mode that w holds, e.g. Stat.Mode.
func (p *Program) FchmodatWord(dir FD, path string, w Word) {
	p.do(unix.SYS_FCHMODAT, dir, p.str(path), fromWord(w))
}

// Readlinkat reads the target of the symbolic link path into b.
func (p *Program) Readlinkat(dir FD, path string, b Buffer) Word {
	return Word(p.call(unix.SYS_READLINKAT, dir, p.str(path), imm(b.addr), imm(b.size)).value)
}

// Fchownat changes the owner of path below dir; flags may be
// AT_SYMLINK_NOFOLLOW or AT_EMPTY_PATH.
func (p *Program) Fchownat(dir FD, path string, uid, gid uint32, flags int) {
	p.do(unix.SYS_FCHOWNAT, dir, p.str(path), imm(uid), imm(gid), imm(flags))
}

// Faccessat2 checks access for the effective ids when flags has AT_EACCESS.
func (p *Program) Faccessat2(dir FD, path string, mode, flags int) {
	p.do(unix.SYS_FACCESSAT2, dir, p.str(path), imm(mode), imm(flags))
}

// Stat is where the stage leaves a struct statx.
type Stat struct{ at Buffer }

// Offsets in struct statx, see statx(2) and linux/stat.h.
const (
	statxModeOffset = 28
	statxInoOffset  = 32
	statxRdevOffset = 128 // major, then minor, 32 bits each
	statxSize       = 256
)

// Statx records statx(2) with the basic mask. All Stats are one, to keep the
// stage's memory small: check it before the next Statx.
func (p *Program) Statx(dir FD, path string, flags int) Stat {
	if p.stat.size == 0 {
		p.stat = p.Space(statxSize)
	}
	s := Stat{p.stat}
	p.do(unix.SYS_STATX, dir, p.str(path), imm(flags), imm(unix.STATX_BASIC_STATS), imm(s.at.addr))
	return s
}

// Type is the word in which (w & TypeMask) is TypeValue(S_IFMT bits).
func (s Stat) Type() Word { return s.at.word(statxModeOffset - 4) }

// TypeMask selects the file type in Stat.Type; the mode is the word's upper half.
const TypeMask = uint64(unix.S_IFMT) << 32

// TypeValue is what (w & TypeMask) is for a file of type format, e.g. S_IFDIR.
func TypeValue(format uint32) uint64 { return uint64(format&unix.S_IFMT) << 32 }

// Mode is a word that FchmodatWord accepts as the file's mode.
func (s Stat) Mode() Word { return s.at.word(statxModeOffset) }

// Inode is the word that holds the inode number.
func (s Stat) Inode() Word { return s.at.word(statxInoOffset) }

// Rdev is the word that holds the device number of a special file.
func (s Stat) Rdev() Word { return s.at.word(statxRdevOffset) }

// RdevValue is what Stat.Rdev holds for major:minor.
func RdevValue(major, minor uint32) uint64 { return uint64(minor)<<32 | uint64(major) }

// Fstatfs records fstatfs(2) and returns the word with the file system's
// magic. All calls share one: check it before the next.
func (p *Program) Fstatfs(fd FD) Word {
	if p.statfs.size == 0 {
		p.statfs = p.Space(120)
	}
	p.do(unix.SYS_FSTATFS, fd, imm(p.statfs.addr))
	return p.statfs.word(0)
}

// Write writes data in one call; a short write is not noticed, so use it for
// files of /proc and cgroups, which take all or nothing.
func (p *Program) Write(fd FD, data string) {
	p.do(unix.SYS_WRITE, fd, p.str(data), imm(len(data)))
}

// Read reads at most b's size into b, once, and returns the word that holds
// the number of bytes.
func (p *Program) Read(fd FD, b Buffer) Word {
	return Word(p.call(unix.SYS_READ, fd, imm(b.addr), imm(b.size)).value)
}

// Chdir changes the working directory to path.
func (p *Program) Chdir(path string) { p.do(unix.SYS_CHDIR, p.str(path)) }

// Getcwd records getcwd(2), whose answer must begin with "/": a working
// directory outside the root reads "(unreachable)...", and would let the
// container process climb to the host (CVE-2024-21626).
func (p *Program) Getcwd() {
	b := p.Space(unix.PathMax)
	p.do(unix.SYS_GETCWD, imm(b.addr), imm(b.size))
	p.Require(b.word(0), 0xff, '/', "the working directory lies outside the container's root")
}

// Fchdir changes the working directory to dir.
func (p *Program) Fchdir(dir FD) { p.do(unix.SYS_FCHDIR, dir) }

// Ioctl records ioctl(2) with a value argument and returns its result.
func (p *Program) Ioctl(fd FD, request uint, value uint64) FD {
	return p.call(unix.SYS_IOCTL, fd, imm(request), imm(value))
}

// IoctlData records ioctl(2) with the address of a copy of data, and returns
// that copy, which the kernel may have filled.
func (p *Program) IoctlData(fd FD, request uint, data []byte) Buffer {
	b := Buffer{p.bytes(data), len(data)}
	p.do(unix.SYS_IOCTL, fd, imm(request), imm(b.addr))
	return b
}
