// Command bench measures OCI runtimes against each other and against the kernel's own
// price of a container. See README.md for what it measures, how, and how to read it.
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-worker" {
		exit(workerMain())
	}
	exit(bench())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func bench() error {
	o, err := parseFlags(os.Args[1:])
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("needs root: it makes containers, mounts and cgroups")
	}
	scratch, err := os.MkdirTemp(o.scratch, "ocibench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	launcher, floor, err := buildC(scratch)
	if err != nil {
		return err
	}
	runtimes, err := findRuntimes(o, floor)
	if err != nil {
		return err
	}
	strace, _ := exec.LookPath("strace")
	template := Job{Runtimes: runtimes, Launcher: launcher, Strace: strace, Scratch: scratch,
		Cgroup: filepath.Base(scratch), Warmup: o.warmup, Seed: o.seed, Shared: o.shared}
	report := Report{Machine: describeMachine(scratch), Command: os.Args, Runtimes: runtimes, Warmup: o.warmup, Seed: o.seed}
	runErr := runPlaces(o, template, &report)
	report.Machine.finish()
	if err := writeReport(o, report); err != nil {
		return err
	}
	return cmp.Or(runErr, problems(report))
}

// runPlaces runs one worker for each place. A place that this host cannot show is a problem
// of the report, not the end of it.
func runPlaces(o options, template Job, report *Report) error {
	var failed []error
	for _, place := range places(o) {
		template.Place, template.Cases = place, plan(o.Selection)[place]
		if len(template.Cases) == 0 {
			continue
		}
		results, err := runWorker(template)
		report.Results = append(report.Results, results...)
		sweep(template.Cgroup)
		if err != nil {
			failed = append(failed, fmt.Errorf("view %s, %d mounts: %w", place.View, place.Mounts, err))
		}
		if errors.Is(err, errStopped) {
			break
		}
	}
	return errors.Join(failed...)
}

// sweep removes the cgroups of a worker that could not do so itself, because it was killed.
func sweep(name string) {
	for _, pattern := range []string{"", "*"} {
		left, _ := filepath.Glob(filepath.Join(cgroupMount, pattern, name))
		removeCgroups(left)
	}
}

// places lists them in the order of the flags.
func places(o options) []Place {
	var all []Place
	for _, view := range o.Views {
		for _, mounts := range o.Mounts {
			all = append(all, Place{view, mounts})
		}
	}
	return all
}

// runWorker re-executes this program in a mount namespace of its own and collects its results.
func runWorker(job Job) ([]CaseResult, error) {
	input, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe", "-worker")
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(input)), os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // Go makes it private, too
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	results := collect(out, job)
	err = cmd.Wait()
	if len(signals) > 0 {
		err = errStopped // the terminal told the worker as well
	}
	return results, err
}

func collect(out io.Reader, job Job) []CaseResult {
	var results []CaseResult
	decoder := json.NewDecoder(out)
	for {
		var r CaseResult
		if decoder.Decode(&r) != nil {
			return results
		}
		results = append(results, r)
		fmt.Fprintf(os.Stderr, "[%d/%d of %s, %d mounts] %s: %d samples in %.1f s, load %s\n",
			len(results), len(job.Cases), job.View, job.Place.Mounts, caseTitle(r.Case), len(r.Samples), r.Seconds, r.LoadAfter)
	}
}

// problems is the error of a report in which the runtime under test or the floor left a
// case, or something was left behind. That another one cannot run here is only told.
func problems(report Report) error {
	n := 0
	for _, r := range report.Results {
		for _, p := range r.Problems {
			if p.Runtime == underTest || p.Runtime == "floor" || p.Runtime == leftBehind {
				n++
			}
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d problems, see \"Left out\" in the report", n)
}

func writeReport(o options, report Report) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	data, err := report.json()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.out, "raw.json"), data, 0o644); err != nil {
		return err
	}
	plots := plotAll(report)
	for _, name := range slices.Sorted(mapKeys(plots)) {
		if err := os.WriteFile(filepath.Join(o.out, name), []byte(plots[name]), 0o644); err != nil {
			return err
		}
	}
	text := markdown(report, strings.Split(o.bases, ","), slices.Sorted(mapKeys(plots)))
	if err := os.WriteFile(filepath.Join(o.out, "report.md"), []byte(text), 0o644); err != nil {
		return err
	}
	fmt.Print(upToSummary(text))
	fmt.Fprintf(os.Stderr, "written: %s/report.md, raw.json and %d plots\n", o.out, len(plots))
	return nil
}

func mapKeys[V any](m map[string]V) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
