package main

import (
	"encoding/json"
	"time"
)

// Runtime is one program that is measured.
type Runtime struct {
	Name    string
	Path    string
	Floor   bool // our C program: other arguments, no config.json
	Version string
	Bytes   int64 // size of the file
}

// Place is what the mount namespace of a worker looks like.
type Place struct {
	View   string // v1, hybrid, v2 (with a cgroup namespace, as `spec` has it there) or v2-host-cgroupns
	Mounts int    // mounts to fill the namespace up to
}

// Case is one series of measurements within a Place.
type Case struct {
	Scenario string // run, life, exec, many, memory, trace
	Place
	Seccomp bool
	Idle    time.Duration // before each command; 0 is back to back
	Count   int           // many: containers per runtime; exec: how often
	Reps    int           // measured rounds; batches for many
}

// Pace is the word for Idle.
func (c Case) Pace() string {
	if c.Idle > 0 {
		return "isolated"
	}
	return "back to back"
}

// Job is all that a worker is told: the cases of one Place.
type Job struct {
	Place
	Cases    []Case
	Runtimes []Runtime
	Launcher string
	Strace   string
	Scratch  string // directory that all workers share; removed by the main process
	Cgroup   string // name of the cgroup, in each hierarchy, above all containers
	Warmup   int
	Seed     uint64
	Shared   bool // make mount propagation shared, as under systemd
}

// Sample is one measured command, or one batch of them.
type Sample struct {
	Runtime string
	Verb    string
	Round   int
	Warmup  bool `json:",omitempty"`
	WallNS  int64
	UserUS  int64 // of the command and the children that it waited for
	SysUS   int64
	RSSKiB  int64 // peak of the largest of them; -1 for batches
}

// Fact is a single value about a runtime that is not a distribution.
type Fact struct {
	Runtime string
	Name    string
	Value   float64
	Unit    string
}

// Problem is a run that did not do what it should; its runtime leaves the case.
type Problem struct {
	Runtime string
	What    string
}

// CaseResult is everything that came out of one Case, warm-up rounds included.
type CaseResult struct {
	Case
	ActualMounts int
	Samples      []Sample
	Facts        []Fact
	Problems     []Problem
	LoadBefore   string
	LoadAfter    string
	Seconds      float64
}

// Report is the file raw.json.
type Report struct {
	Machine  Machine
	Command  []string
	Runtimes []Runtime
	Results  []CaseResult
	Warmup   int
	Seed     uint64
}

func (r Report) json() ([]byte, error) {
	return json.MarshalIndent(r, "", " ")
}

// Selection is what the flags chose; plan makes cases of it.
type Selection struct {
	Scenarios, Views, Paces, Seccomp []string
	Mounts, Many                     []int
	Reps, IdleReps, Execs            int
	Idle                             time.Duration
	Quick                            bool
}

// plan lists the cases of all places, in the order in which they run.
func plan(s Selection) map[Place][]Case {
	cases := map[Place][]Case{}
	for _, view := range s.Views {
		for _, mounts := range s.Mounts {
			place := Place{view, mounts}
			for _, scenario := range s.Scenarios {
				cases[place] = append(cases[place], s.scenario(scenario, place)...)
			}
		}
	}
	return cases
}

func (s Selection) scenario(scenario string, place Place) []Case {
	plain := Case{Scenario: scenario, Place: place, Reps: s.Reps}
	extra := place.Mounts != s.Mounts[0] // a second number of mounts: run and life alone, without seccomp
	switch scenario {
	case "run", "life":
		return s.paced(plain, extra)
	case "many":
		return s.many(plain, extra)
	default:
		if extra {
			return nil
		}
		if scenario == "exec" {
			plain.Count = s.Execs
		}
		return s.withSeccomp(plain)
	}
}

func (s Selection) paced(plain Case, extra bool) []Case {
	var cases []Case
	for _, c := range s.withSeccomp(plain) {
		if extra && c.Seccomp {
			continue
		}
		for _, pace := range s.Paces {
			c.Idle, c.Reps = 0, s.Reps
			if pace == "isolated" {
				c.Idle, c.Reps = s.Idle, s.IdleReps
			}
			if s.Quick && c.Idle > 0 && (c.Scenario == "life" || c.Seccomp) {
				continue
			}
			cases = append(cases, c)
		}
	}
	return cases
}

func (s Selection) many(plain Case, extra bool) []Case {
	var cases []Case
	for _, n := range s.Many {
		if extra || s.Quick && n > 1 && plain.View != s.Views[0] {
			continue
		}
		plain.Count = n
		cases = append(cases, plain)
	}
	return cases
}

func (s Selection) withSeccomp(plain Case) []Case {
	var cases []Case
	for _, setting := range s.Seccomp {
		plain.Seccomp = setting == "on"
		if plain.Seccomp && plain.Scenario == "memory" {
			continue
		}
		cases = append(cases, plain)
	}
	return cases
}
