package cgroups

import (
	"errors"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// enable sees to it that the version 2 cgroup has the controllers the resources
// need, and on a pure version 2 host all that are useful. systemd hands them
// down to a scope itself.
func (g *Group) enable(t *tree, r *specs.LinuxResources) error {
	need := g.needed(r, func(c *controller, r *specs.LinuxResources) bool { return c.asked(r) })
	if g.mode == Hybrid && len(need) == 0 {
		return nil
	}
	err := t.enable(need, g.mode == V2, g.scope != "")
	if errors.Is(err, ErrNoController) {
		need = g.needed(r, (*controller).demanded)
		err = t.enable(need, g.mode == V2, g.scope != "")
	}
	return g.blame(err, r)
}

// blame has an error about a missing controller name unified, if no other limit
// needs that controller.
func (g *Group) blame(err error, r *specs.LinuxResources) error {
	var e *diag.Error
	if !errors.Is(err, ErrNoController) || !errors.As(err, &e) {
		return err
	}
	others := *r
	others.Unified = nil
	if !slices.Contains(g.needed(&others, (*controller).demanded), e.Path) {
		e.Field = unifiedField
	}
	return err
}

// needed lists the version 2 controllers that the resources need in the eyes of
// wants, and all that unified names.
func (g *Group) needed(r *specs.LinuxResources, wants func(*controller, *specs.LinuxResources) bool) []string {
	need := unifiedControllers(r.Unified)
	for _, c := range controllers() {
		if c.name2 != "" && g.legacy(c.name1) == nil && wants(&c, r) {
			need = append(need, c.name2)
		}
	}
	return need
}

// useful are the controllers worth having without being asked for: their
// counters answer "how much" and "why did it die".
const useful = "cpu cpuset io memory pids hugetlb rdma misc"

// enable hands controllers down to the cgroup by writing into the
// cgroup.subtree_control of those above it, cgroups(7). Where a parent has done
// so before, which is the usual case, this costs two reads.
func (t *tree) enable(need []string, all, managed bool) error {
	dir, err := t.open()
	if err != nil {
		return err
	}
	have, err := readFile(dir, "cgroup.controllers")
	if err != nil {
		return pathErr("read", t.Dir()+"/cgroup.controllers", err)
	}
	var missing []string
	add := func(name string) {
		if !hasField(have, name) && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	for _, name := range need {
		add(name)
	}
	if all && !managed {
		offered, _ := readFile(t.root, "cgroup.controllers") // unreadable: only what is needed
		for name := range strings.FieldsSeq(offered) {
			if hasField(useful, name) {
				add(name)
			}
		}
	}
	if len(missing) == 0 || t.Path == "/" {
		return t.checkEnabled(need, have)
	}
	t.handDown(missing)
	if have, err = readFile(dir, "cgroup.controllers"); err != nil {
		return pathErr("read", t.Dir()+"/cgroup.controllers", err)
	}
	return t.checkEnabled(need, have)
}

// handDown enables the controllers at each level above the cgroup, first all
// in one write, then, as one that is refused spoils the write, one by one. What
// is refused is found out by looking at the result.
func (t *tree) handDown(names []string) {
	all := "+" + strings.Join(names, " +")
	for i := 0; i < len(t.Path); i++ {
		if t.Path[i] != '/' {
			continue
		}
		file := below(t.Path[:max(i, 1)]) + "/cgroup.subtree_control"
		if writeFile(t.root, file, all) == nil {
			continue
		}
		for _, name := range names {
			_ = writeFile(t.root, file, "+"+name) // checkEnabled reports it if it matters
		}
	}
}

func (t *tree) checkEnabled(need []string, have string) error {
	for _, name := range need {
		if !hasField(have, name) {
			return t.explainMissing(name)
		}
	}
	return nil
}

// denied reports whether err says that the caller lacks the right.
func denied(err error) bool {
	return err == unix.EACCES || err == unix.EPERM || err == unix.EROFS
}

// limited reports whether the resources ask for any limit. Device rules do not
// count: a user without rights over cgroups cannot make device nodes either.
func limited(r *specs.LinuxResources) bool {
	for _, c := range controllers() {
		if c.demanded(r) {
			return true
		}
	}
	return len(r.Unified) > 0
}
