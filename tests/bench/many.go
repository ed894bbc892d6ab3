package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// batches is into how many interleaved parts the containers of `many` are started and
// removed: enough for quartiles, so large that a part is longer than its own disturbance.
const batches = 10

// scenarioMany fills the host with c.Count containers of each runtime, first one after
// the other, then by two callers at once; with all of them there it measures list and exec.
func (w *worker) scenarioMany(c Case) error {
	streams := []*launcher{w.launch}
	second, err := startLauncher(w.job.Launcher, filepath.Join(w.dir, "state"), "second")
	if err != nil {
		return err
	}
	defer second.stop()
	if err := w.fill(c, streams, "in sequence"); err != nil {
		return err
	}
	if err := w.amongMany(c); err != nil {
		return err
	}
	if err := w.empty(c, streams, "in sequence"); err != nil {
		return err
	}
	if c.Count < 2*batches {
		return nil // nothing to do in parallel
	}
	streams = append(streams, second)
	if err := w.fill(c, streams, "2-way"); err != nil {
		return err
	}
	return w.empty(c, streams, "2-way")
}

// parts cuts c.Count containers into batches of numbers.
func parts(count int) [][]int {
	n := min(batches, count)
	out := make([][]int, n)
	for i := range count {
		out[i*n/count] = append(out[i*n/count], i)
	}
	return out
}

func (w *worker) member(c Case, rt Runtime, i int) (*container, error) {
	return w.container(c, rt, fmt.Sprintf("-%d", i), sleeper, 0)
}

func (w *worker) fill(c Case, streams []*launcher, how string) error {
	return w.inBatches(c, streams, []string{"create", "start"}, "create+start, "+how)
}

func (w *worker) empty(c Case, streams []*launcher, how string) error {
	if err := w.inBatches(c, streams, []string{"kill"}, "kill, "+how); err != nil {
		return err
	}
	return w.inBatches(c, streams, []string{"delete"}, "delete, "+how)
}

// inBatches does the verbs to every container, in interleaved batches. A sample is the time
// of a batch divided by its containers, from the first start of a command to the last end;
// the checks come after it. Less than one container for each batch gives no sample.
func (w *worker) inBatches(c Case, streams []*launcher, verbs []string, name string) error {
	all := parts(c.Count)
	return w.rounds(0, len(all), func(rt Runtime, round int) error {
		handles := make([]*container, 0, len(all[round]))
		for _, i := range all[round] {
			h, err := w.member(c, rt, i)
			if err != nil {
				return err
			}
			handles = append(handles, h)
		}
		start := time.Now()
		sum, err := inStreams(streams, handles, verbs)
		wall := time.Since(start)
		for i := 0; i < len(handles) && err == nil; i++ {
			err = handles[i].verify(verbs[len(verbs)-1], "")
		}
		if err != nil {
			w.destroyAll(c, rt)
			return err
		}
		if len(all) < batches {
			return nil
		}
		n := int64(len(handles))
		w.record(rt, name, round, Sample{WallNS: wall.Nanoseconds() / n,
			UserUS: sum.UserUS / n, SysUS: sum.SysUS / n, RSSKiB: -1})
		return nil
	})
}

// inStreams shares the containers out to the launchers, which work at the same time.
func inStreams(streams []*launcher, handles []*container, verbs []string) (Sample, error) {
	var wait sync.WaitGroup
	sums, errs := make([]Sample, len(streams)), make([]error, len(streams))
	for s, l := range streams {
		wait.Go(func() {
			for i := s; i < len(handles) && errs[s] == nil; i += len(streams) {
				errs[s] = inOrder(l, handles[i], verbs, &sums[s])
			}
		})
	}
	wait.Wait()
	var sum Sample
	for s := range streams {
		sum.UserUS += sums[s].UserUS
		sum.SysUS += sums[s].SysUS
		if errs[s] != nil {
			return sum, errs[s]
		}
	}
	return sum, nil
}

func inOrder(l *launcher, h *container, verbs []string, sum *Sample) error {
	for _, verb := range verbs {
		o, err := l.must(0, verb, h.argv(verb), 0)
		if err != nil {
			return err
		}
		sum.UserUS += o.UserUS
		sum.SysUS += o.SysUS
	}
	return nil
}

// amongMany measures what should not depend on the number of containers, and list, which must.
func (w *worker) amongMany(c Case) error {
	return w.rounds(w.job.Warmup, c.Reps, func(rt Runtime, round int) error {
		h, err := w.member(c, rt, 0)
		if err != nil {
			return err
		}
		for _, verb := range []string{"list", "exec", "state"} {
			o, stdout, err := w.do(h, verb, 0)
			if err == nil && verb == "list" {
				err = wantListed(stdout, rt, c.Count)
			}
			if err != nil {
				w.destroyAll(c, rt)
				return err
			}
			w.record(rt, fmt.Sprintf("%s of %d", verb, c.Count), round, o.Sample)
		}
		return nil
	})
}

func wantListed(stdout string, rt Runtime, want int) error {
	got := 0
	for line := range strings.Lines(stdout) {
		if strings.Contains(line, rt.Name+"-") && strings.Contains(line, "running") {
			got++
		}
	}
	if got != want {
		return fmt.Errorf("list shows %d running containers, want %d", got, want)
	}
	return nil
}

// destroyAll removes all containers of a runtime that failed.
func (w *worker) destroyAll(c Case, rt Runtime) {
	for i := range c.Count {
		if h := w.handles[fmt.Sprintf("%s-%d", rt.Name, i)]; h != nil {
			if _, err := os.Stat(filepath.Join(h.root, h.id)); err == nil || len(h.cgroups()) > 0 {
				h.destroy(w.launch)
			}
		}
	}
}
