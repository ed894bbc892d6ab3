package sys

import "golang.org/x/sys/unix"

// PtyPeer opens the other side of the pseudo terminal master, close-on-exec and
// without becoming its session: ioctl_tty(2), TIOCGPTPEER (Linux 4.13).
func PtyPeer(master int) (int, error) {
	const flags = unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, flags)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}
