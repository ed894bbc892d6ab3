package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

type options struct {
	Selection
	mode, runtime, only, bases, out, scratch string
	warmup                                   int
	seed                                     uint64
	shared                                   bool
}

func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}

// modes are the defaults of the two ways to run.
var modes = map[string]map[string]string{
	"quick": {"scenarios": "run,life,many,trace", "views": "v1,v2", "mounts": "20", "many": "1", "reps": "15", "idle-reps": "12", "warmup": "2", "execs": "100"},
	"full": {"scenarios": "run,life,exec,many,memory,trace", "views": "v1,hybrid,v2,v2-host-cgroupns", "mounts": "20,2000",
		"many": "1,100,1000", "reps": "60", "idle-reps": "30", "warmup": "3", "execs": "500"},
}

func parseFlags(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ExitOnError)
	f.StringVar(&o.mode, "mode", "quick", "quick (about a minute) or full (about half an hour): the defaults of the flags below")
	scenarios := f.String("scenarios", "", "run, life (create start state exec kill delete), exec (in sequence and 4 at once), many (list, many starts), memory (lowest limit), trace (system calls)")
	views := f.String("views", "", "v1, hybrid, v2, v2-host-cgroupns (without a cgroup namespace)")
	mounts := f.String("mounts", "", "mounts on the host; every number after the first with run and life alone")
	many := f.String("many", "", "containers of each runtime at once")
	paces := f.String("paces", "tight,isolated", "tight (back to back), isolated (idle before each command)")
	seccomp := f.String("seccomp", "off,on", "Docker's default profile: off, on")
	f.StringVar(&o.runtime, "runtime", "./runtime", "the runtime under test, if it is there; more with RUNTIMES=name=path,...")
	f.StringVar(&o.only, "only", "", "measure only these names")
	f.StringVar(&o.bases, "base", "crun-static,crun-dyn,crun,floor", "ratios to these names, as far as they are measured")
	f.StringVar(&o.out, "out", ".cache/bench", "directory for report.md, raw.json and plots")
	f.StringVar(&o.scratch, "scratch", "", "where to put the root file system and bundles (default: the temporary directory)")
	reps := f.String("reps", "", "rounds back to back")
	idleReps := f.String("idle-reps", "", "rounds isolated")
	execs := f.String("execs", "", "how often exec enters one container")
	warmup := f.String("warmup", "", "rounds before them that count for nothing")
	f.DurationVar(&o.Idle, "idle", 150*time.Millisecond, "idle time before each isolated command")
	f.Uint64Var(&o.seed, "seed", 1, "of the order within rounds")
	f.BoolVar(&o.shared, "shared", false, "make mount propagation shared first, as it is under systemd")
	_ = f.Parse(args) // exits on errors
	mode, ok := modes[o.mode]
	if !ok || f.NArg() > 0 {
		return o, fmt.Errorf("want -mode quick or full and no arguments, not %q %q", o.mode, f.Args())
	}
	o.Quick = o.mode == "quick"
	pick := func(value *string, name string) []string { return splitList(cmp.Or(*value, mode[name])) }
	o.Scenarios, o.Views = pick(scenarios, "scenarios"), pick(views, "views")
	if *views == "" {
		o.Views = slices.DeleteFunc(o.Views, func(view string) bool { return !canShow(hostLayout(), view) })
	}
	o.Paces, o.Seccomp = splitList(*paces), splitList(*seccomp)
	var errs [6]error
	o.Mounts, errs[0] = numbers(pick(mounts, "mounts"))
	o.Many, errs[1] = numbers(pick(many, "many"))
	o.Reps, errs[2] = strconv.Atoi(cmp.Or(*reps, mode["reps"]))
	o.IdleReps, errs[3] = strconv.Atoi(cmp.Or(*idleReps, mode["idle-reps"]))
	o.warmup, errs[4] = strconv.Atoi(cmp.Or(*warmup, mode["warmup"]))
	o.Execs, errs[5] = strconv.Atoi(cmp.Or(*execs, mode["execs"]))
	return o, errors.Join(append(errs[:], o.check())...)
}

// check refuses words that no case would come of.
func (o options) check() error {
	for _, list := range []struct {
		flag       string
		got, known []string
	}{
		{"scenarios", o.Scenarios, []string{"run", "life", "exec", "many", "memory", "trace"}},
		{"views", o.Views, []string{"v1", "hybrid", "v2", "v2-host-cgroupns"}},
		{"paces", o.Paces, []string{"tight", "isolated"}},
		{"seccomp", o.Seccomp, []string{"off", "on"}},
	} {
		for _, word := range list.got {
			if !slices.Contains(list.known, word) {
				return fmt.Errorf("-%s: %q is not one of %s", list.flag, word, strings.Join(list.known, ", "))
			}
		}
	}
	return nil
}

func numbers(words []string) ([]int, error) {
	var out []int
	for _, word := range words {
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}
