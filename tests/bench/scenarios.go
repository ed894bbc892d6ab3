package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// preflight runs the probe with every runtime and, for seccomp, fetches the filter for
// the floor, which is checked last. A runtime that cannot run it here leaves the case.
func (w *worker) preflight(c Case) error {
	haveFilter := false
	for _, rt := range w.job.Runtimes {
		if rt.Floor && c.Seccomp && !haveFilter {
			w.problem(rt.Name, fmt.Errorf("no runtime loaded a filter to copy"))
			continue
		}
		if err := w.probe(c, rt); err != nil {
			w.problem(rt.Name, err)
			continue
		}
		if !c.Seccomp || rt.Floor {
			continue
		}
		if err := w.fetchFilter(c, rt, !haveFilter); err != nil {
			w.problem(rt.Name, err)
			continue
		}
		haveFilter = true
	}
	return nil
}

func (w *worker) probe(c Case, rt Runtime) error {
	h, err := w.container(c, rt, "-probe", []string{"/bin/sh", "-c", probe}, 0)
	if err != nil {
		return err
	}
	var stdout string
	if _, err = w.launch.must(0, "run", h.argv("run"), 7); err == nil {
		stdout, err = w.launch.printed()
	}
	if err == nil {
		err = checkFacts(stdout, c.Seccomp)
	}
	if err == nil {
		err = inCgroup(stdout, h.cgroup, w.v1, w.namespaced())
	}
	if err == nil {
		err = h.verifyGone()
	}
	if err != nil {
		h.destroy(w.launch)
	}
	return err
}

// fetchFilter notes how long the runtime's filter is and, if save, keeps it for the floor.
func (w *worker) fetchFilter(c Case, rt Runtime, save bool) error {
	h, err := w.container(c, rt, "-filter", sleeper, 0)
	if err != nil {
		return err
	}
	defer h.destroy(w.launch)
	for _, verb := range []string{"create", "start"} {
		if _, _, err := w.do(h, verb, 0); err != nil {
			return err
		}
	}
	filter, err := seccompFilter(h.pid)
	if err != nil {
		return err
	}
	w.fact(rt, "length of the seccomp filter", float64(len(filter)/8), "instructions")
	if save {
		return os.WriteFile(w.filterFile(), filter, 0o600)
	}
	return nil
}

// scenarioRun measures `run` of a program that ends at once.
func (w *worker) scenarioRun(c Case) error {
	return w.rounds(w.job.Warmup, c.Reps, func(rt Runtime, round int) error {
		h, err := w.container(c, rt, "-run", greeter, 0)
		if err != nil {
			return err
		}
		o, _, err := w.do(h, "run", c.Idle)
		if err == nil {
			err = h.verifyGone()
		}
		if err != nil {
			h.destroy(w.launch)
			return err
		}
		w.record(rt, "run", round, o.Sample)
		return nil
	})
}

// life is a container's life, one command after the other.
var life = []string{"create", "start", "state", "exec", "kill", "delete"}

// scenarioLife measures each command of a container's life.
func (w *worker) scenarioLife(c Case) error {
	return w.rounds(w.job.Warmup, c.Reps, func(rt Runtime, round int) error {
		h, err := w.container(c, rt, "-life", sleeper, 0)
		if err != nil {
			return err
		}
		for _, verb := range life {
			o, _, err := w.do(h, verb, c.Idle)
			if err != nil {
				h.destroy(w.launch)
				return err
			}
			w.record(rt, verb, round, o.Sample)
			if verb == "create" && round == 0 {
				w.waitingFacts(rt, h.pid)
			}
		}
		return nil
	})
}

// waitingFacts notes what a created container costs while it waits for start.
func (w *worker) waitingFacts(rt Runtime, pid int) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		number, err := strconv.ParseFloat(strings.Fields(value + " x")[0], 64)
		if err != nil {
			continue
		}
		switch key {
		case "VmRSS":
			w.fact(rt, "RSS of the waiting container", number, "KiB")
		case "Threads":
			w.fact(rt, "threads of the waiting container", number, "")
		}
	}
	schedstat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if ns, err := strconv.ParseFloat(strings.Fields(string(schedstat) + " x")[0], 64); err == nil {
		w.fact(rt, "cpu of the waiting container's first thread", ns/1e6, "ms")
	}
}
