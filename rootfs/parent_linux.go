package rootfs

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// Where the stage waits for Handle. The numbers from FirstSync on are ours.
const (
	FirstSync   nsenter.Sync = 0x100
	syncCopyUp               = FirstSync     // value: the mount; files: what it covers, the tmpfs
	syncSources              = FirstSync + 1 // the parent takes the sources
)

// sent reports whether the parent takes the sources: in a user namespace the
// stage may be unable to reach them, and only a privileged process may map ids.
func (r *Rootfs) sent() bool {
	if r.in.Rootless {
		return false
	}
	for i := range r.mounts {
		if r.mounts[i].idmap {
			return true
		}
	}
	return r.in.Userns
}

// most descriptors that one message carries, SCM_MAX_FD (unix(7)).
const mostFiles = 253

func (r *Rootfs) receiveSources() {
	p := r.p
	p.At("mounts")
	p.Send(syncSources, 0)
	fds := []*nsenter.FD{&r.root}
	for i := range r.mounts {
		if r.mounts[i].family == familyBind {
			fds = append(fds, &r.mounts[i].fd)
		}
	}
	for len(fds) > 0 {
		n := min(len(fds), mostFiles)
		for i, fd := range p.ReceiveFiles(n) {
			*fds[i] = fd
		}
		fds = fds[n:]
	}
}

// Handle answers an event of the stage if it is one of ours.
func (r *Rootfs) Handle(s *nsenter.Stage, e nsenter.Event) (handled bool, err error) {
	switch e.Sync {
	case syncSources:
		return true, r.sendSources(s)
	case syncCopyUp:
		return true, r.copyUp(s, e)
	}
	return false, nil
}

// sendSources takes the sources in the runtime's mount namespace. The copies
// are detached: nothing appears in it.
func (r *Rootfs) sendSources(s *nsenter.Stage) error {
	fds := []int{}
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	fd, err := takeTree(r.path, unix.OPEN_TREE_CLONE|unix.AT_RECURSIVE)
	if err != nil {
		return &diag.Error{Field: "root.path", Op: "open_tree", Path: r.path, Err: err}
	}
	fds = append(fds, fd)
	for i := range r.mounts {
		m := &r.mounts[i]
		if m.family != familyBind {
			continue
		}
		fd, err := takeTree(m.source, m.openTreeFlags())
		if err != nil {
			return &diag.Error{Field: m.field + ".source", Op: "open_tree", Path: m.source, Err: err}
		}
		fds = append(fds, fd)
		if m.idmap {
			if err := r.mapIDs(s, m, fd); err != nil {
				return err
			}
		}
	}
	for at := 0; at < len(fds); at += mostFiles {
		if err := s.SendFiles(fds[at:min(len(fds), at+mostFiles)]...); err != nil {
			return err
		}
	}
	return nil
}

// takeTree copies the mounts at path. They get the host's mounts as masters, as
// copies in a new mount namespace do, never as peers.
func takeTree(path string, flags uint) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, flags|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, err
	}
	slave := &unix.MountAttr{Propagation: unix.MS_SLAVE}
	err = unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, slave)
	if err != nil && err != unix.ENOSYS { // the stage does it on old kernels
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// findCovered lists the procfs and sysfs mounts of the host, which --no-pivot
// leaves below the container's root.
func (r *Rootfs) findCovered() error {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return &diag.Error{Op: "--no-pivot", Err: err}
	}
	for line := range strings.Lines(string(data)) {
		path, ok := coveredMount(line)
		if ok && !below(path, r.path) {
			r.covered = append(r.covered, path)
		}
	}
	return nil
}

// coveredMount returns the mount point of a complete procfs or sysfs, from a
// line of proc_pid_mountinfo(5):
//
//	36 35 98:0 /root /mount/point options [optional fields] - type source options
func coveredMount(line string) (string, bool) {
	first, second, ok := strings.Cut(line, " - ")
	fields := strings.Fields(first)
	fstype, _, _ := strings.Cut(second, " ")
	if !ok || len(fields) < 5 || fields[3] != "/" || fstype != "proc" && fstype != "sysfs" {
		return "", false
	}
	return unescape(fields[4]), true
}

// unescape undoes the octal escapes of mountinfo: \040 is a space.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
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
