package cgroups

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// readDirs lists the directories in fd; files are skipped by their type, which
// cgroup file systems always give.
func readDirs(fd int) ([]string, error) {
	var names []string
	buf := make([]byte, 8192)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return names, err
		}
		names = appendDirs(names, buf[:n])
	}
}

// appendDirs decodes getdents64(2) records:
//
//	0        8        16     18     19
//	| d_ino  | d_off  | len  | type | name, NUL-terminated ... | padding to len
func appendDirs(names []string, buf []byte) []string {
	for len(buf) >= 19 {
		size := int(binary.NativeEndian.Uint16(buf[16:]))
		if size < 19 || size > len(buf) {
			return names
		}
		name := buf[19:size]
		for i, b := range name {
			if b == 0 {
				name = name[:i]
				break
			}
		}
		if buf[18] == unix.DT_DIR && string(name) != "." && string(name) != ".." {
			names = append(names, string(name))
		}
		buf = buf[size:]
	}
	return names
}
