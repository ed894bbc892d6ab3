package cgroups

import (
	"strings"

	"golang.org/x/sys/unix"
)

// Prospect is what one hierarchy has for a container that says nothing about
// its cgroup.
type Prospect struct {
	Place
	Nearest string   // deepest directory on the way to the cgroup that exists, from Mount
	Owner   int      // uid of Nearest
	Err     error    // why the caller cannot make a cgroup there: EACCES, EROFS ...; nil: it can
	Offered []string // controllers that are there to be had
	// Occupied: Nearest holds processes and is not the root of the hierarchy, so
	// it can hand no more controllers down than it does (cgroups(7), "no internal
	// processes"). Offered then has the latter only. Version 2.
	Occupied bool
}

// Survey looks at what containers of the caller would find, and makes nothing.
func (h *Host) Survey() ([]Prospect, error) {
	g, err := h.New("runtime-survey", "", Options{})
	if err != nil {
		return nil, err
	}
	defer g.Close()
	list := make([]Prospect, len(g.trees))
	for i := range g.trees {
		list[i] = g.trees[i].survey()
	}
	return list, nil
}

func (t *tree) survey() Prospect {
	p := Prospect{Place: t.Place, Nearest: t.nearest()}
	dir := below(p.Nearest)
	var st unix.Stat_t
	if p.Err = unix.Fstatat(t.root, dir, &st, 0); p.Err != nil {
		return p
	}
	p.Owner = int(st.Uid)
	p.Err = unix.Faccessat(t.root, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	if t.Controllers != "" {
		p.Offered = strings.Split(strings.TrimPrefix(t.Controllers, "name="), ",")
		return p
	}
	offered, _ := readFile(t.root, dir+"/cgroup.controllers") // unreadable: none
	p.Offered = strings.Fields(offered)
	if p.Occupied = t.occupied(p.Nearest); p.Occupied {
		down, _ := readFile(t.root, dir+"/cgroup.subtree_control")
		p.Offered = strings.Fields(down)
	}
	return p
}

// occupied reports whether the version 2 cgroup p holds processes where that
// matters. The root of the hierarchy, which has no cgroup.type, is exempt.
func (t *tree) occupied(p string) bool {
	if !exists(t.root, below(p)+"/cgroup.type") {
		return false
	}
	text, _ := readFile(t.root, below(p)+"/cgroup.procs")
	return strings.TrimSpace(text) != ""
}
