package sys

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Executable is a program held in memory, which no other process can reach or
// change.
type Executable struct {
	Path string // what execve(2) takes, in this process and its children, until Close
	fd   int
}

// NewExecutable makes an Executable that shows up under name.
//
// It lies on a tmpfs that is mounted nowhere and read only. Mounting takes
// CAP_SYS_ADMIN; without it it is a sealed memfd, which security monitors are
// wary of (falcosecurity/rules#266) and the sysctl vm.memfd_noexec=2 forbids.
func NewExecutable(name, content string) (Executable, error) {
	dir, err := executableMount(name, content)
	if err == nil {
		return Executable{"/proc/self/fd/" + strconv.Itoa(dir) + "/" + name, dir}, nil
	}
	if err != unix.EPERM {
		return Executable{}, err
	}
	fd, err := executableMemfd(name, content)
	return Executable{"/proc/self/fd/" + strconv.Itoa(fd), fd}, err
}

// Close gives the memory back. A process that runs the program keeps it.
func (e Executable) Close() { _ = unix.Close(e.fd) } // nothing is written to it

func executableMount(name, content string) (dir int, err error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	dir, err = unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOSUID)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Openat(dir, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o700)
	if err == nil {
		err = writeAndClose(fd, content)
	}
	if err == nil {
		err = unix.Fchmodat(dir, name, 0o500, 0) // whatever the umask was
	}
	if err == nil {
		err = unix.MountSetattr(dir, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}) // Linux 5.12
	}
	if err == unix.ENOSYS {
		err = nil // nobody else has the mount
	}
	if err != nil {
		_ = unix.Close(dir) // the first error says what is wrong
		return -1, err
	}
	return dir, nil
}

// writeAndClose: a program still open for writing cannot be executed.
func writeAndClose(fd int, content string) error {
	file := os.NewFile(uintptr(fd), "")
	_, err := io.WriteString(file, content)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}

func executableMemfd(name, content string) (fd int, err error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err = unix.MemfdCreate(name, flags|unix.MFD_EXEC)
	if err == unix.EINVAL { // MFD_EXEC is Linux 6.3
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return -1, err
	}
	writer, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = writeAndClose(writer, content)
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		_ = unix.Close(fd) // the first error says what is wrong
		return -1, err
	}
	return fd, nil
}
