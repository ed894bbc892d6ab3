package tests

import (
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/tracer"
	"ociruntime/tests/view"
)

// Each verb is killed after each of its system calls that has an effect, and
// so is what it starts. Whatever is left then is listed sensibly, goes with
// `delete --force`, and the id can be used again. By default some of the calls
// are tried; faultsEnv has all of them tried.

const faultsEnv = "TEST_FAULTS" // "all": every call of every verb, which takes minutes

// interruption is a verb to be interrupted, and what has to be there before.
type interruption struct {
	name    string
	prepare func(env *harness.Env, bundle *harness.Bundle, id string)
	args    func(bundle *harness.Bundle, id string) []string
}

var interruptions = []interruption{
	{"create", nothing, func(b *harness.Bundle, id string) []string { return []string{"create", "--bundle", b.Dir, id} }},
	{"run", nothing, func(b *harness.Bundle, id string) []string { return []string{"run", "--bundle", b.Dir, id} }},
	{"start", created, func(_ *harness.Bundle, id string) []string { return []string{"start", id} }},
	{"exec", started, func(_ *harness.Bundle, id string) []string { return []string{"exec", id, "true"} }},
	{"kill", started, func(_ *harness.Bundle, id string) []string { return []string{"kill", id, "KILL"} }},
	{"update", started, func(_ *harness.Bundle, id string) []string { return []string{"update", "--pids-limit", "20", id} }},
	{"pause", started, func(_ *harness.Bundle, id string) []string { return []string{"pause", id} }},
	{"resume", paused, func(_ *harness.Bundle, id string) []string { return []string{"resume", id} }},
	{"delete", started, func(_ *harness.Bundle, id string) []string { return []string{"delete", "--force", id} }},
}

func nothing(*harness.Env, *harness.Bundle, string) {}

func created(env *harness.Env, bundle *harness.Bundle, id string) {
	env.T.Helper()
	env.Call("create", "--bundle", bundle.Dir, id).WantCode(env.T, 0)
}

func started(env *harness.Env, bundle *harness.Bundle, id string) {
	env.T.Helper()
	created(env, bundle, id)
	env.Call("start", id).WantCode(env.T, 0)
}

func paused(env *harness.Env, bundle *harness.Bundle, id string) {
	env.T.Helper()
	started(env, bundle, id)
	env.Call("pause", id).WantCode(env.T, 0)
}

// eventful is a container in whose life much happens: cgroups below a new
// parent, limits, hooks. A run of it ends by itself, as it has no input.
func eventful(env *harness.Env) *harness.Bundle {
	bundle := env.Bundle(harness.Shell("sleep 0.05"),
		addHook("createRuntime", shellHook("true")),
		addHook("createContainer", shellHook("true")),
		addHook("poststop", shellHook("echo x >>"+env.File("poststop"))))
	bundle.Edit(func(c *specs.Spec) {
		c.Linux.CgroupsPath += "/middle/inner"
		if view.HasControllerV1("pids") || view.HasControllerV2("pids") {
			c.Linux.Resources.Pids = &specs.LinuxPids{Limit: harness.Pointer[int64](50)}
		}
	})
	return bundle
}

// lasting is eventful, with a program that does not end.
func lasting(env *harness.Env) *harness.Bundle {
	bundle := eventful(env)
	bundle.Edit(harness.Shell("exec sleep 1000"))
	return bundle
}

// steps picks the numbers out of 1..n to try.
func steps(n int) []int {
	tries := 5
	if os.Getenv(faultsEnv) == "all" {
		tries = n
	}
	var list []int
	offset := 0
	if tries < n {
		offset = rand.IntN(n / tries) // other ones each time
	}
	for i := range min(tries, n) {
		list = append(list, 1+offset+i*n/max(tries, 1))
	}
	return list
}

// TestKilledAfterCall kills the runtime process.
func TestKilledAfterCall(t *testing.T) {
	t.Parallel()
	for _, v := range interruptions {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			interrupt(t, v, tracer.Plan{Target: tracer.Runtime}, func(env *harness.Env, id string, r harness.Result) {
				want(t, "signal that ended the runtime", r.Signal, syscall.SIGKILL)
			})
		})
	}
}

