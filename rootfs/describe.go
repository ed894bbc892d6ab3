package rootfs

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What files are, in words, for errors alone.

func statInRoot(root int, path string) (unix.Stat_t, error) {
	var st unix.Stat_t
	fd, err := unix.Openat2(root, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: inRoot})
	if err != nil {
		return st, err
	}
	defer unix.Close(fd)
	return st, unix.Fstat(fd, &st)
}

// describe says in words what path is: its type and, as an engine may have made
// it by mistake, whether it is an empty directory and how old.
func describe(dir int, path string, nofollow bool) string {
	flags := unix.O_PATH | unix.O_CLOEXEC
	how := &unix.OpenHow{Flags: uint64(flags)}
	if dir != unix.AT_FDCWD {
		how.Resolve = inRoot
	}
	if nofollow {
		how.Flags |= unix.O_NOFOLLOW
	}
	fd, err := unix.Openat2(dir, path, how)
	if err != nil {
		return "missing"
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "unreadable"
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return describeDirectory(fd)
	case unix.S_IFLNK:
		buf := make([]byte, unix.PathMax)
		n, _ := unix.Readlinkat(fd, "", buf)
		return "a symbolic link to " + string(buf[:max(n, 0)])
	case unix.S_IFREG:
		return "a file"
	}
	return "a special file"
}

func describeDirectory(fd int) string {
	names, err := os.ReadDir("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil || len(names) > 0 {
		return "a directory"
	}
	text := "an empty directory"
	var stx unix.Statx_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &stx) == nil && stx.Mask&unix.STATX_BTIME != 0 {
		age := time.Since(time.Unix(stx.Btime.Sec, 0)).Round(time.Second)
		text += " made " + age.String() + " ago"
	}
	return text
}

// fsName is the type of the file system that path is on.
func fsName(path string) string {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "unknown"
	}
	best, name := "", "unknown"
	for line := range strings.Lines(string(data)) {
		first, second, _ := strings.Cut(line, " - ")
		fields := strings.Fields(first)
		if len(fields) < 5 {
			continue
		}
		at := unescape(fields[4])
		if len(at) >= len(best) && (at == "/" || below(filepath.Clean(path), at)) {
			best = at
			name, _, _ = strings.Cut(second, " ")
		}
	}
	return name
}
