package diag

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// Limited returns err with the limit that it has met as a hint, if it is about
// too many open files (getrlimit(2), proc_sys_fs(5)) and has none yet. It must
// be called by the process that the limit is of, on the way out.
func Limited(err error) error {
	f := factsOf(err)
	if f.hint != "" {
		return err
	}
	var hint string
	switch f.number {
	case unix.EMFILE:
		var limit unix.Rlimit
		if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
			return err
		}
		hint = "RLIMIT_NOFILE is " + strconv.FormatUint(limit.Cur, 10)
		if f.op == "inotify_init1" { // inotify_init(2)
			hint += ", the sysctl fs.inotify.max_user_instances " + sysctl("fs/inotify/max_user_instances")
		}
	case unix.ENFILE:
		hint = "the sysctl fs.file-max is " + sysctl("fs/file-max")
	default:
		return err
	}
	return &Error{Err: err, Hint: hint}
}

// sysctl is the value of a sysctl, or "reached" where there is no descriptor
// left to read it with.
func sysctl(file string) string {
	fd, err := unix.Open("/proc/sys/"+file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "reached"
	}
	defer unix.Close(fd)
	var b [32]byte
	n, err := unix.Read(fd, b[:])
	if err != nil || n < 2 {
		return "reached"
	}
	return string(b[:n-1])
}
