package tests

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
	"ociruntime/tests/view"
)

// exitCause is the member of that name in a state.
type exitCause struct {
	Message      string `json:"message"`
	OOMKills     uint64 `json:"oomKills"`
	OOMAt        string `json:"oomAt"`
	MemoryLimit  uint64 `json:"memoryLimit"`
	ForksRefused uint64 `json:"forksRefused"`
	PidsLimit    uint64 `json:"pidsLimit"`
	Shared       bool   `json:"shared"`
}

func causeOf(t *testing.T, state string) *exitCause {
	t.Helper()
	var s struct {
		ExitCause *exitCause `json:"exitCause"`
	}
	check(t, json.Unmarshal([]byte(state), &s))
	return s.ExitCause
}

// greedy needs more memory than its 8 MiB.
var greedy = harness.Edit(func(c *specs.Spec) {
	memoryLimit(8 << 20)(c)
	harness.Args("tail", "-c", "100000000", "/dev/zero")(c)
})

func memoryLimit(bytes int64) harness.Edit {
	return resources(func(r *specs.LinuxResources) { r.Memory = &specs.LinuxMemory{Limit: &bytes, Swap: &bytes} })
}

func wantOOM(t *testing.T, cause *exitCause, limit string, bytes uint64, at string) {
	t.Helper()
	if cause == nil || cause.OOMKills == 0 || cause.MemoryLimit != bytes || !strings.HasSuffix(cause.OOMAt, at) ||
		!strings.HasPrefix(cause.Message, "oom: limit "+limit+" of "+cause.OOMAt) {
		t.Errorf("exitCause: %+v, want an OOM kill at %s of %s", cause, limit, at)
	}
}

// TestExitCauseOOM: the state of a container that was killed for its memory
// says so.
func TestExitCauseOOM(t *testing.T) {
	t.Parallel()
	require.Controller(t, "memory")
	env := harness.New(t)
	b := env.Bundle(greedy)
	c := env.Create(b)
	if cause := causeOf(t, c.Call("state").Stdout); cause != nil {
		t.Errorf("before its start: %+v", cause)
	}
	c.Start().Wait()
	state := c.Call("state").WantCode(t, 0).Stdout
	wantOOM(t, causeOf(t, state), "8 MiB", 8<<20, b.Config().Linux.CgroupsPath)
}

// TestExitCauseSchema: with it the state is still one by the schema.
func TestExitCauseSchema(t *testing.T) {
	t.Parallel()
	require.Controller(t, "memory")
	s := schema(t, "state-schema.json")
	env := harness.New(t)
	b := env.Bundle(greedy)
	b.Edit(addHook("poststop", shellHook("cat >"+b.Path("state"))))
	c := env.Create(b)
	c.Start().Wait()
	state := c.Call("state").WantCode(t, 0).Stdout
	c.Delete()
	for _, text := range []string{state, read(t, b.Path("state"))} {
		wantValid(t, s, text)
		if causeOf(t, text) == nil {
			t.Errorf("no exitCause: %s", text)
		}
	}
}

// TestExitCauseAbove: the limit that was reached is that of a cgroup above.
func TestExitCauseAbove(t *testing.T) {
	t.Parallel()
	require.Controller(t, "memory")
	env := harness.New(t)
	name := env.ID()
	pod := env.Create(env.Bundle(memoryLimit(8<<20), func(c *specs.Spec) { c.Linux.CgroupsPath = "/" + name }))
	t.Cleanup(func() { view.RemoveCgroups(name) })
	pod.Stop() // its cgroup stays, and is the pod's
	c := env.Create(env.Bundle(greedy, memoryLimit(32<<20), func(c *specs.Spec) { c.Linux.CgroupsPath = "/" + name + "/c" }))
	c.Start().Wait()
	wantOOM(t, causeOf(t, c.Call("state").Stdout), "8 MiB", 8<<20, "/"+name)
	c.Delete()
}

