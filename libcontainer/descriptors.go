package libcontainer

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// keepDescriptors makes the first n descriptors from 3 on, and no others,
// available to the container process.
//
// A descriptor that the caller left open for us does not have FD_CLOEXEC, or it
// would not be here; one that the Go runtime or we have opened always has. So a
// caller who promises more descriptors than he has open is refused, instead of
// getting ours: a directory of the host among them would be a way out of the
// container. Whatever else was inherited, engines leave sockets open at 3 to 5,
// ends with this process (CVE-2024-21626).
func keepDescriptors(n int) error {
	if n < 0 { // a sum that has overflowed, of flag and LISTEN_FDS
		return &diag.Error{Op: fmt.Sprintf("unable to stat preserved-fd 0 (of %d)", uint(n)), Err: unix.EBADF, Code: "preserved-fd"}
	}
	for i := range n { // 3+n may be more than there are numbers
		fd := 3 + i
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC != 0 {
			err = unix.EBADF
		}
		if err != nil {
			return &diag.Error{Op: fmt.Sprintf("unable to stat preserved-fd %d (of %d)", i, n), Err: err,
				Hint: fmt.Sprintf("descriptor %d was not open when the runtime was started", fd), Code: "preserved-fd"}
		}
	}
	return hideDescriptors()
}

// hideDescriptors keeps all that was inherited, but for stdio, from programs
// that we execute. The stage gets those to preserve by name, hooks get none.
func hideDescriptors() error {
	err := unix.CloseRange(3, ^uint(0)>>32, unix.CLOSE_RANGE_CLOEXEC)
	if err == unix.EINVAL { // the flag is new in Linux 5.11
		err = closeOnExec(3)
	}
	if err != nil {
		return &diag.Error{Op: "close_range", Err: err}
	}
	return nil
}

// closeOnExec marks each open descriptor from first on.
func closeOnExec(first int) error {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, name := range names {
		if fd, err := strconv.Atoi(name.Name()); err == nil && fd >= first {
			unix.CloseOnExec(fd) // one is the directory just read, and closed
		}
	}
	return nil
}
