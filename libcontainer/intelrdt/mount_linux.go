package intelrdt

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Root is where resctrl is mounted in our mount namespace. The specification
// makes it an error when it is not.
func Root() (string, error) {
	const usual = "/sys/fs/resctrl"
	var st unix.Statfs_t
	if unix.Statfs(usual, &st) == nil && st.Type == unix.RDTGROUP_SUPER_MAGIC {
		return usual, nil
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", &diag.Error{Field: field, Op: "read", Path: "/proc/self/mountinfo", Err: err}
	}
	if root := find(string(text)); root != "" {
		return root, nil
	}
	return "", &diag.Error{Field: field, Err: errors.New("resctrl is not mounted"), Hint: hint(), Code: "intelrdt"}
}

// find returns the mount point of a resctrl in a mountinfo, proc_pid_mountinfo(5):
// the fifth field, and the type after a lone "-".
func find(mountinfo string) string {
	for l := range strings.Lines(mountinfo) {
		before, after, _ := strings.Cut(l, " - ")
		if f := strings.Fields(before); len(f) > 4 && strings.HasPrefix(after, "resctrl ") {
			return f[4]
		}
	}
	return ""
}

func hint() string {
	text, _ := os.ReadFile("/proc/filesystems")
	if strings.Contains(string(text), "\tresctrl\n") {
		return "mount -t resctrl resctrl /sys/fs/resctrl"
	}
	return "this kernel or processor has no such control"
}
