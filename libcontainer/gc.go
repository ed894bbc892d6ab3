package libcontainer

import (
	"errors"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Garbage is what Collect has found, and why it is garbage.
type Garbage struct {
	ID     string
	Reason string
	Err    error // it could not be removed
}

// Collect removes what killed commands have left below Root: containers whose
// creation nobody carries on, deleted ones whose poststop hooks are still to
// run, and those of an earlier boot. What runs, is being worked on, has stopped
// in an ordinary way or cannot be read is left alone: it is somebody's, or may
// be. dryRun only tells. Each piece is passed to report; the error is the first
// of theirs.
func (r *Runtime) Collect(dryRun bool, report func(Garbage)) error {
	root, err := r.openRoot()
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(root)
	names, err := readNames(root, r.Root)
	if err != nil {
		return err
	}
	var first error
	for _, name := range names {
		g, found := r.collect(root, name, dryRun)
		if !found {
			continue
		}
		report(g)
		if first == nil {
			first = g.Err
		}
	}
	return first
}

func readNames(dir int, path string) ([]string, error) {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &diag.Error{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// collect deals with one entry of Root. Who holds its lock is at work on it.
func (r *Runtime) collect(root int, name string, dryRun bool) (g Garbage, found bool) {
	g.ID = name
	if aside := idOfAside(name); aside != "" {
		g.ID = aside
	} else if checkID(name) != nil {
		return g, false
	}
	c, err := r.openDir(root, name)
	if err != nil {
		return g, false // gone meanwhile, or no directory
	}
	defer c.close()
	c.id = g.ID
	if unix.Flock(c.dir, unix.LOCK_EX|unix.LOCK_NB) != nil || c.read() != nil {
		return g, false
	}
	if g.Reason = c.garbage(); g.Reason == "" || dryRun {
		return g, g.Reason != ""
	}
	switch {
	case c.ID == "":
		g.Err = c.remove()
	case c.entry != c.id:
		g.Err = c.runPoststop()
	default:
		g.Err = c.destroy()
	}
	return g, true
}

// garbage says why the container, which nobody holds the lock of, is garbage,
// or "" if it is not.
func (c *container) garbage() string {
	switch {
	case c.ID == "" && !c.blank(), c.ID != "" && c.ID != c.id:
		return "" // a directory of somebody else
	case c.entry != c.id:
		return "deleted, but for its poststop hooks"
	case c.outlivedBoot():
		return "from an earlier boot"
	case c.ID == "" && c.young():
		return "" // create locks what it has made a moment later
	case c.ID == "" || c.Pid == 0:
		return "never created"
	}
	return ""
}

// young reports whether the directory has changed of late.
func (c *container) young() bool {
	var st unix.Stat_t
	return unix.Fstat(c.dir, &st) != nil || time.Since(time.Unix(st.Mtim.Unix())) < c.runtime.timeout()
}
