package cgroups

import (
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// OOMWatch tells of processes that the kernel killed because the cgroup, or
// one above, was out of memory.
type OOMWatch struct {
	tree  *tree
	fd    int
	kills uint64 // seen so far
}

// WatchOOM begins to watch. Close the result. Without a memory controller the
// error is ErrNoController.
func (g *Group) WatchOOM() (*OOMWatch, error) {
	if t := g.legacy("memory"); t != nil {
		return t.watchOOMv1()
	}
	if t := g.unified(); t != nil && t.now("memory.events") != "" {
		return t.watchOOMv2()
	}
	return nil, &diag.Error{Path: "memory", Err: ErrNoController, Code: "cgroup-controller-missing"}
}

// watchOOMv1 registers an eventfd(2), cgroup-v1/memory.rst section 10. It
// becomes readable when memory is short, and when the cgroup is removed.
func (t *tree) watchOOMv1() (*OOMWatch, error) {
	dir, err := t.open()
	if err != nil {
		return nil, err
	}
	control, err := openat(dir, "memory.oom_control", unix.O_RDONLY)
	if err != nil {
		return nil, &diag.Error{Op: "open", Path: t.Dir() + "/memory.oom_control", Err: err}
	}
	defer unix.Close(control) // the kernel has its own reference then
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, &diag.Error{Op: "eventfd", Err: err}
	}
	if err := writeFile(dir, "cgroup.event_control", strconv.Itoa(fd)+" "+strconv.Itoa(control)); err != nil {
		unix.Close(fd)
		return nil, &diag.Error{Op: "write", Path: t.Dir() + "/cgroup.event_control", Err: err}
	}
	return &OOMWatch{tree: t, fd: fd}, nil
}

// watchOOMv2 watches memory.events, which inotify(7) reports as modified when
// a counter in it changes, cgroup-v2.rst. The removal of the cgroup ends the watch.
func (t *tree) watchOOMv2() (*OOMWatch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, &diag.Error{Op: "inotify_init1", Err: err}
	}
	file := t.Dir() + "/memory.events"
	if _, err := unix.InotifyAddWatch(fd, file, unix.IN_MODIFY|unix.IN_DELETE_SELF); err != nil {
		unix.Close(fd)
		return nil, &diag.Error{Op: "inotify_add_watch", Path: file, Err: err}
	}
	return &OOMWatch{tree: t, fd: fd, kills: keyedUint(t.now("memory.events"), "oom_kill")}, nil
}

// FD becomes readable when Kills may have something to tell.
func (w *OOMWatch) FD() int { return w.fd }

// Kills returns how many kills there were since the last call, and whether the
// cgroup still exists. On version 1 it counts the times that memory was short.
func (w *OOMWatch) Kills() (n uint64, exists bool) {
	var buf [4096]byte
	length, err := unix.Read(w.fd, buf[:])
	if w.tree.Controllers != "" { // version 1: eventfd's own counter
		if w.tree.now("memory.oom_control") == "" {
			return 0, false
		}
		if err == nil && length == 8 {
			n = binary.NativeEndian.Uint64(buf[:])
		}
		return n, true
	}
	text := w.tree.now("memory.events")
	if text == "" {
		return 0, false
	}
	total := keyedUint(text, "oom_kill")
	n, w.kills = total-min(w.kills, total), total
	return n, true
}

// Close ends the watch.
func (w *OOMWatch) Close() { unix.Close(w.fd) }
