package cgroups

import (
	"golang.org/x/sys/unix"
)

// openDir opens a directory for use as the start of other paths. The caller closes it.
func openDir(at int, path string) (int, error) {
	return openat(at, path, unix.O_PATH|unix.O_DIRECTORY)
}

func openat(at int, path string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(at, path, flags|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// writeFile writes value into a cgroup file with one write(2), as the kernel
// takes each write for a whole command.
func writeFile(dir int, file, value string) error {
	fd, err := openat(dir, file, unix.O_WRONLY)
	if err != nil {
		return err
	}
	err = writeAll(fd, value)
	_ = unix.Close(fd) // the write itself has reported what went wrong
	return err
}

// writeAll retries when interrupted: Go preempts with signals, and the kernel
// may give up a slow memory.max write with EINTR.
func writeAll(fd int, value string) error {
	for {
		_, err := unix.Write(fd, []byte(value))
		if err != unix.EINTR {
			return err
		}
	}
}

// readFile returns the whole of a cgroup file.
func readFile(dir int, file string) (string, error) {
	fd, err := openat(dir, file, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	return readAll(fd)
}

func readAll(fd int) (string, error) {
	text := make([]byte, 0, 512)
	for {
		if len(text) == cap(text) {
			text = append(text, 0)[:len(text)]
		}
		n, err := unix.Read(fd, text[len(text):cap(text)])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return "", err
		case n == 0:
			return string(text), nil
		}
		text = text[:len(text)+n]
	}
}

// cgroupVersion tells by statfs(2) whether fd is in a cgroup file system:
// 1, 2, or 0 for anything else. Nothing is ever created or written where it is 0.
func cgroupVersion(fd int) int {
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) != nil {
		return 0
	}
	switch uint32(fs.Type) {
	case unix.CGROUP_SUPER_MAGIC:
		return 1
	case unix.CGROUP2_SUPER_MAGIC:
		return 2
	}
	return 0
}

// children returns the names of the sub cgroups of an open directory. A cgroup
// directory has two links and one more per sub cgroup, so the usual answer
// costs one fstat(2).
func children(dir int) ([]string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return nil, err
	}
	if st.Nlink <= 2 {
		return nil, nil
	}
	fd, err := openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return readDirs(fd)
}
