package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
)

// traceEvent is one line of a timeline, in Chrome's trace event format.
type traceEvent struct {
	Phase    string  `json:"ph"`
	Name     string  `json:"name"`
	Pid      int     `json:"pid"`
	Start    float64 `json:"ts"`  // µs since 1970
	Duration float64 `json:"dur"` // µs
	Args     struct {
		Name        string `json:"name"`
		Field       string `json:"field"`
		Traceparent string `json:"traceparent"`
	} `json:"args"`
}

func readTimeline(t *testing.T, path string) []traceEvent {
	t.Helper()
	text, err := os.ReadFile(path)
	check(t, err)
	var file struct{ TraceEvents []traceEvent }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return file.TraceEvents
}

// wantEvent finds the event that is about what, and fails unless there is one.
func wantEvent(t *testing.T, events []traceEvent, what string, is func(*traceEvent) bool) *traceEvent {
	t.Helper()
	i := slices.IndexFunc(events, func(e traceEvent) bool { return is(&e) })
	if i < 0 {
		t.Fatalf("no %s among %d events", what, len(events))
	}
	return &events[i]
}

// startup is that member of a state.
type startup struct {
	Timeline           string
	CreateMicroseconds float64
	StartMicroseconds  float64
}

func startupOf(t *testing.T, state string) *startup {
	t.Helper()
	var s struct{ Startup *startup }
	check(t, json.Unmarshal([]byte(state), &s))
	return s.Startup
}

const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// TestTimeline: --timeline of run tells the phases of the runtime, its hooks, and
// the stage's calls with the field that each is for, in the order of time.
func TestTimeline(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Args("true"), addHook("createRuntime", shellHook("echo $TRACEPARENT >hook")))
	path := filepath.Join(env.Dir, "timeline.json")
	run := env.RunCommand(bundle, "--timeline", "timeline.json") // relative to the caller's directory
	run.Env = append(os.Environ(), "TRACEPARENT="+trace)
	run.Run().WantCode(t, 0)

	events := readTimeline(t, path)
	if first := events[0]; first.Phase != "M" || first.Args.Name != "runtime run" || first.Args.Traceparent != trace {
		t.Errorf("the first event is %+v", first)
	}
	load := wantEvent(t, events, "reading of config.json", func(e *traceEvent) bool { return e.Name == "read config.json" })
	hook := wantEvent(t, events, "hook", func(e *traceEvent) bool { return e.Args.Field == "hooks.createRuntime[0]" })
	proc := wantEvent(t, events, "mount of /proc", func(e *traceEvent) bool {
		return e.Args.Field == "mounts[0].type" && strings.HasPrefix(e.Name, `fsopen("proc"`)
	})
	pivot := wantEvent(t, events, "pivot_root", func(e *traceEvent) bool { return strings.HasPrefix(e.Name, "pivot_root(") })
	program := wantEvent(t, events, "start", func(e *traceEvent) bool { return e.Name == "start the program" })
	order := []*traceEvent{load, proc, hook, pivot, program}
	if !slices.IsSortedFunc(order, func(a, b *traceEvent) int { return int(a.Start - b.Start) }) {
		t.Errorf("order of time: %v", order)
	}
	if proc.Pid != pivot.Pid || proc.Pid == load.Pid || hook.Pid == proc.Pid {
		t.Errorf("the runtime is process %d, the stage %d and %d, the hook %d", load.Pid, proc.Pid, pivot.Pid, hook.Pid)
	}
	for _, e := range events[1:] {
		if e.Duration < 0 || e.Start < load.Start || e.Start+e.Duration > program.Start+program.Duration+1 {
			t.Errorf("outside of the start: %+v", e)
		}
	}
	if got, err := os.ReadFile(filepath.Join(env.Dir, "hook")); err != nil || string(got) != trace+"\n" {
		t.Errorf("the hook's TRACEPARENT is %q, %v", got, err)
	}
}

// TestTimelineAnnotation is how one gets a timeline of what an engine starts:
// start adds to the file of create, and state has the totals.
func TestTimelineAnnotation(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	path := filepath.Join(env.Dir, "timeline.json")
	c := env.Create(env.Bundle(harness.Args("sleep", "1000"), func(s *specs.Spec) {
		s.Annotations = map[string]string{"run.oci.timeline": path}
	}))
	created := startupOf(t, c.Call("state").WantCode(t, 0).Stdout)
	if created == nil || created.Timeline != path || created.CreateMicroseconds < 100 || created.StartMicroseconds != 0 {
		t.Errorf("after create: %+v", created)
	}
	before := len(readTimeline(t, path))
	c.Call("start").WantQuiet(t)
	started := startupOf(t, c.Call("state").WantCode(t, 0).Stdout)
	if started == nil || started.CreateMicroseconds != created.CreateMicroseconds || started.StartMicroseconds < 10 {
		t.Errorf("after start: %+v", started)
	}
	events := readTimeline(t, path)
	wantEvent(t, events[before:], "start", func(e *traceEvent) bool { return e.Phase == "M" && e.Args.Name == "runtime start" })
	wantEvent(t, events[before:], "start of the program", func(e *traceEvent) bool { return e.Name == "start the program" })
}

// TestTimelineOff: nothing of it is there unless it was asked for, and what
// looks like no trace context is not passed on.
func TestTimelineOff(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Args("true"), addHook("createRuntime", shellHook("env >hook")))
	run := env.RunCommand(bundle, "--keep")
	run.Env = append(os.Environ(), "TRACEPARENT=00-0-0-01")
	run.Run().WantCode(t, 0)
	if s := env.Call("state", run.ID()).WantCode(t, 0).Stdout; strings.Contains(s, "startup") {
		t.Errorf("state has startup: %s", s)
	}
	if got, err := os.ReadFile(filepath.Join(env.Dir, "hook")); err != nil || strings.Contains(string(got), "TRACEPARENT") {
		t.Errorf("the hook's environment is %q, %v", got, err)
	}
	env.Call("delete", run.ID()).WantQuiet(t)
}

// TestTimelineUnwritable: the container starts all the same, and a file that is
// something else keeps its content.
func TestTimelineUnwritable(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	precious := filepath.Join(env.Dir, "precious")
	check(t, os.WriteFile(precious, []byte("the only copy of a longer text"), 0o600))
	for path, reason := range map[string]string{precious: "is not a timeline", "/nosuch/timeline": "no such file or directory"} {
		r := env.RunCommand(env.Bundle(harness.Shell("echo out")), "--timeline", path).Run().WantCode(t, 0)
		if r.Stdout != "out\n" || !strings.Contains(r.Stderr, path) || !strings.Contains(r.Stderr, reason) {
			t.Errorf("%s: stdout %q, stderr %q", path, r.Stdout, r.Stderr)
		}
	}
	if got, err := os.ReadFile(precious); err != nil || string(got) != "the only copy of a longer text" {
		t.Errorf("it is now %q, %v", got, err)
	}
	// A timeline is replaced.
	path := filepath.Join(env.Dir, "timeline.json")
	for range 2 {
		env.RunCommand(env.Bundle(harness.Args("true")), "--timeline", path).Run().WantCode(t, 0)
	}
	names := 0
	for _, e := range readTimeline(t, path) {
		if e.Phase == "M" {
			names++
		}
	}
	if names != 1 {
		t.Errorf("the file tells of %d commands, want the last", names)
	}
}
