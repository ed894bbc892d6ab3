package rootfs

import (
	"errors"
	"path/filepath"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// node is a device to make.
type node struct {
	field        string
	path         string // relative to the root
	mode         uint32 // type and permissions
	major, minor uint32
	uid, gid     uint32
	given        bool // named in linux.devices, so it must be what it says
}

// newNodes lists the devices of linux.devices and the default ones
// (config-linux.md#default-devices).
func (r *Rootfs) newNodes() error {
	for i, d := range r.in.Config.Linux.Devices {
		n, err := newNode("linux.devices["+strconv.Itoa(i)+"]", d)
		if err != nil {
			return err
		}
		if r.hasDev() || !below(n.path, "dev") {
			r.nodes = append(r.nodes, n)
		}
	}
	if !r.hasDev() {
		return nil
	}
	for _, d := range []struct {
		name         string
		major, minor uint32
	}{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}} {
		path := "dev/" + d.name
		if !r.hasNode(path) && !r.isDestination(path) {
			r.nodes = append(r.nodes, node{field: "/dev", path: path, mode: unix.S_IFCHR | 0o666, major: d.major, minor: d.minor})
		}
	}
	return nil
}

func newNode(field string, d specs.LinuxDevice) (node, error) {
	n := node{field: field, path: relative(d.Path), mode: 0o666, given: true}
	fail := func(sub, value, text string) (node, error) {
		return n, &diag.Error{Field: field + "." + sub, Path: value, Err: errors.New(text)}
	}
	if !filepath.IsAbs(d.Path) || n.path == "" {
		return fail("path", d.Path, "is not the absolute path of a device")
	}
	if d.FileMode != nil {
		n.mode = uint32(*d.FileMode) & 0o7777
	}
	switch d.Type {
	case "c", "u":
		n.mode |= unix.S_IFCHR
	case "b":
		n.mode |= unix.S_IFBLK
	case "p":
		n.mode |= unix.S_IFIFO
	default:
		return fail("type", d.Type, "is none of c, u, b, p")
	}
	const most = 1<<32 - 1
	if d.Major < 0 || d.Major > most || d.Minor < 0 || d.Minor > most {
		return fail("major", strconv.FormatInt(d.Major, 10)+":"+strconv.FormatInt(d.Minor, 10), "is out of range")
	}
	if !n.fifo() {
		n.major, n.minor = uint32(d.Major), uint32(d.Minor)
	}
	if d.UID != nil {
		n.uid = *d.UID
	}
	if d.GID != nil {
		n.gid = *d.GID
	}
	return n, nil
}

func (n *node) fifo() bool { return n.mode&unix.S_IFMT == unix.S_IFIFO }

func (r *Rootfs) hasNode(path string) bool {
	for i := range r.nodes {
		if r.nodes[i].path == path {
			return true
		}
	}
	return false
}

func (r *Rootfs) isDestination(path string) bool {
	for i := range r.mounts {
		if r.mounts[i].dest == path {
			return true
		}
	}
	return false
}

// below reports whether path is dir or lies in it.
func below(path, dir string) bool {
	return path == dir || len(path) > len(dir) && path[:len(dir)] == dir && path[len(dir)] == '/'
}

// hasDev reports whether /dev is ours to fill: not so if it is bound from
// elsewhere.
func (r *Rootfs) hasDev() bool {
	has := r.in.MountNS
	for i := range r.mounts {
		if r.mounts[i].dest == "dev" && r.mounts[i].family != familyRemount {
			has = r.mounts[i].family != familyBind
		}
	}
	return has
}

// makeDev records the devices, and the links of /dev.
func (r *Rootfs) makeDev() {
	p := r.p
	if !r.hasDev() {
		r.makeNodes(nsenter.FD{}, false, false)
		return
	}
	dev, fresh := r.freshParent("dev/x")
	if !fresh {
		// The image's own /dev. A link there could lead the runtime to
		// replace files of the image that matter (CVE-2026-41579).
		p.At("/dev")
		how := unix.OpenHow{Flags: unix.O_PATH, Resolve: noLinks}
		r.open("dev", false, how, r.target, nil)
		dev = r.target
	}
	r.makeNodes(dev, true, fresh)
	r.makeLinks(dev, fresh)
	if !fresh {
		p.Close(dev)
	}
}

