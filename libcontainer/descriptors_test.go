package libcontainer

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestCloseOnExec(t *testing.T) {
	var fds []int
	for range 3 {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		fds = append(fds, fd)
	}
	if err := closeOnExec(fds[1]); err != nil {
		t.Fatal(err)
	}
	for i, fd := range fds {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil {
			t.Fatal(err)
		}
		if marked := flags&unix.FD_CLOEXEC != 0; marked != (i > 0) {
			t.Errorf("descriptor %d (the %d. of %v) is marked: %v", fd, i, fds, marked)
		}
	}
}
