package spec

import (
	"fmt"
	"path"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Linux has 12 bits for a major and 20 for a minor number; higher bits would
// silently make it another device (MAJOR and MINOR in linux/kdev_t.h).
const (
	maxMajor = 1<<12 - 1
	maxMinor = 1<<20 - 1
)

// File type bits of st_mode, see inode(7).
var modeTypes = [...]struct {
	device string
	bits   uint32
}{{"c", 0o020000}, {"u", 0o020000}, {"b", 0o060000}, {"p", 0o010000}}

// devices checks config-linux.md#devices.
func (c *checker) devices(list []specs.LinuxDevice) {
	const field = "linux.devices"
	for i := range list {
		d := &list[i]
		if !oneOf(d.Type, "c b u p") {
			c.unknown(at(field, i)+".type", `device type, it must be "c", "b", "u" or "p"`, d.Type, "")
		}
		if !isAbsolute(d.Path) || path.Clean(d.Path) == "/" {
			c.value(at(field, i)+".path", d.Path, "must be the absolute path of a file")
		}
		if d.Type != "p" {
			c.deviceNumbers(at(field, i), d.Major, d.Minor)
		}
		if d.FileMode != nil {
			c.fileMode(at(field, i)+".fileMode", uint32(*d.FileMode), d.Type)
		}
		if d.UID != nil {
			c.containerID(at(field, i)+".uid", "uid", *d.UID)
		}
		if d.GID != nil {
			c.containerID(at(field, i)+".gid", "gid", *d.GID)
		}
		c.otherDevice(field, list, i)
	}
}

// otherDevice reports a path that an earlier entry makes another device.
func (c *checker) otherDevice(field string, list []specs.LinuxDevice, i int) {
	d := &list[i]
	for j := range list[:i] {
		e := &list[j]
		if e.Path == d.Path && (e.Type != d.Type || e.Major != d.Major || e.Minor != d.Minor) {
			c.value(at(field, i)+".path", d.Path, "is another device in "+at(field, j))
			return
		}
	}
}

// fileMode allows permissions only. The file type is accepted where it says
// the same as type: some engines pass all of st_mode.
func (c *checker) fileMode(field string, mode uint32, device string) {
	for _, t := range modeTypes {
		if t.device == device && mode&^maxPermissions == t.bits {
			return
		}
	}
	if mode > maxPermissions {
		c.unsigned(field, uint64(mode), "must be at most 511 (0777)")
	}
}

func (c *checker) deviceNumbers(object string, major, minor int64) {
	if major < 0 || major > maxMajor {
		c.number(object+".major", major, fmt.Sprintf("must be from 0 to %d", maxMajor))
	}
	if minor < 0 || minor > maxMinor {
		c.number(object+".minor", minor, fmt.Sprintf("must be from 0 to %d", maxMinor))
	}
}
