package cgroups

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// settings turns resources into the writes for the hierarchies at hand. now
// gives the present values in one of them.
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
			if !c.demanded(r) {
				continue
			}
			return nil, g.noController(&c)
		}
		more, err := convert(r, now(t))
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	if len(r.Unified) == 0 {
		return list, nil
	}
	if g.unified() == nil {
		return nil, g.noUnified()
	}
	unified, err := unifiedSettings(r.Unified)
	return append(list, unified...), err
}

// noUnified is the error for linux.resources.unified without version 2.
func (g *Group) noUnified() error {
	return &diag.Error{Field: unifiedField, Err: ErrNoController, Hint: "needs cgroup v2; this host has " + g.mode.String(), Code: "cgroup-v2-only"}
}

// present is where a reader looks: in a cgroup that was there before us; a new
// one has nothing but defaults.
func present(t *tree) reader {
	if t.old {
		return t.now
	}
	return fresh
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

// write puts the settings into the kernel, in order, and stops at the first
// that it refuses.
func (g *Group) write(settings []Setting) error {
	for i := range settings {
		if err := g.put(&settings[i]); err != nil {
			return err
		}
	}
	return nil
}

// put writes one setting, or what stands in for it on a kernel without the file.
func (g *Group) put(s *Setting) error {
	t := g.home(s.Controller)
	dir, err := t.open()
	if err != nil {
		return err
	}
	err = writeFile(dir, s.File, s.Value)
	switch {
	case err == nil:
		return nil
	case err == unix.ENOENT && s.Else != nil && s.Else.File == "":
		return nil
	case err == unix.ENOENT && s.Else != nil:
		return g.put(s.Else)
	}
	return t.explainWrite(s, err)
}

// home returns the tree that has the files of a controller. A controller is in
// one hierarchy only; the core files ("") are meant for version 2.
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
	case err == unix.ENOENT && strings.HasPrefix(s.File, "hugetlb."):
		e.Hint = "page sizes of this kernel: " + pageSizes()
	case err == unix.ENOENT && strings.Contains(s.File, "swap") || err == unix.ENOENT && strings.Contains(s.File, "memsw"):
		e.Hint = "this kernel does not count swap; boot with swapaccount=1"
	case err == unix.EOPNOTSUPP && s.File == "memory.kmem.limit_in_bytes":
		e.Hint = "since Linux 5.16 kernel memory has no limit of its own; it counts against memory.limit"
	case err == unix.ENOENT:
		e.Hint = "this kernel has no such cgroup file"
	case s.File == "memory.limit_in_bytes" && err == unix.EBUSY:
		e.Hint = "limit is below what is in use: " + t.now("memory.usage_in_bytes") + " bytes, at most " + t.now("memory.max_usage_in_bytes")
	case strings.HasPrefix(s.File, "memory.") && err == unix.EINVAL && t.Controllers != "":
		e.Hint = "at present memory.limit_in_bytes is " + t.now("memory.limit_in_bytes") + ", memory.memsw.limit_in_bytes " + t.now("memory.memsw.limit_in_bytes")
	case strings.HasPrefix(s.File, "cpuset."):
		e.Hint = "the parent cgroup has " + t.above(s.File)
	case strings.HasPrefix(s.File, "cpu.rt_"):
		e.Hint = "the parent cgroup has " + t.above("cpu.rt_runtime_us")
	case s.File == "cpu.cfs_quota_us" || s.File == "cpu.cfs_period_us":
		e.Hint = "the parent cgroup has " + t.above("cpu.cfs_quota_us") + " and " + t.above("cpu.cfs_period_us") + "; burst is " + t.now("cpu.cfs_burst_us")
	}
	return e
}
