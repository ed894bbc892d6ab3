package tests

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
)

// failingVerb is the operation a hook of the kind belongs to.
var failingVerb = map[string]string{"prestart": "create", "createRuntime": "create", "createContainer": "create",
	"startContainer": "start", "poststart": "start"}

// TestHookFailure: a hook that fails stops the container and fails the
// operation; poststop hooks run; what the hook wrote to stderr is told.
func TestHookFailure(t *testing.T) {
	t.Parallel()
	for kind, verb := range failingVerb {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			bundle := env.Bundle(harness.Shell("echo program"),
				addHook(kind, shellHook("echo the reason >&2; exit 3")),
				addHook(kind, shellHook("echo second >"+env.File("second"))),
				addHook("poststop", shellHook("echo stopped >"+env.File("stopped"))))
			id := env.ID()
			create := env.Call("create", "--bundle", bundle.Dir, id)
			failed := create
			if verb == "start" {
				create.WantQuiet(t)
				failed = env.Call("start", id)
			}
			failed.WantError(t, 1, "hooks."+kind+"[0]", "exit status 3", "the reason", "/bin/busybox")
			if strings.Contains(failed.Stdout, "program") && kind != "poststart" {
				t.Error("the program ran")
			}
			if _, err := os.Stat(env.File("second")); err == nil {
				t.Error("the hook after the failed one ran")
			}
			if verb == "start" {
				env.Call("delete", "--force", id).WantQuiet(t)
			}
			wantFile(t, env.File("stopped"), "stopped\n")
			env.Call("state", id).WantError(t, 1, "does not exist")
		})
	}
}

// TestHookFailureInRun: a foreground run ends with code 1 and leaves nothing.
func TestHookFailureInRun(t *testing.T) {
	t.Parallel()
	for kind := range failingVerb {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			bundle := env.Bundle(harness.Shell("sleep 1000"), addHook(kind, shellHook("exit 9")))
			env.Run(bundle).WantError(t, 1, "hooks."+kind+"[0]", "exit status 9")
			if left := env.Leftovers(); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// TestPoststopFailure: "the runtime MUST log a warning, but the remaining
// hooks and lifecycle continue as if the hook had succeeded".
func TestPoststopFailure(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(addHook("poststop", shellHook("exit 5")),
		addHook("poststop", shellHook("echo second >"+env.File("second")))))
	c.Stop()
	r := c.Call("delete").WantCode(t, 0)
	if !strings.Contains(r.Stderr, "level=warning") || !strings.Contains(r.Stderr, "hooks.poststop[0]") {
		t.Errorf("no warning: %s", r)
	}
	wantFile(t, env.File("second"), "second\n")
	env.Call("state", c.ID).WantError(t, 1, "does not exist")
}

// TestHookTimeout: a hook that takes longer than its timeout is killed, and
// that is a failure.
func TestHookTimeout(t *testing.T) {
	t.Parallel()
	for kind, verb := range failingVerb {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			hook := shellHook("exec sleep 1000")
			hook.Timeout = harness.Pointer(1)
			bundle := env.Bundle(harness.Forever, addHook(kind, hook))
			id := env.ID()
			began := time.Now()
			r := env.Call("create", "--bundle", bundle.Dir, id)
			if verb == "start" {
				r.WantQuiet(t)
				began = time.Now()
				r = env.Call("start", id)
			}
			r.WantError(t, 1, "hooks."+kind+"[0]", "did not end in time")
			if took := time.Since(began); took < time.Second {
				t.Errorf("given up after %s already", took)
			}
			env.Call("delete", "--force", id).WantQuiet(t)
		})
	}
}

// TestHookKilled: the message says which signal ended the hook.
func TestHookKilled(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	env.Run(env.Bundle(addHook("createRuntime", shellHook("kill -SEGV $$")))).
		WantError(t, 1, "hooks.createRuntime[0]", "SIGSEGV")
}

// TestHookMissing: the message names a hook whose file is not there or cannot
// be run.
func TestHookMissing(t *testing.T) {
	t.Parallel()
	for kind, verb := range failingVerb {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			write(t, env.File("plain"), "#!/bin/sh\n")
			cases := []struct{ path, reason string }{
				{"/nosuch/hook", "no such file or directory"},
				{env.File("plain"), "permission denied"},
			}
			for _, c := range cases {
				bundle := env.Bundle(addHook(kind, specs.Hook{Path: c.path}))
				if kind == "startContainer" { // resolved inside
					check(t, os.MkdirAll(bundle.Path(env.Dir), 0o755))
					write(t, bundle.Path(env.File("plain")), "#!/bin/sh\n")
				}
				id := env.ID()
				r := env.Call("create", "--bundle", bundle.Dir, id)
				if verb == "start" && r.Code == 0 {
					r = env.Call("start", id)
				}
				r.WantError(t, 1, "hooks."+kind+"[0]", c.path, c.reason)
				env.Call("delete", "--force", id).WantQuiet(t)
			}
		})
	}
}

// TestHookInvalid: the configuration of every kind is checked by create.
func TestHookInvalid(t *testing.T) {
	t.Parallel()
	for _, kind := range hookKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			cases := []struct {
				hook  specs.Hook
				parts []string
			}{
				{specs.Hook{Path: "relative"}, []string{"hooks." + kind + "[0].path", "relative", "absolute"}},
				{specs.Hook{}, []string{"hooks." + kind + "[0].path"}},
				{specs.Hook{Path: "/bin/true", Timeout: harness.Pointer(0)}, []string{"hooks." + kind + "[0].timeout", "0"}},
				{specs.Hook{Path: "/bin/true", Timeout: harness.Pointer(-1)}, []string{"hooks." + kind + "[0].timeout", "-1"}},
			}
			for _, c := range cases {
				bundle := env.Bundle(addHook(kind, c.hook))
				env.Call("create", "--bundle", bundle.Dir, env.ID()).WantError(t, 1, c.parts...)
			}
		})
	}
}

// TestHookFDs: a hook gets stdin, stdout and stderr, and none of the files the
// runtime has open or was handed.
func TestHookFDs(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle()
	for _, kind := range hookKinds {
		path := bundle.Path("tmp", kind)
		if kind == "startContainer" {
			path = "/tmp/" + kind
		}
		// Of ls itself: stdin, a pipe, stderr and the directory it lists.
		bundle.Edit(addHook(kind, shellHook("x=$(ls /proc/self/fd); echo $x >"+path)))
	}
	run := env.RunCommand(bundle)
	run.Files = []*os.File{file(t, env, "a"), file(t, env, "b")}
	run.Run().WantQuiet(t)
	for _, kind := range hookKinds {
		want(t, kind+": open files", strings.TrimSpace(read(t, bundle.Path("tmp", kind))), "0 1 2 3")
	}
}
