package libcontainer

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"ociruntime/cgroups"
	"ociruntime/internal/diag"
)

// List returns the state of every container below Root, by id. What cannot be
// read is in the list as Broken, and its reason among problems. A Root that
// does not exist holds no containers.
func (r *Runtime) List() (list []State, problems []error, err error) {
	root, err := r.openRoot()
	if errors.Is(err, unix.ENOENT) {
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(root)
	names, err := r.ids(root)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range names {
		s, err := r.entry(root, id)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			continue // deleted meanwhile, or no container
		}
		if err != nil {
			problems = append(problems, &diag.Error{Op: "load container", Path: id, Err: err})
			s = &State{ID: id, Status: Broken}
		}
		list = append(list, *s)
	}
	return list, problems, nil
}

// MemoryUsage returns the bytes that container id is charged with, caches
// included; false if nothing counts them.
func (r *Runtime) MemoryUsage(id string) (bytes uint64, ok bool) {
	c, err := r.load(id)
	if err != nil {
		return 0, false
	}
	defer c.close()
	group := cgroups.Load(c.Cgroup)
	defer group.Close()
	s, err := group.Stats()
	if err != nil || s.Memory.Usage.Usage == 0 {
		return 0, false
	}
	return s.Memory.Usage.Usage, true
}

func (r *Runtime) ids(root int) ([]string, error) {
	names, err := readNames(root, r.Root)
	names = slices.DeleteFunc(names, func(id string) bool { return checkID(id) != nil })
	return names, err
}

func (r *Runtime) entry(root int, id string) (*State, error) {
	c, err := r.openDir(root, id)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := c.read(); err != nil {
		return nil, err
	}
	s, err := c.state()
	if err != nil {
		return nil, err
	}
	s.Owner = c.owner()
	return s, nil
}
