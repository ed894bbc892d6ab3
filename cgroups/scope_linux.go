package cgroups

import (
	"errors"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// NewScope names the cgroup of a systemd unit: p counts from the root of the
// manager's tree, which for a user manager is its own cgroup. Unlike New it
// counts no element as ours: systemd makes and removes them. The hierarchies
// that systemd leaves alone (version 1) are for Make.
func (h *Host) NewScope(p, unit string, user bool, options Options) (*Group, error) {
	if user {
		uid := strconv.Itoa(unix.Getuid())
		p = "/user.slice/user-" + uid + ".slice/user@" + uid + ".service" + p
	}
	g, err := h.New("", p, options)
	if err != nil {
		return nil, err
	}
	g.scope, g.user = unit, user
	for i := range g.trees {
		if t := &g.trees[i]; systemdMakes(t.Place) {
			t.Made = 0
		}
	}
	return g, nil
}

// systemdMakes: version 2, and version 1's own hierarchy of systemd. In the
// other version 1 hierarchies whoever comes first makes the directory.
func systemdMakes(p Place) bool { return p.Controllers == "" || p.Has("name=systemd") }

// Adopt takes over the cgroups in which systemd has put the container's first
// process, by looking where it is: a user manager may have its tree anywhere.
// Make then accepts pid as the one process that may be in them.
func (g *Group) Adopt(pid int) error {
	file := "/proc/" + strconv.Itoa(pid) + "/cgroup"
	text, err := readFile(unix.AT_FDCWD, file)
	if err != nil {
		return pathErr("read", file, err)
	}
	members := parseMembership(text)
	found := ""
	for _, m := range members {
		if m.controllers == "" && g.mode == V2 || m.controllers == "name=systemd" {
			found = m.path
		}
	}
	if path.Base(found) != g.scope {
		return &diag.Error{Op: "find process " + strconv.Itoa(pid) + " in systemd unit", Path: g.scope,
			Err: errors.New("it is in " + found), Code: "systemd-unit"}
	}
	for i := range g.trees {
		t := &g.trees[i]
		if t.Path != found {
			closeFD(t.dir)
			t.dir, t.Path = -1, found
			t.Made = 0
			if !systemdMakes(t.Place) {
				t.Made = missing(t.root, found)
			}
		}
	}
	g.adopted = pid
	return nil
}
