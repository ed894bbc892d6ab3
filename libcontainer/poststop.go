package libcontainer

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// A container whose poststop hooks are still to run exists no more, and yet
// must not be forgotten should we be killed: its directory waits aside, under a
// name that is no id:
//
//	ROOT/ID  ->  ROOT/@ID  ->  poststop hooks  ->  nothing
//
// Whoever deletes ID next, or collects garbage, finds it there and runs the
// hooks, perhaps for the second time.

// asideMark begins the name of a directory that has been put aside. A number
// behind a second one tells those of one id apart.
const asideMark = "@"

// asideName is the name of the nth directory of id.
func asideName(id string, n int) string {
	if n == 0 {
		return asideMark + id
	}
	return asideMark + id + asideMark + strconv.Itoa(n)
}

// idOfAside is the id in such a name, or "" if it is none.
func idOfAside(name string) string {
	rest, ok := strings.CutPrefix(name, asideMark)
	if id, _, _ := strings.Cut(rest, asideMark); ok && checkID(id) == nil {
		return id
	}
	return ""
}

// runPoststop runs the poststop hooks of a container of which only the
// directory is left, and removes that.
func (c *container) runPoststop() error {
	if err := c.putAside(); err != nil {
		return err
	}
	config, err := c.config()
	if err == nil {
		err = hideDescriptors()
	}
	if errors.Is(err, unix.ENOENT) { // create was killed before it had written the config: nothing has run
		return c.remove()
	}
	if err != nil {
		c.runtime.Log.Warnf("continued without poststop hooks: %v", err)
	} else {
		state := c.hookState(Stopped, "poststop")
		c.kind(config.Hooks, "poststop").RunAll(state, func(err error) { c.runtime.Log.Warnf("%v", err) })
	}
	return c.remove()
}

// putAside renames the directory, unless that has been done already.
func (c *container) putAside() error {
	if c.entry != c.id {
		return nil
	}
	root, err := c.runtime.openRoot()
	if err != nil {
		return err
	}
	defer unix.Close(root)
	for n := 0; ; n++ {
		name := asideName(c.id, n)
		switch err := unix.Renameat2(root, c.id, root, name, unix.RENAME_NOREPLACE); err {
		case nil:
			c.entry = name
			return nil
		case unix.EEXIST: // an earlier container of this id, whose hooks still run
		case unix.ENAMETOOLONG: // it is seen until its hooks have run
			return nil
		default:
			return &diag.Error{Op: "rename", Path: c.runtime.Root + "/" + c.id, Err: err}
		}
	}
}

// finishDelete does what a killed delete of id has left to do, and reports
// whether there was anything.
func (r *Runtime) finishDelete(id string) (finished bool, err error) {
	root, err := r.openRoot()
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer unix.Close(root)
	for n := 0; ; n++ {
		c, err := r.openAside(root, asideName(id, n))
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENAMETOOLONG) {
			return finished, nil
		}
		if err != nil {
			return finished, err
		}
		err = c.resumePoststop()
		c.close()
		if err != nil {
			return finished, err
		}
		finished = true
	}
}

func (r *Runtime) openAside(root int, name string) (*container, error) {
	c, err := r.openDir(root, name)
	if err == nil {
		c.id = idOfAside(name)
	}
	return c, err
}

// resumePoststop is runPoststop for a directory found aside. A delete that
// still runs is waited for, and has left nothing to do.
func (c *container) resumePoststop() error {
	if err := c.lock(); err != nil {
		if errors.Is(err, ErrNotExist) {
			return nil
		}
		return err
	}
	if err := c.read(); err != nil {
		c.runtime.Log.Warnf("continued without poststop hooks: %v", err)
		return c.remove()
	}
	if c.ID != c.id && !c.blank() {
		return c.notOurs()
	}
	return c.runPoststop()
}
