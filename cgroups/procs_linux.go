package cgroups

import "golang.org/x/sys/unix"

// Procs returns the processes of the cgroup and of those below it, in the
// caller's pid namespace. A cgroup that is gone has none.
func (g *Group) Procs() ([]int, error) {
	t := g.census()
	if t == nil {
		return nil, ErrNoCgroup
	}
	return t.pids()
}

func (t *tree) pids() ([]int, error) {
	dir, err := t.open()
	if err != nil {
		if gone(err) {
			return nil, nil
		}
		return nil, err
	}
	pids, err := collect(dir, nil)
	if err != nil && !gone(err) {
		return nil, pathErr("read", t.Dir()+"/cgroup.procs", err)
	}
	return pids, nil
}

// collect reads cgroup.procs of an open cgroup and of all below it. In a
// threaded cgroup the file cannot be read (EOPNOTSUPP); its processes are
// listed by the domain above it.
func collect(dir int, pids []int) ([]int, error) {
	text, err := readFile(dir, "cgroup.procs")
	if err != nil && err != unix.EOPNOTSUPP {
		return pids, err
	}
	pids = parsePids(text, pids)
	names, err := children(dir)
	if err != nil {
		return pids, err
	}
	for _, name := range names {
		child, err := openDir(dir, name)
		if gone(err) {
			continue
		}
		if err != nil {
			return pids, err
		}
		pids, err = collect(child, pids)
		closeFD(child)
		if err != nil && !gone(err) {
			return pids, err
		}
	}
	return pids, nil
}
