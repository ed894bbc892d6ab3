package cgroups

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// settings turns resources into the writes for the hierarchies at hand.
func (g *Group) settings(r *specs.LinuxResources, now func(*tree) reader) ([]Setting, error) {
	var list []Setting
	for _, c := range controllers() {
		if !c.asked(r) {
			continue
		}
		convert, t := c.v1, g.legacy(c.name1)
		if t == nil {
			convert, t = c.v2, g.unified()
		}
		if t == nil || convert == nil {
			return nil, g.noController(&c)
		}
		more, err := convert(r, now(t))
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// reader returns where the pure halves look up present values: for a cgroup
// that is new, nowhere.
func (g *Group) reader(fallback reader) func(*tree) reader {
	return func(t *tree) reader {
		if !t.old {
			return fallback
		}
		return t.now
	}
}

// now reads a file of the cgroup; an unreadable one counts as absent.
func (t *tree) now(file string) string {
	dir, err := t.open()
	if err != nil {
		return ""
	}
	text, err := readFile(dir, file)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(text, "\n")
}

// write puts the settings into the kernel, in order.
func (g *Group) write(settings []Setting) error {
	for i := range settings {
		if err := g.put(&settings[i]); err != nil {
			return err
		}
	}
	return nil
}

// put writes one setting; the file of a controller that only version 2 has is
// in the unified tree.
func (g *Group) put(s *Setting) error {
	t := g.home(s.Controller)
	dir, err := t.open()
	if err != nil {
		return err
	}
	if err := writeFile(dir, s.File, s.Value); err != nil {
		return t.explainWrite(s, err)
	}
	return nil
}

// home returns the tree that has the files of a controller.
func (g *Group) home(controller string) *tree {
	if t := g.legacy(controller); t != nil {
		return t
	}
	return g.unified()
}

// explainWrite words a refused setting, with what the failure means for this file.
func (t *tree) explainWrite(s *Setting, err error) error {
	e := &diag.Error{Field: s.Field, Op: "write " + s.Value + " to", Path: t.Dir() + "/" + s.File, Err: err, Code: "cgroup-setting-refused"}
	switch {
	case err == unix.ENOENT:
		e.Hint = "this kernel has no such cgroup file"
	case s.File == "memory.limit_in_bytes" && err == unix.EBUSY:
		e.Hint = "limit is below what is in use: " + t.now("memory.usage_in_bytes") + " bytes, at most " + t.now("memory.max_usage_in_bytes")
	case s.Controller == "cpuset":
		e.Hint = "the parent cgroup has " + t.above(s.File)
	}
	return e
}
