package nsenter

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// signature names a system call and its arguments, one letter each:
//
//	f descriptor   s string    d decimal   x hexadecimal   o mode
//	H open_how     M mount_attr  L rlimit   v string array   - not shown
//	P prctl option C capability sets        G array of ids   S sched_attr
//	W bit mask
type signature struct{ name, args string }

// signatureOf is a switch, so that it costs nothing until it is asked.
func signatureOf(nr uint32) signature {
	switch nr {
	case unix.SYS_OPENAT2:
		return signature{"openat2", "fsH-"}
	case unix.SYS_CLOSE:
		return signature{"close", "f"}
	case unix.SYS_CLOSE_RANGE:
		return signature{"close_range", "fxx"}
	case unix.SYS_FCNTL:
		return signature{"fcntl", "fdd"}
	case unix.SYS_DUP3:
		return signature{"dup3", "ffx"}
	case unix.SYS_MKDIRAT:
		return signature{"mkdirat", "fso"}
	case unix.SYS_MKNODAT:
		return signature{"mknodat", "fsox"}
	case unix.SYS_SYMLINKAT:
		return signature{"symlinkat", "sfs"}
	case unix.SYS_READLINKAT:
		return signature{"readlinkat", "fsbd"}
	case unix.SYS_SETXATTR:
		return signature{"setxattr", "sssdx"}
	case unix.SYS_UNLINKAT:
		return signature{"unlinkat", "fsx"}
	case unix.SYS_FCHMODAT:
		return signature{"fchmodat", "fso"}
	case unix.SYS_FCHOWNAT:
		return signature{"fchownat", "fsddx"}
	case unix.SYS_FACCESSAT2:
		return signature{"faccessat2", "fsdx"}
	case unix.SYS_STATX:
		return signature{"statx", "fsx-b"}
	case unix.SYS_FSTATFS:
		return signature{"fstatfs", "fb"}
	case unix.SYS_WRITE:
		return signature{"write", "fsd"}
	case unix.SYS_READ:
		return signature{"read", "fbd"}
	case unix.SYS_CHDIR:
		return signature{"chdir", "s"}
	case unix.SYS_GETCWD:
		return signature{"getcwd", "bd"}
	case unix.SYS_FCHDIR:
		return signature{"fchdir", "f"}
	case unix.SYS_IOCTL:
		return signature{"ioctl", "fxx"}
	}
	return mountSignature(nr)
}

func mountSignature(nr uint32) signature {
	switch nr {
	case unix.SYS_OPEN_TREE:
		return signature{"open_tree", "fsx"}
	case unix.SYS_MOVE_MOUNT:
		return signature{"move_mount", "fsfs-"}
	case unix.SYS_FSOPEN:
		return signature{"fsopen", "s-"}
	case unix.SYS_FSCONFIG:
		return signature{"fsconfig", "fdss-"}
	case unix.SYS_FSMOUNT:
		return signature{"fsmount", "f-x"}
	case unix.SYS_FSPICK:
		return signature{"fspick", "fs-"}
	case unix.SYS_MOUNT_SETATTR:
		return signature{"mount_setattr", "fsxM-"}
	case unix.SYS_MOUNT:
		return signature{"mount", "sssxs"}
	case unix.SYS_PIVOT_ROOT:
		return signature{"pivot_root", "ss"}
	case unix.SYS_UMOUNT2:
		return signature{"umount2", "sx"}
	case unix.SYS_CHROOT:
		return signature{"chroot", "s"}
	}
	return processSignature(nr)
}

