package process

import (
	"fmt"
	"os"
	"slices"
	"sort"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// listed is how many names of a directory a hint shows.
const listed = 12

// list returns some names of dir, sorted, and whether it is the root of a mount.
// Names are nil when they cannot be read.
func (v *view) list(dir string) (names []string, mount bool) {
	fd, err := v.open(dir, unix.O_DIRECTORY)
	if err != nil {
		return nil, false
	}
	defer unix.Close(fd)
	var s unix.Statx_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_TYPE, &s) == nil {
		mount = s.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
	}
	file, err := os.Open("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return nil, mount
	}
	defer file.Close()
	names, _ = file.Readdirnames(1000)
	sort.Strings(names)
	if len(names) > listed {
		names = append(names[:listed], "…")
	}
	for i, name := range names {
		names[i] = printable(name)
	}
	if names == nil {
		names = []string{}
	}
	return names, mount
}

// printable quotes a name that would garble a line of log.
func printable(name string) string {
	if q := strconv.Quote(name); q != `"`+name+`"` && name != "…" {
		return q
	}
	return name
}

// viewer is who looks at files: the ids of the container process as the runtime
// sees them, which are those of Stat_t.
type viewer struct {
	uid, gid  uint32 // as configured, for words
	hostUID   uint32
	hostGIDs  []uint32
	overrides bool // has CAP_DAC_OVERRIDE: denied by neither mode nor owner
}

func viewerOf(s *specs.Process, linux *specs.Linux) viewer {
	var uids, gids []specs.LinuxIDMapping
	if linux != nil {
		uids, gids = linux.UIDMappings, linux.GIDMappings
	}
	w := viewer{uid: s.User.UID, gid: s.User.GID, hostUID: hostID(s.User.UID, uids)}
	for _, gid := range append([]uint32{s.User.GID}, s.User.AdditionalGids...) {
		w.hostGIDs = append(w.hostGIDs, hostID(gid, gids))
	}
	if c := s.Capabilities; c != nil {
		w.overrides = slices.Contains(c.Effective, "CAP_DAC_OVERRIDE")
	}
	return w
}

// hostID maps a container id; one that is not mapped stays itself.
func hostID(id uint32, mappings []specs.LinuxIDMapping) uint32 {
	for _, m := range mappings {
		if id >= m.ContainerID && id-m.ContainerID < m.Size {
			return m.HostID + (id - m.ContainerID)
		}
	}
	return id
}

// mayExecute applies the classes of the mode, path_resolution(7).
func (w *viewer) mayExecute(s *unix.Stat_t) bool {
	directory := s.Mode&unix.S_IFMT == unix.S_IFDIR
	switch {
	case w.overrides && (directory || s.Mode&0o111 != 0):
		return true
	case s.Uid == w.hostUID:
		return s.Mode&0o100 != 0
	case slices.Contains(w.hostGIDs, s.Gid):
		return s.Mode&0o010 != 0
	}
	return s.Mode&0o001 != 0
}

// searchHint names the first directory on the way to path that the process may
// not search.
func (v *view) searchHint(path string) string {
	for _, at := range v.prefixes(path) {
		s, err := v.stat(at)
		if err != nil || s.Mode&unix.S_IFMT != unix.S_IFDIR {
			return ""
		}
		if !v.viewer.mayExecute(s) {
			return fmt.Sprintf("uid %d has no search permission for %q, mode %s", v.viewer.uid, at, modeText(s.Mode))
		}
	}
	return ""
}

// deniedHint says why the program, which exists, may not be executed.
func (v *view) deniedHint(path string) string {
	if hint := v.searchHint(path); hint != "" {
		return hint
	}
	fd, err := v.open(path, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	var s unix.Stat_t
	var mount unix.Statfs_t
	if unix.Fstat(fd, &s) != nil || unix.Fstatfs(fd, &mount) != nil {
		return ""
	}
	switch {
	case s.Mode&unix.S_IFMT != unix.S_IFREG || s.Mode&0o111 == 0:
		return v.whyNot(path, &s)
	case mount.Flags&unix.ST_NOEXEC != 0:
		return "its mount has the option noexec"
	case !v.viewer.mayExecute(&s):
		return fmt.Sprintf("its mode %s does not let uid %d execute it", modeText(s.Mode), v.viewer.uid)
	}
	return v.contentHint(path) // an interpreter may be the one that is denied
}
