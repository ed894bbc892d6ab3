package rootfs

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// family is how a mount is made.
type family int

const (
	familyFS      family = iota // a new instance of a file system
	familyBind                  // a copy of a mount of the host
	familyCgroup                // the container's cgroups
	familyRemount               // a change of what is mounted already
	familyLink                  // copy-symlink: no mount at all
)

// mount is one entry of mounts, checked.
type mount struct {
	index  int
	field  string // "mounts[3]"
	family family
	dest   string // relative to the root; "" is the root
	fstype string
	source string // familyBind: absolute path on the host. familyLink: its target
	file   bool   // familyBind: the source is no directory
	keep   bool   // later steps need the mount's descriptor
	had    uint64 // familyBind, old kernels: attributes of the source
	options

	fd nsenter.FD // familyBind: the detached copy of the source. keep: the mount
}

func (r *Rootfs) newMount(i int) (mount, error) {
	c := r.in.Config.Mounts[i]
	m := mount{index: i, field: "mounts[" + strconv.Itoa(i) + "]", fstype: c.Type, source: c.Source}
	if c.Destination == "" {
		return m, &diag.Error{Field: m.field + ".destination", Err: errors.New("is empty")}
	}
	m.dest = relative(c.Destination)
	for _, s := range []string{c.Destination, c.Source, c.Type} {
		if strings.IndexByte(s, 0) >= 0 {
			return m, &diag.Error{Field: m.field, Err: errors.New("mount field contains null byte")}
		}
	}
	var err error
	if m.options, err = parseOptions(m.field, c.Options); err != nil {
		return m, err
	}
	if err := m.chooseFamily(); err != nil {
		return m, err
	}
	switch m.family {
	case familyBind:
		err = r.checkBind(&m)
	case familyCgroup:
		err = r.checkCgroup(&m)
	}
	if err == nil {
		err = r.checkIDMap(&m, c)
	}
	if err == nil {
		err = m.checkProc()
	}
	if err == nil && r.classic {
		m.had = r.attributesBefore(&m)
		err = m.checkClassic()
	}
	return m, err
}

// chooseFamily follows config.md#mounts: a mount is a bind mount if its options
// say so. The type "bind" without them is accepted, as by other runtimes.
func (m *mount) chooseFamily() error {
	switch {
	case m.remount:
		m.family = familyRemount
	case m.fstype == "" && !m.bind && len(m.propagation) > 0:
		m.family, m.bind = familyRemount, true // as mount(8) --make-shared
	case m.bind || m.fstype == "bind":
		m.family = familyBind
		m.bind = true
	case m.fstype == "":
		return &diag.Error{Field: m.field + ".type", Err: errRequired, Hint: `or option "bind" or "rbind"`}
	case m.fstype == "cgroup" || m.fstype == "cgroup2":
		m.family = familyCgroup
	}
	if m.family == familyFS && m.dest == "" && m.long() {
		return &diag.Error{Field: m.field + ".options", Err: errors.New("are too long for a mount on /")}
	}
	if m.copyUp && m.fstype != "tmpfs" {
		return &diag.Error{Field: m.field, Op: "option", Path: "tmpcopyup", Err: errors.New("is for mounts of type tmpfs only"), Code: "mount-option"}
	}
	return nil
}

// checkBind looks at the source on the host. Whether it is a directory decides
// what kind of mountpoint is made.
func (r *Rootfs) checkBind(m *mount) error {
	if err := m.checkData("a bind mount"); err != nil {
		return err
	}
	if m.source == "" {
		return &diag.Error{Field: m.field + ".source", Err: errRequired}
	}
	if !filepath.IsAbs(m.source) {
		m.source = filepath.Join(r.in.Bundle, m.source)
	}
	if m.source == r.in.Later && m.source != "" {
		return nil
	}
	var st unix.Stat_t
	var err error
	if m.sourceNofollow || m.copySymlink {
		err = unix.Lstat(m.source, &st)
	} else {
		err = unix.Stat(m.source, &st)
	}
	if err != nil {
		return &diag.Error{Field: m.field + ".source", Op: "open", Path: m.source, Err: err,
			Hint: "on the host, to be bound on " + r.in.Config.Mounts[m.index].Destination, Code: "mount-source"}
	}
	m.file = st.Mode&unix.S_IFMT != unix.S_IFDIR
	if m.copySymlink && st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return m.readLink()
	}
	return nil
}

// checkData looks at options that are nobody's: without a new file system there is
// none to judge them. Misspelt ones are refused. Others are ignored, as mount(2)
// does, since engines leave words of their own in the list ("nocopy").
func (m *mount) checkData(what string) error {
	for _, o := range m.data {
		if near := nearOption(o.key, MountOptions()); near != "" {
			return unknownOption(optionField(m.field, o.index), o.key, what)
		}
	}
	return nil
}

func (m *mount) readLink() error {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlink(m.source, buf)
	if err != nil {
		return &diag.Error{Field: m.field + ".source", Op: "readlink", Path: m.source, Err: err, Code: "mount-source"}
	}
	m.family, m.source = familyLink, string(buf[:n])
	return nil
}

func (r *Rootfs) checkIDMap(m *mount, c specs.Mount) error {
	if (len(c.UIDMappings) == 0) != (len(c.GIDMappings) == 0) {
		return &diag.Error{Field: m.field, Err: errors.New("uidMappings and gidMappings come together or not at all")}
	}
	if len(c.UIDMappings) > 0 {
		m.idmap = true
	}
	if !m.idmap {
		return nil
	}
	switch {
	case m.family != familyBind:
		return &diag.Error{Field: m.field, Err: errors.New("only bind mounts can be id-mapped"), Code: "mount-idmap"}
	case len(c.UIDMappings) == 0 && m.idmapping == "" && !r.in.Userns:
		return &diag.Error{Field: m.field, Op: "option", Path: "idmap",
			Err: errors.New("needs uidMappings and gidMappings, as the container has no user namespace of its own"), Code: "mount-idmap"}
	case r.in.Rootless:
		return &diag.Error{Field: m.field, Op: "option", Path: "idmap", Err: unix.EPERM,
			Hint: "id-mapped mounts need a runtime that runs as root", Code: "mount-idmap"}
	}
	return nil
}

// linkMounts marks the mounts whose descriptors later steps use.
func (r *Rootfs) linkMounts() {
	for i := range r.mounts {
		m := &r.mounts[i]
		m.keep = m.late() || m.anchor()
		if !m.fresh() {
			continue
		}
		for _, later := range r.mounts[i+1:] {
			m.keep = m.keep || later.dest != "" && directory(later.dest) == m.dest
		}
	}
}

// fresh reports whether what is mounted is an empty directory that nobody else
// has seen: names in it need no caution.
func (m *mount) fresh() bool {
	return m.family == familyFS && m.fstype == "tmpfs" && !m.copyUp
}

// directory is the parent of path, both relative to the root.
func directory(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return ""
	}
	return path[:i]
}

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
