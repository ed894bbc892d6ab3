package tests

import (
	"os"
	"strings"
	"testing"

	"ociruntime/tests/harness"
	"ociruntime/tests/view"
)

// TestPlan: --plan prints what the stage would do and touches nothing.
func TestPlan(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"create", "run"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			bundle := env.Bundle(harness.Shell("echo not reached >/tmp/ran"), harness.Mounted(tmpfs("/made/by/plan")),
				addHook("createRuntime", shellHook("echo x >"+env.File("hook"))))
			before := listing(t, bundle.Dir)
			r := env.Call(verb, "--plan", "--bundle", bundle.Dir, "--pid-file", env.File("pid"), env.ID()).WantCode(t, 0)
			want(t, "stderr", r.Stderr, "")
			// The listing tags each group of system calls with the field it serves.
			for _, part := range []string{"mounts[0]", "mounts[7]", "fsopen(\"tmpfs\")", "hostname", "process.", "execve"} {
				if !strings.Contains(r.Stdout, part) {
					t.Errorf("no %q in the plan:\n%s", part, r.Stdout)
				}
			}
			want(t, "files of the bundle", listing(t, bundle.Dir), before)
			for _, path := range []string{env.Root, env.File("pid"), env.File("hook")} {
				if _, err := os.Stat(path); !os.IsNotExist(err) {
					t.Errorf("made %s", path)
				}
			}
			if left := env.Leftovers(); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// TestPlanRepeats: the same bundle gives the same plan.
func TestPlanRepeats(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle()
	id := env.ID()
	first := env.Call("create", "--plan", "--bundle", bundle.Dir, id).WantCode(t, 0).Stdout
	second := env.Call("create", "--plan", "--bundle", bundle.Dir, id).WantCode(t, 0).Stdout
	want(t, "the second plan", second, first)
	want(t, "there is one", first != "", true)
}

// TestPlanRefuses what create refuses.
func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle()
	bundle.SetJSON("relative", "process", "cwd")
	env.Call("create", "--plan", "--bundle", bundle.Dir, env.ID()).WantError(t, 1, "process.cwd")
	env.Call("create", "--plan", "--bundle", bundle.Dir, "bad/id").WantError(t, 1, "invalid container ID format")
}

// TestPlanCgroups: a plan makes no cgroup.
func TestPlanCgroups(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle()
	env.Call("create", "--plan", "--bundle", bundle.Dir, env.ID()).WantCode(t, 0)
	if found := view.CgroupsNamed(strings.TrimPrefix(bundle.Config().Linux.CgroupsPath, "/")); len(found) > 0 {
		t.Errorf("made %q", found)
	}
}
