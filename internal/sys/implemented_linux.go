package sys

import "golang.org/x/sys/unix"

// Implemented reports whether the kernel has a system call, by making it with
// arguments that none of those accepts which check flags, sizes or addresses
// first: all are -1. A seccomp filter that answers ENOSYS hides a call.
func Implemented(nr uintptr) bool {
	const bad = ^uintptr(0)
	_, _, err := unix.RawSyscall6(nr, bad, bad, bad, bad, bad, bad)
	return err != unix.ENOSYS
}