func processSignature(nr uint32) signature {
	switch nr {
	case unix.SYS_SETNS:
		return signature{"setns", "fx"}
	case unix.SYS_UNSHARE:
		return signature{"unshare", "x"}
	case unix.SYS_CLONE3:
		return signature{"clone3", "bd"}
	case unix.SYS_PRCTL:
		return signature{"prctl", "Pxxxx"}
	case unix.SYS_CAPSET:
		return signature{"capset", "-C"}
	case unix.SYS_SETRESUID:
		return signature{"setresuid", "ddd"}
	case unix.SYS_SETRESGID:
		return signature{"setresgid", "ddd"}
	case unix.SYS_SETGROUPS:
		return signature{"setgroups", "dG"}
	case unix.SYS_UMASK:
		return signature{"umask", "o"}
	case unix.SYS_PRLIMIT64:
		return signature{"prlimit64", "-dL-"}
	case unix.SYS_SETHOSTNAME:
		return signature{"sethostname", "sd"}
	case unix.SYS_SETDOMAINNAME:
		return signature{"setdomainname", "sd"}
	case unix.SYS_SETSID:
		return signature{"setsid", ""}
	case unix.SYS_KEYCTL:
		return signature{"keyctl", "dsx"}
	case unix.SYS_PERSONALITY:
		return signature{"personality", "x"}
	case unix.SYS_SECCOMP:
		return signature{"seccomp", "dx-"}
	case unix.SYS_SENDMSG:
		return signature{"sendmsg", "f--"}
	case unix.SYS_RECVMSG:
		return signature{"recvmsg", "f--"}
	case unix.SYS_SENDTO:
		return signature{"sendto", "f-d"}
	case unix.SYS_SOCKET:
		return signature{"socket", "ddd"}
	case unix.SYS_ACCEPT4:
		return signature{"accept4", "f---"}
	case unix.SYS_SCHED_SETATTR:
		return signature{"sched_setattr", "dS"}
	case unix.SYS_SCHED_SETAFFINITY:
		return signature{"sched_setaffinity", "ddW"}
	case unix.SYS_IOPRIO_SET:
		return signature{"ioprio_set", "ddx"}
	case unix.SYS_SET_MEMPOLICY:
		return signature{"set_mempolicy", "xWd"}
	case unix.SYS_EXECVE:
		return signature{"execve", "pvv"}
	case unix.SYS_EXIT_GROUP:
		return signature{"exit_group", "d"}
	}
	return signature{fmt.Sprintf("syscall_%d", nr), "xxxxxx"}
}

// List writes the Program as text, one op a line: number, config field, call.
func (p *Program) List(w io.Writer) {
	l := lister{Program: p, names: map[uint64]string{}}
	for i := range p.ops {
		fmt.Fprintf(w, "%4d  %-28s %s\n", i, p.notes[i].field, l.line(i))
	}
}

// lister names words in the order in which they first appear.
type lister struct {
	*Program
	names map[uint64]string
}

func (l *lister) word(address uint64) string {
	if _, ok := l.names[address]; !ok {
		l.names[address] = fmt.Sprintf("w%d", len(l.names)+1)
	}
	return l.names[address]
}

func (l *lister) line(i int) string {
	o := &l.ops[i]
	to := i + int(o.skip/opSize)
	switch {
	case o.kind == kindStore:
		return fmt.Sprintf("%s = %s", l.word(o.args[1]), l.source(o.args[0]))
	case o.kind == kindCheck && o.args[1] == 0 && o.skip == 0:
		return "fault: " + l.notes[i].meaning
	case o.kind == kindCheck && o.args[1] == 0:
		return fmt.Sprintf("skip to %d", to)
	case o.kind == kindCheck:
		s := fmt.Sprintf("check %s&%#x == %#x", l.word(o.args[0]), o.args[1], o.args[2])
		if o.skip != 0 {
			return s + fmt.Sprintf(", else %d", to)
		}
		return s + ", else fault: " + l.notes[i].meaning
	}
	return l.result(o) + l.call(o) + l.errnos(o, to)
}

// source shows a stored constant by what it is, else the word's name.
func (l *lister) source(address uint64) string {
	if v := quad(l.arena[address-arenaBase:]); address >= arenaBase+wordArea && v != 0 {
		if s := l.text(v); s != "" {
			return fmt.Sprintf("%q", s)
		}
		return fmt.Sprint(v)
	}
	return l.word(address)
}

