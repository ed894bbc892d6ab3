package tests

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
	"ociruntime/tests/view"
)

// freezeAbove freezes the parent of the container's cgroup, as one pod among
// others, waits until the container stands still, and returns how to thaw it.
func freezeAbove(t *testing.T, c *harness.Container) (thaw func()) {
	t.Helper()
	file := filepath.Join(filepath.Dir(c.CgroupDir("freezer")), "cgroup.freeze")
	frozen, thawed := "1", "0"
	if view.HasControllerV1("freezer") {
		file, frozen, thawed = filepath.Join(filepath.Dir(file), "freezer.state"), "FROZEN", "THAWED"
	}
	write(t, file, frozen)
	check(t, harness.Eventually(harness.Timeout(), func() bool {
		if view.HasControllerV1("freezer") {
			return strings.HasPrefix(read(t, file), frozen)
		}
		return strings.Contains(read(t, filepath.Join(c.CgroupDir(""), "cgroup.events")), "frozen 1")
	}))
	return func() {
		_ = os.WriteFile(file, []byte(thawed), 0o644) // it may be gone
	}
}

// prompt is how long a command may take that waits for nothing. The promise is
// 100 ms, on a machine with nothing else to do; a command that waits takes 60 s.
func prompt() time.Duration { return harness.Timeout() / 4 }

// TestFrozenAbove: what freezes a container from above is not ours to thaw. No
// verb waits for it: each says so at once, or does what can be done.
func TestFrozenAbove(t *testing.T) {
	t.Parallel()
	verbs := map[string]string{ // what the error says, or that there is none
		"start": "paused", "exec true": "paused", "pause": "already paused", "resume": "a cgroup above it is frozen", "state": "", "ps": "", "events --stats": "",
		"update --pids-limit 100": "", "kill TERM": "", "kill KILL": "", "delete --force": "",
	}
	if view.HasControllerV1("freezer") { // whose processes do not even die
		verbs["kill KILL"], verbs["delete --force"] = "a cgroup above it is frozen", "a cgroup above it is frozen"
	}
	for verb, wanted := range verbs {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			if strings.HasPrefix(verb, "update") {
				require.Controller(t, "pids")
			}
			env := harness.New(t)
			name := env.ID()
			c := env.Create(env.Bundle(harness.Forever, func(s *specs.Spec) { s.Linux.CgroupsPath = "/" + name + "/c" }))
			t.Cleanup(func() { view.RemoveCgroups(name) })
			if verb != "start" {
				c.Start()
				c.WaitStdout("ready")
			}
			thaw := freezeAbove(t, c)
			t.Cleanup(thaw) // before the container is deleted
			words := strings.Fields(verb)
			args := append([]string{words[0]}, append([]string{c.ID}, words[1:]...)...)
			if words[0] == "delete" || words[0] == "events" {
				args = append(words, c.ID)
			}
			began := time.Now()
			r := env.Call(args...)
			took := time.Since(began)
			switch {
			case wanted == "":
				r.WantCode(t, 0)
			case r.Code == 0 || !strings.Contains(r.Stderr, wanted):
				t.Errorf("want %q in the message; %s", wanted, r)
			}
			if took > prompt() {
				t.Errorf("took %s", took)
			}
			t.Logf("%s: %s", verb, took.Round(time.Millisecond))
			thaw()
			if words[0] == "kill" || words[0] == "delete" {
				c.Wait()
			}
		})
	}
}

// TestFrozenStart: frozen at about the moment of its start, a container looks like
// one that does not answer. It has started before, or is refused at once, or
// starts when it is thawed; nobody waits.
func TestFrozenStart(t *testing.T) {
	t.Parallel()
	for n := range 20 {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			name := env.ID()
			c := env.Create(env.Bundle(harness.Forever, func(s *specs.Spec) { s.Linux.CgroupsPath = "/" + name + "/c" }))
			t.Cleanup(func() { view.RemoveCgroups(name) })
			began := time.Now()
			start := env.Command("start", c.ID).Start()
			time.Sleep(time.Duration(n) * 300 * time.Microsecond) // the point is to be early, late and in between
			thaw := freezeAbove(t, c)
			t.Cleanup(thaw)
			r := start.Wait()
			if took := time.Since(began); took > prompt() {
				t.Errorf("took %s: %s", took, r)
			}
			if r.Code != 0 {
				r.WantError(t, 1, "cannot start a container that is paused")
			}
			thaw()
			if r.Code == 0 || strings.Contains(r.Stderr, "it starts when it is resumed") {
				c.WaitStdout("ready")
			}
		})
	}
}