// TestExitCausePids: a fork that was refused.
func TestExitCausePids(t *testing.T) {
	t.Parallel()
	require.Controller(t, "pids")
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Shell("exec 2>&-; (true); exit 3"),
		resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: harness.Pointer(int64(1))} })))
	c.Start().Wait()
	cause := causeOf(t, c.Call("state").Stdout)
	if cause == nil || cause.ForksRefused == 0 || cause.PidsLimit != 1 || !strings.HasPrefix(cause.Message, "pids: limit 1 refused a new task") {
		t.Errorf("exitCause: %+v", cause)
	}
}

// TestExitCauseNone: limits that were not reached, and a cgroup that is gone,
// have nothing to say; a list never does.
func TestExitCauseNone(t *testing.T) {
	t.Parallel()
	require.Controller(t, "memory")
	env := harness.New(t)
	c := env.Create(env.Bundle(memoryLimit(64<<20), harness.Shell("exit 9")))
	c.Start().Wait()
	if r := c.Call("state"); strings.Contains(r.Stdout, "exitCause") {
		t.Errorf("a container that ended by itself: %s", r)
	}
	killed := env.Create(env.Bundle(greedy))
	killed.Start().Wait()
	if r := env.Call("list", "--format", "json"); strings.Contains(r.Stdout, "exitCause") {
		t.Errorf("in a list: %s", r)
	}
	view.RemoveCgroups(strings.TrimPrefix(killed.Bundle.Config().Linux.CgroupsPath, "/"))
	killed.WantStatus("stopped")
	if r := killed.Call("state"); r.Code != 0 || strings.Contains(r.Stdout, "exitCause") {
		t.Errorf("without its cgroup: %s", r)
	}
}

// TestExitCauseShared: a cgroup that is older than the container may count what
// happened before.
func TestExitCauseShared(t *testing.T) {
	t.Parallel()
	require.Controller(t, "memory")
	env := harness.New(t)
	b := env.Bundle(greedy)
	first := env.Create(b)
	first.Start().Wait()
	second := env.Create(b)
	second.Start().Wait()
	for c, shared := range map[*harness.Container]bool{first: false, second: true} {
		cause := causeOf(t, c.Call("state").Stdout)
		if cause == nil || cause.Shared != shared || strings.Contains(cause.Message, "older than the container") != shared {
			t.Errorf("exitCause: %+v, want shared: %v", cause, shared)
		}
	}
	second.Delete()
}

// TestExitCausePoststop: the hooks that run when the cgroup is gone get to know.
func TestExitCausePoststop(t *testing.T) {
	t.Parallel()
	require.Controller(t, "memory")
	env := harness.New(t)
	b := env.Bundle(greedy)
	b.Edit(addHook("poststop", shellHook("cat >"+b.Path("state"))))
	c := env.Create(b)
	c.Start().Wait()
	c.Delete()
	state := read(t, b.Path("state"))
	wantOOM(t, causeOf(t, state), "8 MiB", 8<<20, b.Config().Linux.CgroupsPath)
}

// TestExitCauseRun: run has no state to ask afterwards, so it says why; nothing
// for a program that failed by itself.
func TestExitCauseRun(t *testing.T) {
	t.Parallel()
	require.Controller(t, "memory")
	env := harness.New(t)
	r := env.Run(env.Bundle(greedy)).WantCode(t, 137)
	if !strings.Contains(r.Stderr, "level=warning") || !strings.Contains(r.Stderr, "ended with exit code 137: oom: limit 8 MiB of ") {
		t.Errorf("nothing about the cause: %s", r)
	}
	if r := env.Run(env.Bundle(memoryLimit(64<<20), harness.Shell("exit 9"))).WantCode(t, 9); r.Stderr != "" {
		t.Errorf("about a cause that there is not: %s", r)
	}
}

// TestExitCauseCreate: less memory than it takes to get to the program.
func TestExitCauseCreate(t *testing.T) {
	t.Parallel()
	require.Controller(t, "memory")
	env := harness.New(t)
	b := env.Bundle(memoryLimit(4096))
	parts := []string{"was killed by SIGKILL (oom: limit 4 KiB of "}
	if !view.HasControllerV1("memory") { // the process would be born there, and is not
		parts = []string{"enter cgroup", "cannot allocate memory", "memory.max of ", " is 4 KiB, and "}
	}
	env.Call("create", "--bundle", b.Dir, env.ID()).WantError(t, 1, parts...)
}
