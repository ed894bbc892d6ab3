package libcontainer

//go:generate go run ociruntime/spec/internal/gen -out stats_json.go -encode ociruntime/cgroups.Stats

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/cgroups"
	"ociruntime/internal/diag"
	"ociruntime/internal/json"
)

// EventsOptions are those of `events`.
type EventsOptions struct {
	Interval time.Duration // between two statistics
	Once     bool          // one statistic, and no more
}

// Events gives emit the events of a container, each as a line of JSON, until
// its process ends, its cgroup is gone, or emit fails:
//
//	{"type":"stats","id":ID,"data":{...}}  at once and at every interval
//	{"type":"oom","id":ID}                 when the kernel killed for memory
func (r *Runtime) Events(id string, o EventsOptions, emit func(line []byte) error) error {
	c, err := r.load(id)
	if err != nil {
		return err
	}
	defer c.close()
	pidfd, err := c.alive()
	if errors.Is(err, ErrNotRunning) {
		return &diag.Error{Err: fmt.Errorf("container with id %s is not running", id), Code: "not-running"}
	}
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	w := &watcher{id: id, group: c.cgroup(), pidfd: pidfd, emit: emit}
	defer w.group.Close()
	if o.Once {
		return w.stats()
	}
	return w.follow(o.Interval)
}

// watcher is one `events` in progress.
type watcher struct {
	id    string
	group *cgroups.Group
	pidfd int
	oom   *cgroups.OOMWatch // nil without a memory controller
	emit  func(line []byte) error
}

// follow emits events until there can be no more.
func (w *watcher) follow(interval time.Duration) error {
	oom, err := w.group.WatchOOM()
	if err == nil {
		w.oom = oom
		defer oom.Close()
	} else if !errors.Is(err, cgroups.ErrNoController) {
		return err
	}
	for next := time.Now(); ; {
		if left := time.Until(next); left > 0 {
			more, err := w.wait(left)
			if !more || err != nil {
				return err
			}
			continue
		}
		next = next.Add(interval)
		if err := w.stats(); errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// wait waits for something to happen, and reports whether more can.
func (w *watcher) wait(left time.Duration) (more bool, err error) {
	fds := []unix.PollFd{{Fd: int32(w.pidfd), Events: unix.POLLIN}}
	if w.oom != nil {
		fds = append(fds, unix.PollFd{Fd: int32(w.oom.FD()), Events: unix.POLLIN})
	}
	if _, err := unix.Poll(fds, int(left.Milliseconds())+1); err != nil && err != unix.EINTR {
		return false, &diag.Error{Op: "poll", Err: err}
	}
	ended := fds[0].Revents != 0
	if w.oom == nil {
		return !ended, nil
	}
	kills, exists := w.oom.Kills() // the end of the process may be one of them
	for range kills {
		if err := w.emit(w.line("oom", nil)); err != nil {
			return false, err
		}
	}
	return exists && !ended, nil
}

// stats emits the counters of the cgroup.
func (w *watcher) stats() error {
	s, err := w.group.Stats()
	if err != nil {
		return err
	}
	data := appendCgroupsStats(nil, s)
	// Members that runc has from elsewhere, for who parses by its types.
	data = append(data[:len(data)-1], `,"intel_rdt":{},"network_interfaces":null}`...)
	return w.emit(w.line("stats", data))
}

// line is one event.
func (w *watcher) line(kind string, data []byte) []byte {
	b := json.AppendString(json.AppendName([]byte{'{'}, "type"), kind)
	b = json.AppendString(json.AppendName(b, "id"), w.id)
	if data != nil {
		b = append(json.AppendName(b, "data"), data...)
	}
	return append(b, "}\n"...)
}