// TestGroupKilledAfterCall kills the runtime and all that it has started, as far
// as that is still in its process group.
func TestGroupKilledAfterCall(t *testing.T) {
	t.Parallel()
	for _, v := range interruptions[:4] {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			interrupt(t, v, tracer.Plan{Target: tracer.Runtime, Group: true}, func(env *harness.Env, id string, r harness.Result) {
				want(t, "signal that ended the runtime", r.Signal, syscall.SIGKILL)
			})
		})
	}
}

// TestChildKilledAfterCall kills what the runtime has started: the stage, or a
// hook. A verb that fails has to take back what it did.
func TestChildKilledAfterCall(t *testing.T) {
	t.Parallel()
	for _, v := range interruptions[:4] {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			interrupt(t, v, tracer.Plan{Target: tracer.Children}, func(env *harness.Env, id string, r harness.Result) {
				if r.Signal != 0 || r.Code != 0 && strings.Count(r.Stderr, "level=error") > 1 {
					t.Errorf("want an error of one line, or none: %s", r)
				}
				if (v.name == "create" || v.name == "run") && r.Code != 0 {
					wantNothingLeft(t, env)
				}
			})
		})
	}
}

// interrupt tries one verb at the chosen calls.
func interrupt(t *testing.T, v interruption, plan tracer.Plan, judge func(*harness.Env, string, harness.Result)) {
	t.Helper()
	env := harness.New(t)
	bundle := lasting(env)
	if v.name == "run" {
		bundle = eventful(env)
	}
	try := func(n int) tracer.Report {
		id := env.ID()
		v.prepare(env, bundle, id)
		plan.Nth = n
		r, report := env.Command(v.args(bundle, id)...).Trace(plan)
		if report.Hit {
			t.Logf("killed after call %d: %s", n, report.Call)
			judge(env, id, r)
		}
		wantSensible(t, env, id)
		deleteByForce(t, env, id)
		wantNothingLeft(t, env)
		created(env, bundle, id)
		env.Call("delete", id).WantCode(t, 0)
		wantNothingLeft(t, env)
		if t.Failed() {
			t.Fatalf("killed after call %d: %s", n, report.Call)
		}
		return report
	}
	for _, n := range steps(try(0).Calls) {
		try(n)
	}
}

// wantSensible expects state and list to work, whatever has happened to the
// container.
func wantSensible(t *testing.T, env *harness.Env, id string) {
	t.Helper()
	if r := env.Call("state", id); r.Code != 0 {
		r.WantError(t, 1, "does not exist")
	}
	if _, err := os.Stat(env.Root); err != nil {
		return // killed before the first container was there
	}
	if r := env.Call("list"); r.Code != 0 || r.Stderr != "" {
		t.Errorf("list: %s", r)
	}
}

// deleteByForce deletes, and meanwhile reaps orphans, as the init of a host
// does: a PID namespace only ends when all that died in it has been waited for.
func deleteByForce(t *testing.T, env *harness.Env, id string) {
	t.Helper()
	p := env.Command("delete", "--force", id).Start()
	_ = harness.Eventually(harness.Timeout(), func() bool { view.ReapOrphans(); return !p.Running() })
	p.Wait().WantCode(t, 0)
}

func wantNothingLeft(t *testing.T, env *harness.Env) {
	t.Helper()
	var left []string
	if harness.Eventually(2*time.Second, func() bool { left = env.Leftovers(); return len(left) == 0 }) != nil {
		t.Fatalf("left behind: %q", left)
	}
}

// TestKilledAtRandom kills calls after random times, without a tracer in the
// way of their threads.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	tries := 6
	if os.Getenv(faultsEnv) == "all" {
		tries = 500
	}
	env := harness.New(t)
	bundle := lasting(env)
	for range tries {
		v := interruptions[rand.IntN(len(interruptions))]
		id := env.ID()
		v.prepare(env, bundle, id)
		p := env.Command(v.args(bundle, id)...).Start()
		delay := time.Duration(rand.Int64N(int64(25 * time.Millisecond)))
		time.Sleep(delay) // the point is to be early, late and in between
		_ = unix.Kill(p.Pid(), unix.SIGKILL)
		p.Wait()
		wantSensible(t, env, id)
		deleteByForce(t, env, id)
		wantNothingLeft(t, env)
		if t.Failed() {
			t.Fatalf("%s killed after %s", v.name, delay)
		}
	}
}
