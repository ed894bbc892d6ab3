package main

import (
	"fmt"
	"path/filepath"
	"time"
)

// ways is how many callers enter a container at once.
const ways = 4

// execVerb is an exec of a program that does nothing.
const execVerb = "exec true"

// scenarioExec enters one running container of each runtime c.Count times, one
// after the other, and as often by four callers at once.
func (w *worker) scenarioExec(c Case) error {
	streams := []*launcher{w.launch}
	for i := 1; i < ways; i++ {
		l, err := startLauncher(w.job.Launcher, filepath.Join(w.dir, "state"), fmt.Sprintf("stream%d", i))
		if err != nil {
			return err
		}
		defer l.stop()
		streams = append(streams, l)
	}
	defer w.leave()
	if err := w.rounds(0, 1, func(rt Runtime, _ int) error { return w.enter(c, rt) }); err != nil {
		return err
	}
	if err := w.rounds(w.job.Warmup, c.Count, func(rt Runtime, round int) error {
		h, err := w.entered(c, rt)
		if err != nil {
			return err
		}
		o, _, err := w.do(h, execVerb, 0)
		if err == nil {
			w.record(rt, execVerb+", in sequence", round, o.Sample)
		}
		return err
	}); err != nil {
		return err
	}
	return w.rounds(1, batches, func(rt Runtime, round int) error { return w.execAtOnce(c, rt, round, streams) })
}

// execAtOnce is one batch of the second half; its sample is for one exec.
func (w *worker) execAtOnce(c Case, rt Runtime, round int, streams []*launcher) error {
	h, err := w.entered(c, rt)
	if err != nil {
		return err
	}
	handles := make([]*container, max(c.Count/batches, ways))
	for i := range handles {
		handles[i] = h
	}
	start := time.Now()
	sum, err := inStreams(streams, handles, []string{execVerb})
	if err != nil {
		return err
	}
	n := int64(len(handles))
	w.record(rt, fmt.Sprintf("%s, %d-way", execVerb, ways), round, Sample{WallNS: time.Since(start).Nanoseconds() / n,
		UserUS: sum.UserUS / n, SysUS: sum.SysUS / n, RSSKiB: -1})
	return nil
}

// entered is the container that is there to be entered.
func (w *worker) entered(c Case, rt Runtime) (*container, error) {
	return w.container(c, rt, "-exec", sleeper, 0)
}

func (w *worker) enter(c Case, rt Runtime) error {
	h, err := w.entered(c, rt)
	for _, verb := range []string{"create", "start"} {
		if err == nil {
			_, _, err = w.do(h, verb, 0)
		}
	}
	return err
}

// leave removes the containers, of runtimes that failed as well.
func (w *worker) leave() {
	for _, rt := range w.job.Runtimes {
		if h := w.handles[rt.Name+"-exec"]; h != nil {
			h.destroy(w.launch)
		}
	}
}
