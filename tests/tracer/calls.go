package tracer

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// effects are the system calls that change something outside of the calling
// thread's memory: the host, another process, or what it will be itself.
var effects = map[uintptr]string{
	unix.SYS_MKDIRAT: "mkdirat", unix.SYS_UNLINKAT: "unlinkat", unix.SYS_RENAMEAT: "renameat", unix.SYS_RENAMEAT2: "renameat2",
	unix.SYS_SYMLINKAT: "symlinkat", unix.SYS_LINKAT: "linkat", unix.SYS_MKNODAT: "mknodat", unix.SYS_FCHMODAT: "fchmodat",
	unix.SYS_FCHOWNAT: "fchownat", unix.SYS_FCHOWN: "fchown", unix.SYS_FTRUNCATE: "ftruncate",
	unix.SYS_OPENAT: "openat", unix.SYS_WRITE: "write", unix.SYS_PWRITE64: "pwrite64",
	unix.SYS_SENDMSG: "sendmsg", unix.SYS_SENDTO: "sendto", unix.SYS_CONNECT: "connect", unix.SYS_BIND: "bind",
	unix.SYS_LISTEN: "listen", unix.SYS_ACCEPT4: "accept4",
	unix.SYS_CLONE: "clone", unix.SYS_CLONE3: "clone3", unix.SYS_EXECVE: "execve", unix.SYS_WAIT4: "wait4",
	unix.SYS_PIDFD_SEND_SIGNAL: "pidfd_send_signal", unix.SYS_KILL: "kill", unix.SYS_FLOCK: "flock",
	unix.SYS_BPF: "bpf", unix.SYS_KEYCTL: "keyctl", unix.SYS_SECCOMP: "seccomp",
	unix.SYS_SETNS: "setns", unix.SYS_UNSHARE: "unshare", unix.SYS_SETSID: "setsid", unix.SYS_SETHOSTNAME: "sethostname",
	unix.SYS_MOUNT: "mount", unix.SYS_UMOUNT2: "umount2", unix.SYS_PIVOT_ROOT: "pivot_root",
	unix.SYS_OPEN_TREE: "open_tree", unix.SYS_MOVE_MOUNT: "move_mount", unix.SYS_FSOPEN: "fsopen", unix.SYS_FSMOUNT: "fsmount",
	unix.SYS_FSCONFIG: "fsconfig", unix.SYS_MOUNT_SETATTR: "mount_setattr", unix.SYS_FCHDIR: "fchdir", unix.SYS_CHROOT: "chroot",
	unix.SYS_SETGROUPS: "setgroups", unix.SYS_SETRESUID: "setresuid", unix.SYS_SETRESGID: "setresgid", unix.SYS_CAPSET: "capset",
	unix.SYS_PRLIMIT64: "prlimit64", unix.SYS_CLOSE_RANGE: "close_range",
}

// hasEffect tells effects from calls of the same number that only look.
func hasEffect(number uintptr, regs *unix.PtraceRegs) bool {
	switch number {
	case unix.SYS_OPENAT:
		return argument(regs, 2)&unix.O_CREAT != 0
	case unix.SYS_CLONE: // a thread is nothing to anybody else, and Go cannot do without
		return argument(regs, 0)&unix.CLONE_THREAD == 0
	case unix.SYS_PRLIMIT64:
		return argument(regs, 2) != 0
	}
	return effects[number] != ""
}

func callName(number uintptr) string {
	if name := effects[number]; name != "" {
		return name
	}
	return "system call " + strconv.Itoa(int(number))
}

// threadGroup is the process id of a thread, from proc_pid_status(5); 0 if it
// is gone.
func threadGroup(tid int) int {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/status")
	_, rest, _ := strings.Cut(string(text), "\nTgid:\t")
	digits, _, _ := strings.Cut(rest, "\n")
	tgid, _ := strconv.Atoi(digits)
	return tgid
}
