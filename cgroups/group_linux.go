package cgroups

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Group is the cgroup of one container in every hierarchy. It is not safe for
// concurrent use, but shares nothing with other Groups or the rest of the
// process, so one goroutine may create it while another clones the container.
// Close releases its descriptors and leaves the cgroup alone.
type Group struct {
	mode  Mode
	scope string
	user  bool // scope is a unit of the user manager
	trees []tree
	// lenient: a cgroup that may not be made is done without, see Options.
	lenient  bool
	disabled bool
	taken    bool
	mark     string    // see SetMark
	adopted  int       // the process that systemd has put into it
	late     []Setting // for Settle
}

// tree is the Group in one hierarchy.
type tree struct {
	Place
	root int  // the mount point, O_PATH
	dir  int  // the cgroup itself, O_PATH; -1 until needed
	old  bool // existed before Create came, or has been created
}

// Options of a new Group.
type Options struct {
	// Lenient does without a cgroup where making one is not permitted and no
	// limit is asked for: what --rootless stands for. The container then stays
	// in the runtime's own cgroup.
	Lenient bool
}

// Disabled returns a Group that does nothing at all and ignores every limit
// (--cgroup-manager=disabled).
func Disabled() *Group { return &Group{disabled: true} }

// New names the cgroup of container id, and looks which part of it exists
// already. It creates nothing. An error has the field linux.cgroupsPath.
func (h *Host) New(id, cgroupsPath string, options Options) (*Group, error) {
	g := &Group{mode: h.Mode, lenient: options.Lenient, trees: make([]tree, 0, len(h.Hierarchies))}
	relative := !strings.HasPrefix(cgroupsPath, "/")
	for i := range h.Hierarchies {
		t := &h.Hierarchies[i]
		if relative && t.Own != "/" && !exists(t.fd, below(t.Own)) {
			if err := h.rebase(t); err != nil {
				return nil, err
			}
		}
		base := t.Own
		if t.Controllers == "" {
			base = unifiedBase(base)
		}
		p, err := cgroupPath(id, cgroupsPath, base)
		if err != nil {
			return nil, err
		}
		if err := g.add(t, p); err != nil {
			g.Close()
			return nil, err
		}
	}
	return g, nil
}

// add enters the Group's cgroup in hierarchy h.
func (g *Group) add(h *Hierarchy, p string) error {
	root, err := unix.FcntlInt(uintptr(h.fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return pathErr("keep open", h.Mount, err)
	}
	t := tree{Place: Place{Controllers: h.Controllers, Mount: h.Mount, Path: p}, root: root, dir: -1}
	t.Made = missing(root, p)
	g.trees = append(g.trees, t)
	return nil
}

// missing counts the last elements of p that do not exist.
func missing(root int, p string) int {
	n := 0
	for ; p != "/" && !exists(root, below(p)); p = path.Dir(p) {
		n++
	}
	return n
}

// below makes an absolute cgroup path relative to its mount point.
func below(p string) string {
	if p == "/" {
		return "."
	}
	return p[1:]
}

// Mode returns the cgroup versions the Group lives in; None when it has none.
func (g *Group) Mode() Mode { return g.mode }

// Location returns what Load needs. Between New and Create it already says
// which elements of the paths do not exist yet, so a Location saved before
// Create is enough to clean up after a crash in the middle of it. Save it again
// after Create, and use the new one to clean up when Create has failed.
func (g *Group) Location() Location {
	l := Location{Mode: g.mode, Scope: g.scope, User: g.user, Taken: g.taken, Places: make([]Place, len(g.trees))}
	for i := range g.trees {
		l.Places[i] = g.trees[i].Place
	}
	return l
}

// Load returns the Group at a Location. Nothing is opened until it is needed.
func Load(l Location) *Group {
	g := &Group{mode: l.Mode, scope: l.Scope, user: l.User, taken: l.Taken, trees: make([]tree, len(l.Places))}
	for i, place := range l.Places {
		g.trees[i] = tree{Place: place, root: -1, dir: -1, old: true}
	}
	return g
}

// Close releases the descriptors the Group holds.
func (g *Group) Close() {
	for i := range g.trees {
		g.trees[i].close()
	}
}

func (t *tree) close() {
	closeFD(t.dir)
	closeFD(t.root)
	t.dir, t.root = -1, -1
}

// mount returns the open mount point, after making sure that it is a cgroup
// file system and not, say, an empty directory left by an umount.
func (t *tree) mount() (int, error) {
	if t.root >= 0 {
		return t.root, nil
	}
	fd, version := openRoot(t.Mount)
	if version == 0 {
		closeFD(fd)
		return -1, pathErr("open", t.Mount, errNotCgroup)
	}
	t.root = fd
	return fd, nil
}

// open returns the open cgroup directory.
func (t *tree) open() (int, error) {
	if t.dir >= 0 {
		return t.dir, nil
	}
	root, err := t.mount()
	if err != nil {
		return -1, err
	}
	fd, err := openDir(root, below(t.Path))
	if err != nil {
		return -1, pathErr("open", t.Dir(), err)
	}
	t.dir = fd
	return fd, nil
}

// unified returns the version 2 tree, or nil.
func (g *Group) unified() *tree {
	if n := len(g.trees); n > 0 && g.trees[n-1].Controllers == "" {
		return &g.trees[n-1]
	}
	return nil
}

// legacy returns the version 1 tree with a controller, or nil.
func (g *Group) legacy(controller string) *tree {
	for i := range g.trees {
		if g.trees[i].Has(controller) {
			return &g.trees[i]
		}
	}
	return nil
}

// census returns the tree by which processes are counted and signalled: the
// one that can also freeze them, or any.
func (g *Group) census() *tree {
	if t := g.legacy("freezer"); t != nil {
		return t
	}
	if t := g.unified(); t != nil {
		return t
	}
	if len(g.trees) == 0 {
		return nil
	}
	return &g.trees[0]
}
