package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// counts is what a verb did, from its first instruction to the end of the command.
type counts struct {
	calls, failed, processes, threads int
	end                               string // how the command ended, in strace's words; empty: it has not
}

// scenarioTrace counts system calls and processes of each verb, once, under strace -f:
// these do not vary as times do, and strace would spoil the times.
func (w *worker) scenarioTrace(c Case) error {
	if w.job.Strace == "" {
		w.result.Problems = append(w.result.Problems, Problem{leftBehind, "no strace in PATH: system calls were not counted"})
		return nil
	}
	return w.rounds(0, 1, func(rt Runtime, _ int) error {
		once, err := w.container(c, rt, "-run", greeter, 0)
		if err != nil {
			return err
		}
		if err := w.traceVerb(once, "run"); err != nil {
			once.destroy(w.launch)
			return err
		}
		h, err := w.container(c, rt, "-life", sleeper, 0)
		if err != nil {
			return err
		}
		for _, verb := range []string{"create", "start", "state", "list", "exec", "kill", "delete"} {
			if err := w.traceVerb(h, verb); err != nil {
				h.destroy(w.launch)
				return err
			}
		}
		return nil
	})
}

// traceVerb runs the verb under strace. strace does not end before the container that a
// verb leaves behind, so its end is not waited for: the log tells when the command ended.
func (w *worker) traceVerb(h *container, verb string) error {
	log := filepath.Join(w.dir, "strace.log")
	_ = os.Remove(log)
	argv := append([]string{"-f", "-q", "-o", log, "--"}, h.argv(verb)...)
	cmd := exec.Command(w.job.Strace, argv...)
	out, err := os.Create(filepath.Join(w.dir, "strace.out"))
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }()
	var n counts
	err = eventually(func() error {
		text, err := os.ReadFile(log)
		if err != nil {
			return err
		}
		if n = countTrace(string(text)); n.end == "" {
			return errors.New("strace: the command has not ended")
		}
		return nil
	})
	if err != nil {
		return err
	}
	printed, err := os.ReadFile(out.Name())
	if err != nil {
		return err
	}
	if n.end != "exited with 0" {
		return fmt.Errorf("%s under strace %s: %s", verb, n.end, firstLine(string(printed)))
	}
	if err := h.verify(verb, string(printed)); err != nil {
		return fmt.Errorf("under strace: %w", err)
	}
	w.fact(h.rt, verb+" calls", float64(n.calls), "")
	w.fact(h.rt, verb+" failed", float64(n.failed), "")
	w.fact(h.rt, verb+" processes", float64(n.processes), "")
	w.fact(h.rt, verb+" threads", float64(n.threads), "")
	return nil
}

// countTrace reads the output of strace -f up to the end of the first process. Threads
// are those beyond the first of each process.
func countTrace(log string) (n counts) {
	tasks := map[string]struct{}{}
	first := ""
	for line := range strings.Lines(log) {
		pid, call, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		call = strings.TrimLeft(call, " ")
		if first == "" {
			first = pid
		}
		tasks[pid] = struct{}{}
		switch {
		case strings.HasPrefix(call, "+++"):
			if pid == first {
				n.processes = len(tasks) - n.threads
				n.end = strings.Trim(call, "+ ")
				return n
			}
		case strings.HasPrefix(call, "---"):
		default:
			n.add(call)
		}
	}
	return n
}

// add counts one line; a call that was cut by another thread's is in two of them.
func (n *counts) add(call string) {
	resumed := strings.HasPrefix(call, "<... ")
	if !resumed {
		n.calls++
		if strings.HasPrefix(call, "clone") && strings.Contains(call, "CLONE_THREAD") {
			n.threads++
		}
	}
	if before, _, failed := strings.Cut(call, " = -1 E"); failed && strings.HasSuffix(strings.TrimRight(before, " "), ")") {
		n.failed++
	}
}