// makeLinks records the links of /dev (runtime-linux.md#dev-symbolic-links).
func (r *Rootfs) makeLinks(dev nsenter.FD, fresh bool) {
	p := r.p
	p.At("/dev")
	link := func(name, target string) {
		if r.isDestination("dev/"+name) || r.hasNode("dev/"+name) {
			return
		}
		if name == "ptmx" && !fresh {
			// A ptmx of the image would be the host's.
			p.Unlinkat(dev, name, 0)
			p.Allow(unix.ENOENT)
		}
		p.Symlinkat(target, dev, name)
		if !fresh {
			p.Allow(unix.EEXIST)
		}
	}
	link("fd", "/proc/self/fd")
	link("stdin", "/proc/self/fd/0")
	link("stdout", "/proc/self/fd/1")
	link("stderr", "/proc/self/fd/2")
	if r.core {
		link("core", "/proc/kcore")
	}
	link("ptmx", "pts/ptmx")
}

// makeNodes records the devices; dev is /dev, if that is open, and fresh if
// nothing is in it but mounts.
func (r *Rootfs) makeNodes(dev nsenter.FD, open, fresh bool) {
	p := r.p
	for i := range r.nodes {
		n := &r.nodes[i]
		p.At(n.field)
		dir := dev
		parent := directory(n.path)
		ours := open && parent == "dev"
		if !ours {
			dir = r.makeParents(n.path, inRoot)
		}
		r.makeNode(n, dir, base(n.path), ours && fresh && !n.given)
		if !ours && dir != r.root {
			p.Close(dir)
		}
	}
}

// makeNode records one device: made if that is allowed, else bound from the
// host, in a user namespace always. One that exists must be the same; absent
// says that none can.
func (r *Rootfs) makeNode(n *node, dir nsenter.FD, name string, absent bool) {
	p := r.p
	bind := func() { r.bindNode(n, dir, name) }
	owner := func() {
		if n.uid != 0 || n.gid != 0 {
			p.Fchownat(dir, name, n.uid, n.gid, unix.AT_SYMLINK_NOFOLLOW)
		}
	}
	existing := func() {
		if absent {
			bind()
			return
		}
		st := p.Statx(dir, name, unix.AT_SYMLINK_NOFOLLOW)
		p.Branch(func() { r.requireNode(n, st, "exists already and is not the device") },
			bind, unix.ENOENT)
	}
	if r.in.Userns && !n.fifo() {
		existing()
		return
	}
	p.Mknodat(dir, name, n.mode, unix.Mkdev(n.major, n.minor))
	p.Branch(owner, existing, unix.EPERM, unix.EEXIST)
}

// requireNode records the checks that st is the device n.
func (r *Rootfs) requireNode(n *node, st nsenter.Stat, meaning string) {
	p := r.p
	what := strconv.Itoa(int(n.major)) + ":" + strconv.Itoa(int(n.minor))
	meaning = `"/` + n.path + `" ` + meaning + " " + n.letter() + " " + what
	p.Require(st.Type(), nsenter.TypeMask, nsenter.TypeValue(n.mode), meaning)
	if !n.fifo() {
		p.Require(st.Rdev(), ^uint64(0), nsenter.RdevValue(n.major, n.minor), meaning)
	}
}

func (n *node) letter() string {
	switch n.mode & unix.S_IFMT {
	case unix.S_IFBLK:
		return "b"
	case unix.S_IFIFO:
		return "p"
	}
	return "c"
}

// bindNode records the host's device of the same path, bound on a file.
func (r *Rootfs) bindNode(n *node, dir nsenter.FD, name string) {
	p := r.p
	p.Into(r.mounted)
	tree := p.OpenTree(nsenter.AtCWD, "/"+n.path, unix.OPEN_TREE_CLONE|unix.AT_SYMLINK_NOFOLLOW)
	st := p.Statx(tree, "", unix.AT_EMPTY_PATH)
	r.requireNode(n, st, "cannot be made here, and the host's is not")
	p.Mknodat(dir, name, unix.S_IFREG|0o644, 0)
	p.MoveMount(tree, "", dir, name)
	p.Close(tree)
}
