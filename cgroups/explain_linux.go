package cgroups

import (
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// What follows runs only after a failure: it looks around for the fact that
// explains it, so that success pays nothing.

// above reads a file of the parent cgroup.
func (t *tree) above(file string) string {
	text, err := readFile(t.root, below(path.Dir(t.Path))+"/"+file)
	if err != nil {
		return "no readable " + file
	}
	return file + " " + strconv.Quote(strings.TrimSpace(text))
}

// nearest returns the deepest directory on the way to the cgroup that exists.
func (t *tree) nearest() string {
	p := t.Path
	for p != "/" && !exists(t.root, below(p)) {
		p = path.Dir(p)
	}
	return p
}

// explainMake words a mkdir that failed.
func (g *Group) explainMake(t *tree, err error) error {
	e := &diag.Error{Op: "mkdir", Path: t.Dir(), Err: err, Code: "cgroup-create"}
	switch {
	case t.root < 0:
		return err
	case denied(err):
		e.Err, e.Code = &wrapped{ErrNotDelegated, err}, "cgroup-not-delegated"
		e.Hint = t.whoOwns()
	case err == unix.ENOSPC:
		e.Hint = t.whyNoSpace()
	case err == unix.EAGAIN:
		e.Hint = "a limit of " + t.Mount + t.nearest() + " on its descendants is reached: " + limitsText(t)
	}
	return e
}

func (t *tree) whoOwns() string {
	p := t.nearest()
	var st unix.Stat_t
	if unix.Fstatat(t.root, below(p), &st, 0) != nil {
		return ""
	}
	text := t.Mount + p + " belongs to uid " + strconv.Itoa(int(st.Uid)) + ", we are uid " + strconv.Itoa(unix.Geteuid())
	if t.Controllers == "" {
		text += "; systemd-run --user --scope -p Delegate=yes gives a cgroup to run in"
	}
	return text
}

// whyNoSpace counts memory cgroups: the kernel has ids for 65535, and removed
// ones keep theirs as long as a page is charged to them.
func (t *tree) whyNoSpace() string {
	text, err := readFile(unix.AT_FDCWD, "/proc/cgroups")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 4 && (t.Has(f[0]) || t.Controllers == "" && f[0] == "memory") {
			return "the kernel has " + f[2] + " " + f[0] + " cgroups; its limit is 65535"
		}
	}
	return ""
}

func limitsText(t *tree) string {
	p := below(t.nearest())
	descendants, _ := readFile(t.root, p+"/cgroup.max.descendants")
	depth, _ := readFile(t.root, p+"/cgroup.max.depth")
	return "max.descendants " + strings.TrimSpace(descendants) + ", max.depth " + strings.TrimSpace(depth)
}

// explainMissing says at which level a controller is not handed down, and why.
func (t *tree) explainMissing(name string) error {
	e := &diag.Error{Field: fieldOf(name), Op: "enable controller", Path: name, Err: ErrNoController, Code: "cgroup-controller-missing"}
	for i := 0; i < len(t.Path); i++ {
		if t.Path[i] != '/' {
			continue
		}
		p := t.Path[:max(i, 1)]
		have, err := readFile(t.root, below(p)+"/cgroup.controllers")
		if err != nil {
			break
		}
		if !hasField(have, name) {
			e.Hint = t.Mount + p + " offers only: " + strings.TrimSpace(have)
			return e
		}
		down, _ := readFile(t.root, below(p)+"/cgroup.subtree_control")
		if !hasField(down, name) {
			e.Hint = t.whyNotDown(p, name)
			return e
		}
	}
	return e
}

func (t *tree) whyNotDown(p, name string) string {
	err := writeFile(t.root, below(p)+"/cgroup.subtree_control", "+"+name)
	text := t.Mount + p + " does not hand it down"
	switch {
	case err == nil:
		return text
	case denied(err):
		return text + " and uid " + strconv.Itoa(unix.Geteuid()) + " may not change that; ask for Delegate=" + name
	case err == unix.EBUSY:
		return text + " as long as it holds processes itself: " + t.residents(p)
	}
	return text + ": " + err.Error()
}

// residents names the processes in the cgroup p, "12 (dockerd), 40 (sh)".
func (t *tree) residents(p string) string {
	text, err := readFile(t.root, below(p)+"/cgroup.procs")
	if err != nil {
		return err.Error()
	}
	return describe(parsePids(text, nil))
}

// Describe lists at most five processes with their names, for a message.
func Describe(pids []int) string { return describe(pids) }

// describe lists at most five processes with their names.
func describe(pids []int) string {
	var b strings.Builder
	for i, pid := range pids {
		if i == 5 {
			return b.String() + " and " + strconv.Itoa(len(pids)-i) + " more"
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(pid))
		if comm, err := readFile(unix.AT_FDCWD, "/proc/"+strconv.Itoa(pid)+"/comm"); err == nil {
			b.WriteString(" (" + strings.TrimSpace(comm) + ")")
		}
	}
	return b.String()
}

func fieldOf(name2 string) string {
	for _, c := range controllers() {
		if c.name2 == name2 {
			return c.field
		}
	}
	return unifiedField
}

// noController is the error for a setting whose controller is in no hierarchy.
func (g *Group) noController(c *controller) error {
	e := &diag.Error{Field: c.field, Op: "find controller", Path: c.name1, Err: ErrNoController, Code: "cgroup-controller-missing"}
	if e.Path == "" {
		e.Path = c.name2
	}
	if g.mode == None {
		e.Hint = "no cgroup file system is mounted at " + Root
	}
	return e
}

// wrapped is a sentinel and the errno that led to it; both are found by errors.Is.
type wrapped struct{ sentinel, cause error }

func (w *wrapped) Error() string   { return w.sentinel.Error() + ": " + w.cause.Error() }
func (w *wrapped) Unwrap() []error { return []error{w.sentinel, w.cause} }

// pageSizes lists the huge pages of this kernel as the config spells them.
func pageSizes() string {
	dir, err := openDir(unix.AT_FDCWD, "/sys/kernel/mm/hugepages")
	if err != nil {
		return "none"
	}
	defer closeFD(dir)
	names, _ := children(dir)
	for i, name := range names {
		kb, _ := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(name, "hugepages-"), "kB"), 10, 64)
		names[i] = spellPageSize(kb)
	}
	return strings.Join(names, ", ")
}

func spellPageSize(kb uint64) string {
	switch {
	case kb >= 1<<20 && kb%(1<<20) == 0:
		return utoa(kb>>20) + "GB"
	case kb >= 1<<10 && kb%(1<<10) == 0:
		return utoa(kb>>10) + "MB"
	}
	return utoa(kb) + "KB"
}
