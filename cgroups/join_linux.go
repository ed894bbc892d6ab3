package cgroups

import "golang.org/x/sys/unix"

// Join is what a new process needs to become a member of a Group.
type Join struct {
	// Dir is the version 2 cgroup for CLONE_INTO_CGROUP, clone(2); -1 if there is none.
	Dir int
	// Tasks are the version 1 hierarchies. A process enters each by writing "0".
	Tasks []Tasks
}

// Tasks is an open "tasks" file. The writer must have a single thread: unlike
// cgroup.procs, tasks moves only the thread that writes, and so needs no lock
// that waits for an RCU grace period (7 to 9 ms on an idle machine).
type Tasks struct {
	FD      int    // write-only
	Path    string // for messages
	Freezer bool   // whoever enters stops while the cgroup is frozen
}

// Join opens what a process needs to enter the Group. Close the result when
// the process has started. On version 1 a hierarchy may be shared by several
// controllers; it has one entry.
func (g *Group) Join() (*Join, error) {
	j := &Join{Dir: -1, Tasks: make([]Tasks, 0, len(g.trees))}
	for i := range g.trees {
		if err := j.add(&g.trees[i]); err != nil {
			j.Close()
			return nil, err
		}
	}
	return j, nil
}

// Born is the part of Join that the clone of the process needs: the version 2
// cgroup, in which it is born. The version 1 ones, which it enters itself, follow.
func (g *Group) Born() (*Join, error) {
	j := &Join{Dir: -1}
	t := g.unified()
	if t == nil {
		return j, nil
	}
	return j, j.add(t)
}

func (j *Join) add(t *tree) error {
	root, err := t.mount()
	if err != nil {
		return err
	}
	if t.Controllers == "" {
		j.Dir, err = openDir(root, below(t.Path))
		if err != nil {
			return pathErr("open", t.Dir(), err)
		}
		return nil
	}
	fd, err := openat(root, below(t.Path)+"/tasks", unix.O_WRONLY)
	if err != nil {
		return pathErr("open", t.Dir()+"/tasks", err)
	}
	j.Tasks = append(j.Tasks, Tasks{fd, t.Dir() + "/tasks", t.Has("freezer")})
	return nil
}

// Close closes the descriptors.
func (j *Join) Close() {
	closeFD(j.Dir)
	j.Dir = -1
	for _, t := range j.Tasks {
		closeFD(t.FD)
	}
	j.Tasks = nil
}

// OpenProcs opens cgroup.procs of the version 2 cgroup dir, for a process that
// cannot be born there. It enters by writing "0", or is moved by its pid.
func OpenProcs(dir int) (int, error) {
	fd, err := openat(dir, "cgroup.procs", unix.O_WRONLY)
	if err != nil {
		return -1, pathErr("open", "cgroup.procs", err)
	}
	return fd, nil
}
