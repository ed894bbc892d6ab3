package doctor

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"

	"ociruntime/libcontainer"
)

// state is the directory with the records of containers.
type state struct {
	root      string
	err       error // it cannot be used
	exists    bool
	parent    string // if it does not exist: what is to be written to
	denied    error  // if it does not exist: why it cannot be made
	memory    bool   // on a tmpfs
	free      uint64 // bytes
	inodes    uint64 // free; on a file system that does not count them: all ones
	leftovers []libcontainer.Garbage
}

func readState(run *libcontainer.Runtime) *state {
	s := &state{root: run.Root, parent: run.Root}
	s.err = run.Collect(true, func(g libcontainer.Garbage) { s.leftovers = append(s.leftovers, g) })
	var fs unix.Statfs_t
	for {
		err := unix.Statfs(s.parent, &fs)
		if s.exists = err == nil && s.parent == s.root; err == nil || !errors.Is(err, unix.ENOENT) || s.parent == "/" {
			break
		}
		s.parent = parentOf(s.parent)
	}
	s.denied = unix.Faccessat(unix.AT_FDCWD, s.parent, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	s.memory = fs.Type == unix.TMPFS_MAGIC
	s.free, s.inodes = fs.Bavail*uint64(fs.Bsize), fs.Ffree
	if fs.Files == 0 {
		s.inodes = ^uint64(0)
	}
	return s
}

func parentOf(path string) string {
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '/' {
			return path[:i]
		}
	}
	return "/"
}

// needed is what the records of one container take, generously.
const needed = 1 << 20

func (s *state) findings(who *caller) []Finding {
	r := &report{topic: "state"}
	elsewhere := "give --root DIR, a directory of one's own"
	if !who.root() {
		elsewhere = "log in so that XDG_RUNTIME_DIR is set (su and sudo do not do that), or " + elsewhere
	}
	switch {
	case s.err != nil:
		r.error("state-root", s.err.Error()+": no container can be recorded", elsewhere)
	case s.denied != nil && !s.exists:
		r.error("state-root", s.root+" does not exist, and "+s.parent+" is not writable ("+s.denied.Error()+"): no container can be recorded", elsewhere)
	case s.denied != nil:
		r.error("state-root", s.root+" is not writable ("+s.denied.Error()+"): no container can be recorded", elsewhere)
	case s.free < needed || s.inodes < 16:
		r.error("state-full", s.root+" is on a file system that is full: "+strconv.FormatUint(s.free>>10, 10)+" KiB and "+strconv.FormatUint(s.inodes, 10)+" files are left",
			"see df "+s.parent+" and df -i "+s.parent)
	case !s.memory:
		r.note("state-disk", s.root+" is not on a tmpfs: containers of before a boot stay listed until `runtime gc`")
	default:
		r.ok("state-root", s.root+" keeps the records of containers")
	}
	for _, g := range s.leftovers {
		r.warning("state-leftover", g.ID+" is left of a command that was killed: "+g.Reason, "runtime --root "+s.root+" gc removes it")
	}
	return r.list
}
