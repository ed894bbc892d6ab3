package cgroups

import (
	"path"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// CheckPids fails when the Group, or a cgroup above it, has more processes than
// pids.max allows: the kernel refuses to fork one too many, but not to move one
// in (cgroup-v1/pids.rst). Who was born in the version 2 cgroup needs no check there.
func (g *Group) CheckPids(born bool) error {
	t := g.legacy("pids")
	if t == nil && !born {
		t = g.unified()
	}
	if t == nil {
		return nil
	}
	if hint := t.fullPids(0); hint != "" {
		return &diag.Error{Op: "enter cgroup", Path: t.Dir(), Err: unix.EAGAIN, Hint: hint, Code: "pids-limit"}
	}
	return nil
}

// fullPids names the first cgroup from t upwards that has no place for so many
// more processes, with its limit; "" if all have.
func (t *tree) fullPids(more uint64) string {
	for p := t.Path; p != "/"; p = path.Dir(p) {
		limit, ok := parseUint(t.at(p, "pids.max")) // not for "max"
		if !ok {
			continue
		}
		if current, ok := parseUint(t.at(p, "pids.current")); ok && current+more > limit {
			return "pids.max of " + t.Mount + p + " is " + utoa(limit) + " and pids.current " + utoa(current)
		}
	}
	return ""
}
