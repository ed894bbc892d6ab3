package tests

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// event is a line of `runtime events`, as far as these tests read it.
type event struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Data *struct {
		CPU struct {
			Usage struct {
				Total uint64 `json:"total"`
			} `json:"usage"`
		} `json:"cpu"`
		Memory struct {
			Usage struct {
				Limit uint64 `json:"limit"`
				Usage uint64 `json:"usage"`
			} `json:"usage"`
		} `json:"memory"`
		Pids struct {
			Current uint64 `json:"current"`
			Limit   uint64 `json:"limit"`
		} `json:"pids"`
	} `json:"data"`
}

func events(t *testing.T, text string) []event {
	t.Helper()
	var all []event
	for line := range strings.Lines(text) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, e)
	}
	return all
}

// TestEventsStats: one line of numbers, from the container's own cgroup.
func TestEventsStats(t *testing.T) {
	t.Parallel()
	require.Controller(t, "memory")
	require.Controller(t, "pids")
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Forever, resources(func(r *specs.LinuxResources) {
		r.Memory = &specs.LinuxMemory{Limit: harness.Pointer(int64(64 << 20))}
		r.Pids = &specs.LinuxPids{Limit: harness.Pointer(int64(17))}
	}))).Start()
	all := events(t, c.Call("events", "--stats").WantCode(t, 0).Stdout)
	if len(all) != 1 || all[0].Type != "stats" || all[0].ID != c.ID || all[0].Data == nil {
		t.Fatalf("events: %+v", all)
	}
	d := all[0].Data
	want(t, "memory limit", d.Memory.Usage.Limit, 64<<20)
	want(t, "pids limit", d.Pids.Limit, 17)
	if d.Pids.Current == 0 || d.Memory.Usage.Usage == 0 || d.CPU.Usage.Total == 0 {
		t.Errorf("nothing used: %+v", d)
	}
}

// TestEventsFollow: statistics at every interval until the container stops.
func TestEventsFollow(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Forever)).Start()
	follow := env.Command("events", "--interval", "20ms", c.ID).Start()
	check(t, harness.Eventually(harness.Timeout(), func() bool { return strings.Count(follow.Stdout(), "\n") >= 3 }))
	c.Kill("KILL")
	r := follow.Wait().WantCode(t, 0)
	for _, e := range events(t, r.Stdout) {
		want(t, "type", e.Type, "stats")
	}
	c.Wait()
	c.Call("events", "--stats").WantError(t, 1, "container with id "+c.ID+" is not running")
}

// TestEventsOOM: the kernel killing for memory is an event, once.
func TestEventsOOM(t *testing.T) {
	t.Parallel()
	require.Controller(t, "memory")
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Forever,
		resources(func(r *specs.LinuxResources) {
			r.Memory = &specs.LinuxMemory{Limit: harness.Pointer(int64(8 << 20)), Swap: harness.Pointer(int64(8 << 20))}
		}))).Start()
	follow := env.Command("events", "--interval", "1h", c.ID).Start()
	follow.WaitStdout("stats")                                         // now it watches
	env.Call("exec", c.ID, "sh", "-c", "head -c 64m /dev/zero | tail") // is killed
	follow.WaitStdout(`{"type":"oom","id":"` + c.ID + `"}`)
	env.Call("kill", c.ID, "KILL") // may fail: the kernel may have chosen this process too
	follow.Wait().WantCode(t, 0)
}

// TestEventsRefuses an interval that is none.
func TestEventsRefuses(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	env.Call("events", "--interval", "0s", env.ID()).WantError(t, 1, "duration interval must be greater than 0")
	env.Call("events", "--stats", env.ID()).WantError(t, 1, "does not exist")
}
