package view

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Mount is one line of a mountinfo file, proc_pid_mountinfo(5):
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//	(0)(1)(2)  (3)   (4)   (5)        (6...)  (*) (a)  (b)       (c)
type Mount struct {
	Root    string   // (3) the directory of the file system that is mounted
	Point   string   // (4) where
	Options []string // (5) per-mount options: ro, nosuid, ...
	Fields  []string // (6) propagation: shared:N, master:N, unbindable
	Type    string   // (a)
	Source  string   // (b)
	Super   []string // (c) per-superblock options
}

// Mounts reads a mountinfo file, in mount order.
func Mounts(file string) ([]Mount, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return ParseMounts(string(text)), nil
}

// ParseMounts reads the text of a mountinfo file. Lines it cannot read are
// left out.
func ParseMounts(text string) []Mount {
	var mounts []Mount
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(strings.TrimSpace(line), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 6 || len(right) < 2 {
			continue
		}
		m := Mount{
			Root:    unescape(left[3]),
			Point:   unescape(left[4]),
			Options: strings.Split(left[5], ","),
			Fields:  left[6:],
			Type:    right[0],
			Source:  unescape(right[1]),
		}
		if len(right) > 2 {
			m.Super = strings.Split(right[2], ",")
		}
		mounts = append(mounts, m)
	}
	return mounts
}

// Has tells whether the mount shows the option, whether the kernel keeps it
// with the mount or with the superblock.
func (m Mount) Has(option string) bool {
	return slices.Contains(m.Options, option) || slices.Contains(m.Super, option)
}

// Propagation returns "shared", "slave", "unbindable" or "private"; a mount
// that is both slave and shared is called "shared".
func (m Mount) Propagation() string {
	kind := "private"
	for _, f := range m.Fields {
		switch {
		case strings.HasPrefix(f, "shared:"):
			return "shared"
		case strings.HasPrefix(f, "master:"):
			kind = "slave"
		case f == "unbindable":
			kind = "unbindable"
		}
	}
	return kind
}

// unescape undoes the octal escapes (\040 for a space) of mountinfo.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Within tells whether path is dir or lies below it.
func Within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}

// Unmount removes the chosen mounts, the newest first. It detaches them, for
// Go's own runtime keeps the CPU quota file of its cgroup open (Go 1.25).
func Unmount(chosen func(Mount) bool) error {
	mounts, err := Mounts("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for _, m := range slices.Backward(mounts) {
		if !chosen(m) {
			continue
		}
		if err := unix.Unmount(m.Point, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("umount %s: %w", m.Point, err)
		}
	}
	return nil
}
