package cgroups

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// A cgroup is known by its path, and a path can come to stand for another
// cgroup: that of a container with the same cgroupsPath whose state is below
// another root, say, after a create has been killed before it could make its
// own. So Make leaves a mark on what it takes, and only what bears the mark is
// killed, or removed with more than one try.
//
// The mark is an extended attribute: of the trusted class, which is root's
// alone, or of the user class for everybody else, which cgroups have had since
// Linux 5.7.
var markNames = [...]string{"trusted.ociruntime", "user.ociruntime"}

// SetMark says what Make shall leave on the cgroup, and Kill and Remove ask
// for. It has to tell this container from any other that there may be. Without
// it, everything that Make has taken counts as the container's.
func (g *Group) SetMark(mark string) { g.mark = mark }

// sign leaves the mark. Where no attribute can be set, Taken has to do.
func (g *Group) sign() {
	if g.mark == "" {
		return
	}
	for i := range g.trees {
		path, err := g.trees[i].attributes()
		for j := 0; err == nil && j < len(markNames); j++ {
			if unix.Setxattr(path, markNames[j], []byte(g.mark), 0) == nil {
				break
			}
		}
	}
}

// attributes is a path for xattr(7) calls, which take no O_PATH descriptor.
func (t *tree) attributes() (string, error) {
	dir, err := t.open()
	return "/proc/self/fd/" + strconv.Itoa(dir), err
}

// Ours reports whether the cgroup is there, and the container's.
func (g *Group) Ours() bool {
	t := g.census()
	return t != nil && g.owns(t)
}

func (g *Group) owns(t *tree) bool {
	if t.Path == "/" {
		return false
	}
	if g.mark == "" {
		return g.taken || t.Made > 0
	}
	path, err := t.attributes()
	if err != nil {
		return false
	}
	var value [128]byte
	for _, name := range markNames {
		n, err := unix.Getxattr(path, name, value[:])
		switch err {
		case nil:
			return string(value[:n]) == g.mark
		case unix.ENODATA: // also: not for us to see
		default: // there are no such attributes
			if name == markNames[len(markNames)-1] {
				return g.taken
			}
		}
	}
	return false
}
