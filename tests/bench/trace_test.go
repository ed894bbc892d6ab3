package main

import "testing"

// A log of strace -f -q: two processes and a thread, a call that another one interrupts,
// a signal, and calls of a container that outlives the command.
const straceLog = `100 execve("/bin/x", ["x"], 0x7ffe /* 3 vars */) = 0
100 openat(AT_FDCWD, "/nothing", O_RDONLY) = -1 ENOENT (No such file or directory)
100 clone(child_stack=0xc0, flags=CLONE_VM|CLONE_FS|CLONE_THREAD|CLONE_SYSVSEM) = 101
101 futex(0x1, FUTEX_WAIT, 0, NULL <unfinished ...>
100 clone3({flags=CLONE_NEWNS|CLONE_NEWPID, exit_signal=SIGCHLD}, 88 <unfinished ...>
102 write(4, "r", 1)                  = 1
100 <... clone3 resumed>)             = 102
101 <... futex resumed>)              = -1 EAGAIN (Resource temporarily unavailable)
100 --- SIGCHLD {si_signo=SIGCHLD} ---
102 read(5,  <unfinished ...>
101 +++ exited with 0 +++
100 exit_group(0)                     = ?
100 +++ exited with 0 +++
102 <... read resumed>"s", 1)         = 1
102 execve("/bin/sleep", ["sleep"], 0x1 /* 1 var */) = 0
`

func TestCountTrace(t *testing.T) {
	want := counts{calls: 8, failed: 2, processes: 2, threads: 1, end: "exited with 0"}
	if got := countTrace(straceLog); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := countTrace(straceLog[:300]); got.end != "" {
		t.Errorf("half a log counts as %q", got.end)
	}
}
