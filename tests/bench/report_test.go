package main

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

func someReport() Report {
	r := Report{Runtimes: []Runtime{{Name: "a&b"}, {Name: "crun"}, {Name: "floor"}}, Warmup: 1}
	for _, idle := range []time.Duration{0, time.Millisecond} {
		result := CaseResult{Case: Case{Scenario: "run", Place: Place{"v2", 20}, Idle: idle}}
		for i := range 12 {
			result.Samples = append(result.Samples,
				Sample{Runtime: "a&b", Verb: "run", WallNS: int64(1e6 * (1 + i))},
				Sample{Runtime: "crun", Verb: "run", WallNS: int64(2e6 * (1 + i))})
		}
		result.Samples = append(result.Samples, Sample{Runtime: "floor", Verb: "run", WallNS: 5e5})
		r.Results = append(r.Results, result)
	}
	r.Results[0].Problems = []Problem{{"crun", "broke\nbadly"}}
	return r
}

func TestPlotIsWellFormed(t *testing.T) {
	plots := plotAll(someReport())
	if len(plots) != 1 {
		t.Fatalf("%d plots, want 1", len(plots))
	}
	for name, text := range plots {
		decoder := xml.NewDecoder(strings.NewReader(text))
		for {
			_, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if n, want := strings.Count(text, "h0"), 2*(12+12+1); n != want {
			t.Errorf("%s: %d dots, want %d", name, n, want)
		}
	}
}

func TestMarkdownRatios(t *testing.T) {
	text := markdown(someReport(), []string{"crun", "absent", "floor"}, nil)
	for _, want := range []string{
		"| run | a&b | 12 | 1.00 | 3.75 | **6.50** | 9.25 |", // quartiles of 1..12
		"**0.50** (", // a&b over crun
		"| n < 10 |", // the floor has one sample
		"- crun in view v2: broke (run, back to back, without seccomp)",
		"| v2, 0, run, back to back, without seccomp | run | 6.50 | 13.00 | 0.50 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "absent") {
		t.Error("a base that was not measured has a column")
	}
}

func TestProblemsOfOthersAreOnlyTold(t *testing.T) {
	r := someReport()
	if err := problems(r); err != nil {
		t.Errorf("crun's problem: %v", err)
	}
	r.Results[1].Problems = []Problem{{underTest, "broke"}}
	if problems(r) == nil {
		t.Error("a problem of the runtime under test passes")
	}
}

func TestFullPlan(t *testing.T) {
	o, err := parseFlags([]string{"-mode", "full"})
	if err != nil {
		t.Fatal(err)
	}
	cases := plan(o.Selection)
	first, more := cases[Place{"v1", 20}], cases[Place{"v1", 2000}]
	for _, want := range []Case{
		{Scenario: "run", Idle: 150 * time.Millisecond, Seccomp: true, Reps: 30},
		{Scenario: "life", Reps: 60},
		{Scenario: "many", Count: 1000, Reps: 60},
		{Scenario: "trace", Seccomp: true, Reps: 60},
	} {
		want.Place = Place{"v1", 20}
		if !slices.Contains(first, want) {
			t.Errorf("no %+v in %+v", want, first)
		}
	}
	for _, c := range more {
		if c.Seccomp || c.Scenario != "run" && c.Scenario != "life" {
			t.Errorf("with 2000 mounts: %+v", c)
		}
	}
}

func TestFlagsAreChecked(t *testing.T) {
	for _, args := range [][]string{{"-views", "v3"}, {"-mode", "slow"}, {"-reps", "many"}, {"-paces", "fast"}, {"extra"}} {
		if _, err := parseFlags(args); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
