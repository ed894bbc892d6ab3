package rootfs

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// mapIDs id-maps the detached source fd of m (mount_setattr(2), "ID-mapped
// mounts"): by its own mapping, else by that of the container's user namespace.
func (r *Rootfs) mapIDs(s *nsenter.Stage, m *mount, fd int) error {
	var userns int
	var err error
	if uids, gids := r.mappings(m); len(uids) > 0 {
		userns, err = newUserns(uids, gids)
	} else {
		userns, err = nsenter.OpenNamespace(nsenter.User, "/proc/"+strconv.Itoa(s.Pid)+"/ns/user")
	}
	if err != nil {
		return &diag.Error{Field: m.field + ".uidMappings", Err: err}
	}
	defer unix.Close(userns)
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userns)}
	err = unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|recursively(m.idmapTree), attr)
	if err == unix.EINVAL {
		return &diag.Error{Field: m.field, Op: "id-map", Path: m.source, Err: err, Code: "mount-idmap",
			Hint: "its file system, " + fsName(m.source) + ", does not support it"}
	}
	if err != nil {
		return &diag.Error{Field: m.field, Op: "id-map", Path: m.source, Err: err, Code: "mount-idmap"}
	}
	return nil
}

// mappings are m's own, or none.
func (r *Rootfs) mappings(m *mount) (uids, gids []specs.LinuxIDMapping) {
	if c := r.in.Config.Mounts[m.index]; len(c.UIDMappings) > 0 {
		return c.UIDMappings, c.GIDMappings
	}
	if m.idmapping == "" {
		return nil, nil
	}
	uids, gids, _ = parseIDMapping(m.idmapping) // checked by parseOptions
	return uids, gids
}

// newUserns makes a user namespace with these mappings: a stage is born in it
// and ends as soon as the namespace has been opened.
func newUserns(uids, gids []specs.LinuxIDMapping) (int, error) {
	p := nsenter.New(0)
	p.Send(1, 0)
	p.Wait()
	s, err := p.Start(nsenter.Options{Args: []string{"runtime:idmap"}, CloneFlags: unix.CLONE_NEWUSER, Cgroup: -1, Stdio: [3]int{0, 1, 2}})
	if err != nil {
		return -1, err
	}
	defer func() {
		_, _ = s.Kill(10 * time.Second) // it has nothing to tell
		s.Close()
	}()
	if _, err := s.Next(10 * time.Second); err != nil {
		return -1, err
	}
	proc := "/proc/" + strconv.Itoa(s.Pid)
	for name, mappings := range map[string][]specs.LinuxIDMapping{"/uid_map": uids, "/gid_map": gids} {
		text := ""
		for _, m := range mappings {
			text += fmt.Sprintf("%d %d %d\n", m.ContainerID, m.HostID, m.Size)
		}
		if err := os.WriteFile(proc+name, []byte(text), 0); err != nil {
			return -1, err
		}
	}
	return nsenter.OpenNamespace(nsenter.User, proc+"/ns/user")
}
