package sys

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// The kernel starts the program at entry (entry_*.s, which the linker's -E
// names), not at the Go runtime's own entry point. Two things that the runtime
// sets itself up by are wrong for a command that is over in a few milliseconds,
// and can be changed only before it looks:
//
//   - GOMAXPROCS. The runtime makes room for one thread of Go per processor: on
//     a host with 64 that is a megabyte, first touched page by page. One is
//     enough here. entry puts GOMAXPROCS=1 before all other variables, where
//     it hides a value that an engine has set for itself.
//   - The slack of timers. The runtime's monitor sleeps for 20 microseconds at
//     a time, so that every start of a container has it waking up a hundred
//     times. With a slack of some milliseconds, see PR_SET_TIMERSLACK in
//     prctl(2), the kernel wakes it when it is awake anyway.
//
// A binary that was linked without -E works the same, only slower.

// callerSlack is the slack of timers, in ns, that the caller has chosen; entry
// keeps it here before it changes it. 0 if it did not.
var callerSlack uintptr

// ForkExec is syscall.ForkExec, with the caller's slack of timers for the child,
// which inherits that of the thread that forks it.
func ForkExec(path string, args []string, attr *syscall.ProcAttr) (pid int, err error) {
	if callerSlack != 0 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		// Only an unknown option can fail.
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, callerSlack, 0, 0, 0)
	}
	return syscall.ForkExec(path, args, attr)
}

// GrowStack makes room for 24 KiB more on the stack of this goroutine at once.
// Growing as the need arises takes four steps, each of which copies what is
// there by the compiler's tables, which have to be read from disk for it.
func GrowStack()
