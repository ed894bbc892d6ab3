package rootfs

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// Before Linux 5.12 there is no mount_setattr(2). Then the flags of a mount are
// changed once it is in its place, by mount(2) on ".", or for a file on the link
// of its descriptor in /proc. What is lost: recursive attributes, id-mapped
// mounts, and that "ro" on a recursive bind of /sys covers the cgroups below.

// errOldKernel is for options that have no other way.
var errOldKernel = errors.New("needs Linux 5.12")

// classicFile is a descriptor number that nothing else uses, and its path.
const (
	classicFile = 1000
	classicPath = "/proc/self/fd/1000"
)

// oldKernel reports a kernel before 5.12.
func oldKernel() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	return olderThan(unix.ByteSliceToString(u.Release[:]), 5, 12)
}

// olderThan compares a release such as "5.10.0-28-amd64".
func olderThan(release string, major, minor int) bool {
	first, rest, _ := strings.Cut(release, ".")
	second := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	a, err1 := strconv.Atoi(first)
	b, err2 := strconv.Atoi(second)
	return err1 == nil && err2 == nil && (a < major || a == major && b < minor)
}

// checkClassic refuses what an old kernel cannot do for m.
func (m *mount) checkClassic() error {
	if !m.tree.empty() {
		return &diag.Error{Field: m.field + ".options", Err: errOldKernel, Hint: "recursive options are for mount_setattr(2)", Code: "kernel-too-old"}
	}
	if m.idmap {
		return &diag.Error{Field: m.field + ".options", Op: "option", Path: "idmap", Err: errOldKernel, Code: "kernel-too-old"}
	}
	return nil
}

// target is a mount to change.
type target struct {
	fd   nsenter.FD
	file bool   // it is no directory
	had  uint64 // MOUNT_ATTR_* it has already; only old kernels are told again
}

// change records a change of the mount t, or of the tree below it as well.
func (r *Rootfs) change(t target, recursive bool, a unix.MountAttr) {
	p := r.p
	if !r.classic {
		p.MountSetattr(t.fd, "", recursively(recursive), a)
		return
	}
	path := "."
	if t.file {
		p.Dup3(t.fd, nsenter.Number(classicFile), unix.O_CLOEXEC)
		path = classicPath
	} else {
		p.Fchdir(t.fd)
	}
	if a.Attr_set|a.Attr_clr != 0 {
		flags := mountFlags(t.had&^a.Attr_clr | a.Attr_set)
		p.Mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND|flags, "")
	}
	if a.Propagation != 0 {
		flags := uintptr(a.Propagation)
		if recursive {
			flags |= unix.MS_REC
		}
		p.Mount("", path, "", flags, "")
	}
	if t.file {
		p.Close(nsenter.Number(classicFile))
	}
}

// mountFlags are the MS_* for MOUNT_ATTR_*.
func mountFlags(set uint64) uintptr {
	var flags uintptr
	for _, f := range attributeFlags {
		if set&f.attribute != 0 {
			flags |= f.flag
		}
	}
	return flags
}

var attributeFlags = [...]struct {
	attribute uint64
	flag      uintptr
}{
	{unix.MOUNT_ATTR_RDONLY, unix.MS_RDONLY}, {unix.MOUNT_ATTR_NOSUID, unix.MS_NOSUID},
	{unix.MOUNT_ATTR_NODEV, unix.MS_NODEV}, {unix.MOUNT_ATTR_NOEXEC, unix.MS_NOEXEC},
	{unix.MOUNT_ATTR_NODIRATIME, unix.MS_NODIRATIME}, {unix.MOUNT_ATTR_NOATIME, unix.MS_NOATIME},
	{unix.MOUNT_ATTR_STRICTATIME, unix.MS_STRICTATIME}, {unix.MOUNT_ATTR_NOSYMFOLLOW, unix.MS_NOSYMFOLLOW},
}

// attributesBefore are those m has before its options: of its source, or of what
// it remounts.
func (r *Rootfs) attributesBefore(m *mount) uint64 {
	if m.family == familyBind {
		return attributesOf(m.source)
	}
	var had uint64
	for i := range r.mounts {
		if e := &r.mounts[i]; m.family == familyRemount && e.dest == m.dest {
			had = e.had&^e.own.clear | e.own.set
		}
	}
	return had
}

// attributesOf are the MOUNT_ATTR_* of the mount that path is on. ST_* flags
// have the values of MS_*, but for relatime, which is the default.
func attributesOf(path string) uint64 {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return 0
	}
	var set uint64
	for _, f := range attributeFlags {
		if uintptr(st.Flags)&f.flag != 0 && f.flag != unix.MS_STRICTATIME && f.flag != unix.MS_NOSYMFOLLOW {
			set |= f.attribute
		}
	}
	const relatime = unix.ST_RELATIME | unix.ST_NOATIME
	if st.Flags&relatime == 0 {
		set |= unix.MOUNT_ATTR_STRICTATIME
	}
	return set
}
