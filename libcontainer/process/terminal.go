package process

import (
	"encoding/binary"
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

const terminalField = "process.terminal"

// checkConsole checks that consoleSize fits into a struct winsize.
func (x *Process) checkConsole() error {
	s := x.in.Process
	if !s.Terminal || s.ConsoleSize == nil {
		return nil // without a terminal it must be ignored: config.md#process
	}
	if s.ConsoleSize.Height > math.MaxUint16 || s.ConsoleSize.Width > math.MaxUint16 {
		return problem("process.consoleSize", fmt.Errorf("%dx%d is more than a terminal can have, %d",
			s.ConsoleSize.Width, s.ConsoleSize.Height, math.MaxUint16), "")
	}
	return nil
}

// OpenConsole records that the stage allocates a pseudo terminal from the devpts
// mounted at devpts. An image may have put anything at its /dev: so it must be a
// devpts, the file its own multiplexer and nothing mounted over it, and the
// slave comes from the master instead of by its name (CVE-2025-52565).
func OpenConsole(p *nsenter.Program, devpts nsenter.FD) (master, slave nsenter.FD) {
	p.At(terminalField)
	p.Require(p.Fstatfs(devpts), math.MaxUint64, unix.DEVPTS_SUPER_MAGIC, "/dev/pts is not a devpts file system")
	master = p.Openat2(devpts, "ptmx", unix.OpenHow{
		Flags:   unix.O_RDWR | unix.O_NOCTTY,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	})
	p.IoctlData(master, unix.TIOCSPTLCK, make([]byte, 4)) // 0: unlock
	slave = p.Ioctl(master, unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	return master, slave
}

// attachConsole makes the terminal stdio and the session's controlling terminal,
// and gives it to the user, as login(1) does.
func (x *Process) attachConsole(p *nsenter.Program, console nsenter.FD) {
	s := x.in.Process
	p.At(terminalField)
	for fd := range 3 {
		p.Dup3(console, nsenter.Number(fd), 0)
	}
	p.Ioctl(nsenter.Number(0), unix.TIOCSCTTY, 0)
	if size := s.ConsoleSize; size != nil {
		p.At("process.consoleSize")
		winsize := binary.NativeEndian.AppendUint16(nil, uint16(size.Height))
		winsize = binary.NativeEndian.AppendUint16(winsize, uint16(size.Width))
		p.IoctlData(nsenter.Number(0), unix.TIOCSWINSZ, append(winsize, 0, 0, 0, 0)) // pixels: unknown
	}
	p.At(terminalField)
	x.own(p, 0)
}

// ownStdio gives pipes the caller has made to the user, who could not open
// /dev/stdout otherwise. Terminals, devices and files are the caller's own: a
// user who owned the file behind a read-only stdin could write to it.
func (x *Process) ownStdio(p *nsenter.Program) {
	p.At("")
	for fd := range 3 {
		file := p.Statx(nsenter.Number(fd), "", unix.AT_EMPTY_PATH)
		p.When(file.Type(), nsenter.TypeMask, nsenter.TypeValue(unix.S_IFIFO), func() { x.own(p, fd) }, nil)
	}
}

// grantStdio is ownStdio for pipes whose owner has no id in the user namespace.
func (x *Process) grantStdio() {
	s := x.in.Process
	if !x.in.Userns || len(x.in.UIDMappings) == 0 || s == nil || s.Terminal || x.in.Hook != "" {
		return
	}
	uid := int(hostID(s.User.UID, x.in.UIDMappings))
	for fd := range 3 {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO {
			_ = unix.Fchown(fd, uid, -1) // not for a caller without the right to
		}
	}
}

// own changes the owner of descriptor fd, but not its group: a terminal's is
// tty. A file whose owner has no id in the user namespace stays as it is.
func (x *Process) own(p *nsenter.Program, fd int) {
	const leave = math.MaxUint32
	p.Fchownat(nsenter.Number(fd), "", x.in.Process.User.UID, leave, unix.AT_EMPTY_PATH)
	p.Allow(unix.EPERM, unix.EROFS)
}
