package process

import (
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// HOME is part of the login that a container stands for, and engines leave it
// to the runtime. Only the image's /etc/passwd knows it:
//
//	stage                                   parent
//	open /etc/passwd, O_PATH
//	Send(Ready, ..., Passwd()) ──────────>  home(fd): parse
//	ReceiveLate  <────────────────────────  Reply(..."HOME=/x\0")
//
// The file is the image's, so it may be anything: a FIFO, a device, endless.
// O_PATH has no side effects, and the parent reads only what is a regular file,
// only so much, and only so long.
const (
	homeSize    = 1024     // HOME=, path and NUL
	passwdLimit = 16 << 20 // bytes that are read at most
	homeTimeout = 5 * time.Second
	defaultHome = "/"
)

func (x *Process) wantsHome() bool {
	if x.in.Process == nil || x.in.Hook != "" {
		return false
	}
	_, ok := lookupEnv(x.env, "HOME")
	return !ok
}

// openPasswd records that the container's /etc/passwd is opened. As a symbolic
// link it leads where the image wants within its own root, but not through
// /proc/PID/fd to what the stage holds open. What cannot be opened is replaced
// by a directory, since descriptors cannot be sent conditionally.
func (x *Process) openPasswd(p *nsenter.Program) {
	if !x.wantsHome() {
		return
	}
	p.At("")
	x.passwd = p.Openat2(nsenter.AtCWD, "/etc/passwd", unix.OpenHow{Flags: unix.O_PATH, Resolve: unix.RESOLVE_NO_MAGICLINKS})
	p.IfErr(func() {
		p.Into(x.passwd)
		p.Openat2(nsenter.AtCWD, "/", unix.OpenHow{Flags: unix.O_PATH})
	}, unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.EACCES, unix.ENAMETOOLONG, unix.EIO)
}

// Passwd returns the descriptor to send along with Ready, and whether there is
// one. It is for Late.
func (x *Process) Passwd() (nsenter.FD, bool) { return x.passwd, x.wantsHome() }

// findHome reads the descriptor that the stage has sent, and closes it. Whatever
// is wrong with the file, the answer is then "/".
func (x *Process) findHome(passwd int) string {
	home := defaultHome
	answer := make(chan string, 1)
	go func() { answer <- readHome(passwd, x.in.Process.User.UID) }()
	select {
	case home = <-answer:
	case <-time.After(homeTimeout): // a network or FUSE file system
	}
	if home == "" || len("HOME=")+len(home) >= homeSize {
		home = defaultHome
	}
	return home
}

// readHome returns the home directory of uid, or "". It closes passwd, which is
// an O_PATH descriptor.
func readHome(passwd int, uid uint32) string {
	defer unix.Close(passwd)
	var stat unix.Stat_t
	if err := unix.Fstat(passwd, &stat); err != nil || stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return ""
	}
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(passwd), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return ""
	}
	file := os.NewFile(uintptr(fd), "passwd")
	defer file.Close()
	entry, ok := findPasswd(io.LimitReader(file, passwdLimit), func(e *passwdEntry) bool { return e.uid == uid })
	if !ok {
		return ""
	}
	return entry.home
}
