package rootfs

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// procRootInode is the inode of a procfs's own root directory
// (PROC_ROOT_INO, linux/proc_fs.h).
const procRootInode = 1

// procFile reports the files of /proc that may be covered: lxcfs and the like
// provide views of these to containers. Anything else there is read or written
// by the runtime, or by tools that trust it.
func procFile(dest string) bool {
	switch dest {
	case "proc/cpuinfo", "proc/diskstats", "proc/meminfo", "proc/stat", "proc/swaps", "proc/uptime",
		"proc/loadavg", "proc/slabinfo", "proc/net/dev", "proc/sys/kernel/ns_last_pid", "proc/sys/crypto/fips_enabled":
		return dest != "proc/net/dev" // proc/net is a link to self/net
	}
	return false
}

// checkProc refuses what would put anything but a procfs on /proc.
func (m *mount) checkProc() error {
	switch {
	case m.dest == "proc" && m.family == familyBind:
		var fs unix.Statfs_t
		var st unix.Stat_t
		if unix.Statfs(m.source, &fs) != nil || unix.Stat(m.source, &st) != nil ||
			fs.Type != unix.PROC_SUPER_MAGIC || st.Ino != procRootInode {
			return &diag.Error{Field: m.field + ".source", Path: m.source, Err: errors.New("is no procfs, and nothing else may be on /proc")}
		}
	case m.dest == "proc" && m.family != familyRemount && m.fstype != "proc":
		return &diag.Error{Field: m.field + ".type", Path: m.fstype, Err: errors.New("is not proc, and nothing else may be on /proc")}
	case strings.HasPrefix(m.dest, "proc/") && m.family != familyRemount && (m.family != familyBind || !procFile(m.dest)):
		return &diag.Error{Field: m.field + ".destination", Path: "/" + m.dest, Err: errors.New("lies below /proc, where nothing may be mounted"),
			Hint: "but cpuinfo, diskstats, meminfo, stat, swaps, uptime, loadavg, slabinfo, sys/kernel/ns_last_pid, sys/crypto/fips_enabled"}
	}
	return nil
}

// openProc returns a descriptor of a procfs: the container's, or without one
// a new one that is mounted nowhere, to be closed.
func (r *Rootfs) openProc() (proc nsenter.FD, opened bool) {
	p := r.p
	if m := r.at("proc", len(r.mounts)); m != nil {
		return m.fd, false
	}
	p.Into(r.context)
	fs := p.Fsopen("proc")
	p.FsconfigCreate(fs)
	proc = p.Fsmount(fs, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	p.Close(fs)
	return proc, true
}

// Proc records that a procfs of the container's pid namespace is opened: never
// what an image or a volume has put on /proc, to have labels written into files
// of its own (CVE-2019-16884). The caller closes it, after Finish.
func (r *Rootfs) Proc(p *nsenter.Program) nsenter.FD {
	r.p = p
	p.At("process")
	proc, opened := r.openProc()
	if opened {
		return proc
	}
	return p.Openat2(proc, ".", unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY})
}
