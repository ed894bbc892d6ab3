package cgroups

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Set changes the limits of a cgroup in use. Fields that are absent or zero
// stay as they are. Either all of it holds afterwards or nothing has changed: a
// value that the kernel refuses undoes those written before it, in reverse.
// Device rules, when there are any, replace the whole device policy.
func (g *Group) Set(r *specs.LinuxResources) error { return g.SetAnd(r, nil) }

// SetAnd is Set with a last step, telling systemd the same limits, whose failure
// undoes the rest too. systemd writes the files anew, and rounds; so they are
// written once more.
func (g *Group) SetAnd(r *specs.LinuxResources, last func() error) error {
	if r == nil {
		r = &specs.LinuxResources{}
	}
	policy, err := compileDevices(r.Devices)
	if err != nil {
		return err
	}
	settings, err := g.settings(r, func(t *tree) reader { return t.now })
	if err != nil {
		return err
	}
	if err := g.checkMemory(r.Memory); err != nil {
		return err
	}
	undo, err := g.change(settings)
	if err == nil && last != nil {
		if err = last(); err == nil {
			err = g.write(settings)
		}
	}
	if err == nil && len(r.Devices) > 0 {
		err = g.changeDevices(policy)
	}
	if err != nil {
		return g.rollBack(undo, err)
	}
	return nil
}

// Bandwidth returns the present limit on CPU time, both in microseconds: quota in
// each period. The quota is -1 for none, and both are zero without a controller.
func (g *Group) Bandwidth() (quota int64, period uint64) {
	t := g.home("cpu")
	if t == nil {
		return 0, 0
	}
	if t.Controllers == "" {
		first, second, _ := strings.Cut(t.now("cpu.max"), " ")
		quota, period = -1, 0
		if n, ok := parseUint(first); ok && first != "max" {
			quota = int64(n)
		}
		period, _ = parseUint(second)
	} else {
		quota = -1
		if n, ok := parseUint(t.now("cpu.cfs_quota_us")); ok {
			quota = int64(n)
		}
		period, _ = parseUint(t.now("cpu.cfs_period_us"))
	}
	if period == 0 {
		quota = 0
	}
	return quota, period
}

// change writes the settings and returns what undoes those that were written.
func (g *Group) change(settings []Setting) (undo []Setting, err error) {
	for i := range settings {
		s := g.writable(settings[i])
		if s.File == "" {
			continue
		}
		t := g.home(s.Controller)
		dir, err := t.open()
		if err != nil {
			return undo, err
		}
		content, err := readFile(dir, s.File)
		if err != nil {
			return undo, t.explainWrite(&s, err)
		}
		if err := g.put(&s); err != nil {
			return undo, err
		}
		if old, ok := previous(s, content); ok {
			undo = append(undo, old)
		}
	}
	return undo, nil
}

// writable follows Else to the file this kernel has.
func (g *Group) writable(s Setting) Setting {
	for s.Else != nil {
		if dir, err := g.home(s.Controller).open(); err == nil && exists(dir, s.File) {
			break
		}
		s = *s.Else
	}
	return s
}

// rollBack undoes what was written before cause. When that fails too, both are told.
func (g *Group) rollBack(undo []Setting, cause error) error {
	var failed error
	for i := len(undo) - 1; i >= 0; i-- {
		if err := g.put(&undo[i]); err != nil && failed == nil {
			failed = err
		}
	}
	if failed != nil {
		return &diag.Error{Err: cause, Hint: "and the former limits could not be restored: " + failed.Error()}
	}
	return cause
}

// checkMemory refuses a limit that would make the kernel kill. Version 1
// refuses such a limit itself; version 2 takes it and starts the OOM killer. What
// can neither be reclaimed nor swapped out is what counts, unless the config wants
// all of the usage checked (checkBeforeUpdate).
func (g *Group) checkMemory(m *specs.LinuxMemory) error {
	if m == nil || !given(m.Limit) || *m.Limit < 0 {
		return nil
	}
	strict := m.CheckBeforeUpdate != nil && *m.CheckBeforeUpdate
	usage, what := uint64(0), " bytes are in use"
	if t := g.legacy("memory"); t != nil {
		if !strict {
			return nil
		}
		usage, _ = parseUint(t.now("memory.usage_in_bytes"))
	} else if t := g.unified(); t != nil {
		usage, _ = parseUint(t.now("memory.current"))
		if !strict {
			usage, what = usage-min(usage, reclaimable(t.now("memory.stat"))+t.swappable(m)), " bytes are in use that cannot be reclaimed"
		}
	}
	if usage <= uint64(*m.Limit) {
		return nil
	}
	return &diag.Error{Field: memoryField + ".limit", Path: itoa(*m.Limit), Err: ErrBelowUsage, Hint: utoa(usage) + what, Code: "cgroup-below-usage"}
}

// reclaimable is the memory the kernel can drop or write back: the page cache
// without shared memory, and slabs that say so.
func reclaimable(stat string) uint64 {
	return keyedUint(stat, "inactive_file") + keyedUint(stat, "active_file") + keyedUint(stat, "slab_reclaimable")
}

// swappable is how much more of the cgroup the kernel can swap out with the limits
// of m: as much as memory.swap.max leaves, and the host has.
func (t *tree) swappable(m *specs.LinuxMemory) uint64 {
	limit := t.number("memory.swap.max") // absent: swap is not counted, and has no limit
	if t.now("memory.swap.max") == "" {
		limit = 1<<64 - 1
	}
	if given(m.Swap) {
		limit = uint64(1<<64 - 1)
		if *m.Swap > 0 {
			limit = uint64(*m.Swap - *m.Limit) // checkSwap: it is not below
		}
	}
	used := t.number("memory.swap.current")
	meminfo, err := readFile(unix.AT_FDCWD, "/proc/meminfo")
	if err != nil {
		return 0
	}
	return min(limit-min(limit, used), swapFree(meminfo))
}

// swapFree reads "SwapFree:  123 kB" of /proc/meminfo, proc(5), in bytes.
func swapFree(meminfo string) uint64 {
	for line := range strings.Lines(meminfo) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "SwapFree:" {
			n, _ := parseUint(f[1])
			return n << 10
		}
	}
	return 0
}
