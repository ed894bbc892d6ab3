package cgroups

import (
	"errors"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Sub returns the Group for a process that shall run in cgroups which the
// container has made below its own (exec --cgroup). Each choice is
// "[CONTROLLER[,CONTROLLER]:]PATH"; without controllers it is for all
// hierarchies. A path never leads out of the container's cgroup.
func (g *Group) Sub(choices []string) (*Group, error) {
	sub := Load(g.Location())
	for _, choice := range choices {
		controllers, p, ok := strings.Cut(choice, ":")
		if !ok {
			controllers, p = "", choice
		}
		if err := confined(p); err != nil {
			return nil, err
		}
		found := false
		for i := range sub.trees {
			t := &sub.trees[i]
			if ok && !anyOf(t.Place, controllers) {
				continue
			}
			found = true
			t.Path, t.Made = path.Join(g.trees[i].Path, p), 0
		}
		if !found {
			return nil, &diag.Error{Op: "find controller", Path: controllers, Err: ErrNoController, Code: "cgroup-controller-missing"}
		}
	}
	for i := range sub.trees {
		if _, err := sub.trees[i].open(); err != nil {
			sub.Close()
			return nil, err
		}
	}
	return sub, nil
}

func anyOf(p Place, controllers string) bool {
	for name := range strings.SplitSeq(controllers, ",") {
		if p.Has(name) {
			return true
		}
	}
	return false
}

func confined(p string) error {
	for element := range strings.SplitSeq(p, "/") {
		if element == ".." {
			return &diag.Error{Err: errors.New("bad sub cgroup path: " + p), Hint: "it must stay below the container's cgroup", Code: "cgroup-path-invalid"}
		}
	}
	return nil
}

// JoinAt returns what a process needs to enter the cgroups that pid is in at
// the moment. It is for version 2 containers that have handed controllers down
// to cgroups of their own: their top cgroup takes no more processes then (EBUSY
// from clone), but the one that their first process has moved to does. A place
// outside the container's own cgroup is refused.
func (g *Group) JoinAt(pid int) (*Join, error) {
	file := "/proc/" + strconv.Itoa(pid) + "/cgroup"
	text, err := readFile(unix.AT_FDCWD, file)
	if err != nil {
		return nil, pathErr("read", file, err)
	}
	members := parseMembership(text)
	at := Load(g.Location())
	defer at.Close()
	for i := range at.trees {
		t := &at.trees[i]
		for _, m := range members {
			if m.controllers == t.Controllers && within(m.path, t.Path) {
				t.Path = m.path
			}
		}
	}
	return at.Join()
}

func within(p, parent string) bool {
	return p == parent || strings.HasPrefix(p, strings.TrimSuffix(parent, "/")+"/")
}
