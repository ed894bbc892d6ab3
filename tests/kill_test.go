package tests

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/view"
)

// TestKillSpelling: a signal is a number or a name, with or without SIG, in
// any case; SIGTERM when absent.
func TestKillSpelling(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Shell(`for s in HUP INT USR1 USR2 TERM; do trap "echo got $s" $s; done
		echo ready; while :; do sleep 1000 & wait $!; done`)))
	c.Start()
	c.WaitStdout("ready\n")
	cases := []struct{ spelling, name string }{
		{"HUP", "HUP"}, {"SIGINT", "INT"}, {"sigusr1", "USR1"}, {"usr2", "USR2"}, {"15", "TERM"}, {"1", "HUP"},
	}
	seen := "ready\n"
	for _, s := range cases {
		c.Kill(s.spelling)
		seen += "got " + s.name + "\n"
		c.WaitStdout(seen)
	}
	c.Call("kill").WantQuiet(t)
	c.WaitStdout(seen + "got TERM\n")
}

// TestKillUnknownSignal has no effect.
func TestKillUnknownSignal(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Forever))
	env.Call("kill", c.ID, "FOO").WantError(t, 1, `unknown signal "FOO"`)
	env.Call("kill", c.ID, "SIGFOO").WantError(t, 1, `unknown signal "SIGFOO"`)
	for _, number := range []string{"-9", "100", "9x"} {
		if r := env.Call("kill", c.ID, number); r.Code != 1 {
			t.Errorf("signal %q: %s", number, r)
		}
	}
	c.WantStatus("created")
}

// TestKillCreated: a created container can be killed, and then is stopped.
func TestKillCreated(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle())
	c.Kill("KILL")
	c.Wait()
	c.WantStatus("stopped")
	c.Call("start").WantError(t, 1, "cannot start a container that has stopped")
	c.Delete()
}

// TestKillAllStopped: `kill --all` of a stopped container is no error;
// containerd calls it for every pod container.
func TestKillAllStopped(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle())
	c.Stop()
	env.Call("kill", "--all", c.ID, "9").WantQuiet(t)
	env.Call("kill", "-a", c.ID, "KILL").WantQuiet(t)
	env.Call("kill", c.ID, "KILL").WantError(t, 1, "container not running")
}

// TestKillAll reaches every process of a container in the host's PID
// namespace, also when its first process has ended.
func TestKillAll(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"first process alive": "setsid sleep 1000 & setsid sleep 1000 & echo ready; wait",
		"first process gone":  "setsid sleep 1000 & setsid sleep 1000 & echo ready",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			c := env.Create(env.Bundle(harness.WithoutNamespace(specs.PIDNamespace), harness.Shell(script)))
			c.Start()
			c.WaitStdout("ready")
			if name == "first process gone" {
				c.Wait()
			}
			env.Call("kill", "--all", c.ID, "KILL").WantQuiet(t)
			err := harness.Eventually(harness.Timeout(), func() bool { return len(env.Processes()) == 0 })
			if err != nil {
				t.Fatalf("still alive: %s", view.Describe(env.Processes()[0]))
			}
		})
	}
}

// TestKillSharedPIDNamespace: SIGKILL to a container without a PID namespace
// of its own ends all of it, as the kernel does for one that has.
func TestKillSharedPIDNamespace(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.WithoutNamespace(specs.PIDNamespace),
		harness.Shell("setsid sleep 1000 & echo ready; wait")))
	c.Start()
	c.WaitStdout("ready")
	c.Kill("KILL")
	if harness.Eventually(harness.Timeout(), func() bool { return len(env.Processes()) == 0 }) != nil {
		t.Fatalf("still alive: %s", view.Describe(env.Processes()[0]))
	}
}

// TestKillAllSignal: --all is for any signal, and for containers with a pid
// namespace of their own, too.
func TestKillAllSignal(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]harness.Edit{
		"own pid namespace": func(*specs.Spec) {}, "host's": harness.WithoutNamespace(specs.PIDNamespace),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			const worker = `trap "echo got $0; exit" USR1; echo up $0; while :; do sleep 0.05; done`
			c := env.Create(env.Bundle(edit, harness.Shell(`for n in 1 2 3; do setsid sh -c '`+worker+`' $n & done
				trap "echo got first" USR1; echo up first; wait; wait; wait; wait; sleep 1000`)))
			c.Start()
			for _, who := range []string{"1", "2", "3", "first"} {
				c.WaitStdout("up " + who + "\n")
			}
			env.Call("kill", "--all", c.ID, "usr1").WantQuiet(t)
			for _, who := range []string{"1", "2", "3", "first"} {
				c.WaitStdout("got " + who + "\n")
			}
		})
	}
}