func (l *lister) result(o *op) string {
	if o.result == uint64(scratch) {
		return ""
	}
	return l.word(o.result) + " = "
}

func (l *lister) call(o *op) string {
	s := signatureOf(o.nr)
	var args []string
	for i, kind := range s.args {
		if kind != '-' {
			args = append(args, l.arg(o, i, kind))
		}
	}
	return s.name + "(" + strings.Join(args, ", ") + ")"
}

func (l *lister) errnos(o *op, to int) string {
	if o.skip == 0 {
		return ""
	}
	var names []string
	for _, e := range o.errnos {
		if e != 0 {
			names = append(names, unix.ErrnoName(unix.Errno(e)))
		}
	}
	return fmt.Sprintf("  [%s: %d]", strings.Join(names, " "), to)
}

func (l *lister) arg(o *op, i int, kind rune) string {
	v := o.args[i]
	if o.words&(1<<i) != 0 {
		return l.word(v)
	}
	switch kind {
	case 'f':
		return l.descriptor(int32(v))
	case 's':
		return fmt.Sprintf("%q", l.text(v))
	case 'd':
		return fmt.Sprint(int64(v))
	case 'o':
		return fmt.Sprintf("%#o", v)
	case 'b':
		return "&" + l.word(v)
	case 'v':
		return l.vector(v)
	case 'H':
		return fmt.Sprintf("{%s mode=%#o resolve=%#x}", openFlags(l.quad(v)), l.quad(v+8), l.quad(v+16))
	case 'M':
		return fmt.Sprintf("{set=%#x clr=%#x propagation=%#x}", l.quad(v), l.quad(v+8), l.quad(v+16))
	case 'L':
		return fmt.Sprintf("{%d %d}", l.quad(v), l.quad(v+8))
	}
	return l.processArg(o, v, kind)
}

func (l *lister) quad(address uint64) uint64 { return quad(l.arena[address-arenaBase:]) }

func (l *lister) descriptor(fd int32) string {
	given := int(fd) - l.status - 1
	switch {
	case fd == unix.AT_FDCWD:
		return "AT_FDCWD"
	case int(fd) == l.status:
		return "status"
	case given >= 0 && given < len(l.given):
		return l.given[given].label
	}
	return fmt.Sprint(fd)
}

func (l *lister) vector(address uint64) string {
	var list []string
	for ; l.quad(address) != 0; address += 8 {
		list = append(list, fmt.Sprintf("%q", l.text(l.quad(address))))
	}
	return "[" + strings.Join(list, " ") + "]"
}

func openFlags(flags uint64) string {
	names := []string{}
	for _, f := range []struct {
		bit  uint64
		name string
	}{
		{unix.O_PATH, "O_PATH"}, {unix.O_DIRECTORY, "O_DIRECTORY"}, {unix.O_NOFOLLOW, "O_NOFOLLOW"},
		{unix.O_CREAT, "O_CREAT"}, {unix.O_EXCL, "O_EXCL"}, {unix.O_WRONLY, "O_WRONLY"}, {unix.O_RDWR, "O_RDWR"},
		{unix.O_NONBLOCK, "O_NONBLOCK"}, {unix.O_NOCTTY, "O_NOCTTY"}, {unix.O_TRUNC, "O_TRUNC"},
	} {
		if flags&f.bit == f.bit {
			names = append(names, f.name)
		}
	}
	if len(names) == 0 {
		return "O_RDONLY"
	}
	return strings.Join(names, "|")
}

// flagNames words CLONE_NEW* flags.
func flagNames(flags uintptr) string {
	names := []string{}
	for _, n := range Types() {
		if flags&n.Flag() != 0 {
			names = append(names, "CLONE_NEW"+strings.ToUpper(string(n)))
		}
	}
	return strings.Join(names, "|")
}
