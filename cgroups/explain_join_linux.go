package cgroups

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// ExplainJoin words why a process could not enter the Group: err is what
// clone(2) with CLONE_INTO_CGROUP, or a write into a tasks file, has failed with.
func (g *Group) ExplainJoin(err error) error {
	if err == nil {
		return nil
	}
	t := g.unified()
	if t == nil || g.mode == Hybrid && err == unix.ENOSPC {
		t = g.legacy("cpuset")
	}
	if t == nil {
		return err
	}
	e := &diag.Error{Op: "enter cgroup", Path: t.Dir(), Err: err, Code: "cgroup-join"}
	switch {
	case err == unix.EOPNOTSUPP:
		e.Hint = t.whyInvalid()
	case err == unix.EBUSY:
		e.Hint = "it has handed controllers down (" + strings.TrimSpace(t.at(t.Path, "cgroup.subtree_control")) +
			"), so processes can only be in cgroups below it"
	case err == unix.ENOSPC:
		e.Hint = t.whyNoCPU()
	case err == unix.EAGAIN:
		if e.Hint = t.fullPids(1); e.Hint != "" {
			e.Code = "pids-limit"
		} else {
			e.Code, e.Hint = "process-limit", "RLIMIT_NPROC of the user, or kernel.threads-max, is reached"
		}
	case err == unix.ENOMEM:
		e.Code = "no-memory"
		if e.Hint = t.fullMemory(); e.Hint != "" {
			e.Code = "memory-limit"
		}
	case denied(err):
		e.Hint = t.whoMayMove()
	}
	return e
}

// stageBytes is more than the kernel charges for a process that has just been
// cloned.
const stageBytes = 256 << 10

// fullMemory names the first cgroup from t upwards that has no memory left for a
// process, with its limit; "" if all have.
func (t *tree) fullMemory() string {
	for p := t.Path; p != "/"; p = path.Dir(p) {
		limit, ok := parseUint(t.at(p, "memory.max")) // not for "max"
		current, _ := parseUint(t.at(p, "memory.current"))
		if ok && limit < current+stageBytes {
			return "memory.max of " + t.Mount + p + " is " + bytesText(limit) + ", and " + bytesText(current) + " are in use"
		}
	}
	return ""
}

// whyInvalid: a cgroup below a threaded one is "domain invalid" until it is made
// threaded too, and takes no processes, cgroup-v2.rst. The same comes of
// processes that sit in a cgroup with children and controllers. The text says
// which cgroups are involved, and who sits in them.
func (t *tree) whyInvalid() string {
	text := "it is " + `"` + t.at(t.Path, "cgroup.type") + `"`
	for p := path.Dir(t.Path); p != "/"; p = path.Dir(p) {
		kind := t.at(p, "cgroup.type")
		if kind != "threaded" && kind != "domain threaded" && kind != "domain invalid" {
			break
		}
		text += ", " + t.Mount + p + ` above it is "` + kind + `"` + t.holds(p)
		if kind == "domain threaded" { // the top of the threaded ones
			text += t.threadedBelow(p)
			break
		}
	}
	return text + "; make it threaded, too, or have it elsewhere"
}

// holds says whose threads are in the cgroup p. One that is threaded does not
// list processes.
func (t *tree) holds(p string) string {
	for _, file := range []string{"cgroup.procs", "cgroup.threads"} {
		if pids := parsePids(t.at(p, file), nil); len(pids) > 0 {
			return " and holds " + describe(pids)
		}
	}
	return ""
}

// threadedBelow names the first threaded cgroup below p that is not on the way
// to the container's.
func (t *tree) threadedBelow(p string) string {
	dir, err := openDir(t.root, below(p))
	if err != nil {
		return ""
	}
	defer closeFD(dir)
	names, _ := children(dir)
	for _, name := range names {
		child := path.Join(p, name)
		if t.at(child, "cgroup.type") == "threaded" && !within(t.Path, child) {
			return ", " + t.Mount + child + ` below that is "threaded"` + t.holds(child)
		}
	}
	return ""
}

// whyNoCPU names the cpuset on the way up that is empty.
func (t *tree) whyNoCPU() string {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		if !exists(t.root, below(t.Path)+"/"+file) {
			continue // no cpuset controller here
		}
		effective := t.at(t.Path, file+".effective")
		if t.Controllers != "" {
			effective = t.at(t.Path, file)
		}
		if effective == "" {
			return file + " is empty; the parent cgroup has " + t.above(file)
		}
	}
	return ""
}

// whoMayMove names the nearest common ancestor of the caller's cgroup and the
// container's: moving a process needs the right to write its cgroup.procs,
// cgroups(7) "delegation containment".
func (t *tree) whoMayMove() string {
	text, err := readFile(unix.AT_FDCWD, "/proc/self/cgroup")
	if err != nil {
		return ""
	}
	own, ok := unifiedPath(parseMembership(text))
	if !ok {
		return ""
	}
	common := commonAncestor(own, t.Path)
	hint := "from " + t.Mount + own + " to there goes through " + t.Mount + common
	var st unix.Stat_t
	if unix.Fstatat(t.root, below(common)+"/cgroup.procs", &st, 0) == nil {
		hint += ", which belongs to uid " + utoa(uint64(st.Uid))
	}
	return hint + "; systemd-run --user --scope gives a cgroup to start from"
}

func commonAncestor(a, b string) string {
	for !within(b, a) {
		a = path.Dir(a)
	}
	return a
}
