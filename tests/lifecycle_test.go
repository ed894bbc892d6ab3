package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
)

// TestLife walks through every state of runtime.md#state.
func TestLife(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Shell("echo started; exec cat"))
	r, w, err := os.Pipe()
	check(t, err)
	defer r.Close()
	defer w.Close()
	create := env.Command("create", "--bundle", bundle.Dir, env.ID())
	create.Stdin = r
	c := env.Adopt(create, bundle)
	c.WantStatus("created")
	if got := c.Stdout(); got != "" {
		t.Fatalf("create ran the program: %q", got)
	}
	c.Start()
	c.WaitStdout("started")
	c.WantStatus("running")
	check(t, w.Close())
	if status := c.Wait(); status.ExitStatus() != 0 {
		t.Fatalf("exit status %d, want 0", status.ExitStatus())
	}
	c.WantStatus("stopped")
	c.Delete()
	c.Call("state").WantError(t, 1, "does not exist")
}

// TestQuietVerbs: create, start, kill and delete say nothing when all is well.
func TestQuietVerbs(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Shell("exec sleep 1000")))
	if c.Stdout() != "" || c.Stderr() != "" {
		t.Errorf("create said %q, %q", c.Stdout(), c.Stderr())
	}
	c.Call("start").WantQuiet(t)
	env.Call("kill", c.ID, "KILL").WantQuiet(t)
	c.Wait()
	c.Call("delete").WantQuiet(t)
}

// TestState compares every field of the state with what is known.
func TestState(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	annotations := map[string]string{"com.example.key": "value", "empty": ""}
	bundle := env.Bundle(harness.Forever, func(c *specs.Spec) { c.Annotations = annotations })
	before := time.Now()
	c := env.Create(bundle)
	s := c.State()
	want(t, "ociVersion", s.OCIVersion, "1.3.0")
	want(t, "id", s.ID, c.ID)
	want(t, "status", s.Status, "created")
	want(t, "bundle", s.Bundle, bundle.Dir)
	want(t, "rootfs", s.Rootfs, bundle.Rootfs())
	want(t, "owner", s.Owner, "")
	want(t, "annotations", len(s.Annotations), 2)
	want(t, "annotation", s.Annotations["com.example.key"], "value")
	created, err := time.Parse(time.RFC3339Nano, s.Created)
	if err != nil || created.Before(before.Add(-time.Second)) || created.After(time.Now().Add(time.Second)) || !strings.HasSuffix(s.Created, "Z") {
		t.Errorf("created: %q, %v", s.Created, err)
	}
	if _, err := os.Stat(c.Proc("ns")); err != nil {
		t.Errorf("pid %d: %v", s.Pid, err)
	}

	c.Start()
	running := c.State()
	want(t, "pid while running", running.Pid, s.Pid)
	want(t, "created while running", running.Created, s.Created)
	c.Stop()
	want(t, "pid when stopped", c.State().Pid, 0)
}

// TestStateShape: two-space indentation, no newline at the end, and no
// annotations key when there are none.
func TestStateShape(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle())
	r := c.Call("state").WantCode(t, 0)
	if !strings.HasPrefix(r.Stdout, "{\n  \"ociVersion\": \"1.3.0\",\n  \"id\": ") || !strings.HasSuffix(r.Stdout, "\n}") {
		t.Errorf("shape of the state: %q", r.Stdout)
	}
	var keys map[string]json.RawMessage
	check(t, json.Unmarshal([]byte(r.Stdout), &keys))
	if _, has := keys["annotations"]; has {
		t.Errorf("annotations present without any: %s", r.Stdout)
	}
	for _, key := range []string{"pid", "status", "bundle", "rootfs", "created", "owner"} {
		if _, has := keys[key]; !has {
			t.Errorf("no %s: %s", key, r.Stdout)
		}
	}
}

// TestBundleDirectory: without --bundle the bundle is the working directory,
// and a relative bundle shows as an absolute path.
func TestBundleDirectory(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle()

	here := env.Command("create", env.ID())
	here.Dir = bundle.Dir
	want(t, "bundle", env.Adopt(here, bundle).State().Bundle, bundle.Dir)

	other := env.Bundle()
	relative := env.Command("create", "-b", filepath.Base(other.Dir), env.ID())
	want(t, "bundle", env.Adopt(relative, other).State().Bundle, other.Dir)
}

// TestConfigFixedAtCreate: "Any changes made to the config.json file after
// this operation will not have an effect on the container."
func TestConfigFixedAtCreate(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Shell("echo first $HOSTNAME; hostname")))
	c.Bundle.Edit(harness.Shell("echo second"), func(c *specs.Spec) { c.Hostname = "other" })
	check(t, os.Rename(c.Bundle.Dir+"/config.json", c.Bundle.Dir+"/gone.json"))
	c.Start()
	c.Wait()
	if got := c.Stdout(); !strings.HasPrefix(got, "first") || !strings.HasSuffix(got, "box\n") {
		t.Fatalf("the program printed %q", got)
	}
}

// TestWrongState: each verb refuses the states it is not for, with the text
// that engines look for, and without effect.
func TestWrongState(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Forever))
	c.Start()
	c.WaitStdout("ready")
	c.Call("start").WantError(t, 1, "cannot start an already running container")
	c.Call("delete").WantError(t, 1, "cannot delete container "+c.ID+" that is not stopped: running")
	env.Call("create", "-b", c.Bundle.Dir, c.ID).WantError(t, 1, "container with given ID already exists")
	env.Call("run", "-b", c.Bundle.Dir, c.ID).WantError(t, 1, "container with given ID already exists")
	c.WantStatus("running")

	c.Stop()
	c.Call("start").WantError(t, 1, "cannot start a container that has stopped")
	env.Call("kill", c.ID, "TERM").WantError(t, 1, "container not running")
	env.Call("create", "-b", c.Bundle.Dir, c.ID).WantError(t, 1, "container with given ID already exists")
	c.WantStatus("stopped")
}

// TestMissingContainer: the text "does not exist" is what containerd's shim
// takes for "already gone".
func TestMissingContainer(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for _, root := range []string{"no state directory", "empty state directory"} {
		for _, args := range [][]string{{"state"}, {"start"}, {"kill"}, {"delete"}} {
			t.Run(root+"/"+args[0], func(t *testing.T) {
				env.Call(args[0], env.ID()).WantError(t, 1, "does not exist")
			})
		}
		t.Run(root+"/delete --force", func(t *testing.T) {
			env.Call("delete", "--force", env.ID()).WantQuiet(t)
			env.Call("delete", "-f", env.ID()).WantQuiet(t)
		})
		check(t, os.MkdirAll(env.Root, 0o755))
	}
}

// TestMessageNamesContainer: a message about a container says which.
func TestMessageNamesContainer(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	id := env.ID()
	env.Call("start", id).WantError(t, 1, "does not exist", id)
}

// TestDeleteCreated: a container that was never started is killed and deleted,
// as containerd's shim expects.
func TestDeleteCreated(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{nil, {"--force"}} {
		t.Run(strings.Join(flags, ""), func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			c := env.Create(env.Bundle())
			c.Call("delete", flags...).WantQuiet(t)
			if left := env.Leftovers(); len(left) > 0 {
				t.Fatalf("left behind: %q", left)
			}
		})
	}
}

// TestDeleteForce ends a running container, and everything in it.
func TestDeleteForce(t *testing.T) {
	t.Parallel()
	cases := map[string]harness.Edit{
		"own PID namespace":  func(*specs.Spec) {},
		"host PID namespace": harness.WithoutNamespace(specs.PIDNamespace),
	}
	for name, edit := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			script := "trap '' TERM; sleep 1000 & setsid sleep 1000 & echo ready; wait"
			c := env.Create(env.Bundle(harness.Shell(script), edit))
			c.Start()
			c.WaitStdout("ready")
			c.Call("delete", "--force").WantQuiet(t)
			if left := env.Leftovers(); len(left) > 0 {
				t.Fatalf("left behind: %q", left)
			}
		})
	}
}

// TestDeleteKillsOrphans: what outlives the first process of a container in
// the host's PID namespace goes with delete.
func TestDeleteKillsOrphans(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.WithoutNamespace(specs.PIDNamespace),
		harness.Shell("setsid sleep 1000 & echo ready")))
	c.Start()
	c.WaitStdout("ready")
	c.Wait()
	c.WantStatus("stopped")
	c.Delete()
	if left := env.Leftovers(); len(left) > 0 {
		t.Fatalf("left behind: %q", left)
	}
}

// TestIDAgain: after delete the id is free.
func TestIDAgain(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle())
	c.Delete()
	again := env.Command("create", "--bundle", c.Bundle.Dir, c.ID)
	env.Adopt(again, c.Bundle).WantStatus("created")
}

// TestTwoRoots: the same id in two state directories is two containers.
func TestTwoRoots(t *testing.T) {
	t.Parallel()
	one, two := harness.New(t), harness.New(t)
	id := one.ID()
	a := one.Adopt(one.Command("create", "-b", one.Bundle().Dir, id), nil)
	b := two.Adopt(two.Command("create", "-b", two.Bundle().Dir, id), nil)
	a.Delete()
	b.WantStatus("created")
}

// TestStateDirectory: others may look up a container by name but not list or
// read anything of it.
func TestStateDirectory(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle())
	info, err := os.Stat(filepath.Join(env.Root, c.ID))
	check(t, err)
	want(t, "mode of the container's directory", info.Mode().Perm(), 0o711)
	info, err = os.Stat(filepath.Join(env.Root, c.ID, "state.json"))
	check(t, err)
	want(t, "mode of state.json", info.Mode().Perm(), 0o600)
}

// TestContainerID: which ids are valid.
func TestContainerID(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle()
	for _, id := range []string{"a/b", "../x", ".", "..", "a b", "ä", "a\nb", "a:b", "a*", strings.Repeat("x", 1025)} {
		for _, verb := range []string{"create", "run", "state", "start", "kill", "delete"} {
			args := []string{verb, id}
			if verb == "create" || verb == "run" {
				args = []string{verb, "-b", bundle.Dir, id}
			}
			if len(id) < 1000 {
				env.Call(args...).WantError(t, 1, "invalid container ID format")
			} else if r := env.Call(args...); r.Code != 1 {
				t.Errorf("an id of %d bytes: %s", len(id), r)
			}
		}
	}
	env.Call("create", "-b", bundle.Dir, "").WantError(t, 1, "container id cannot be empty")

	valid := env.Command("create", "-b", bundle.Dir, env.ID()+"_+.-"+"Aa0")
	c := env.Adopt(valid, bundle)
	if !regexp.MustCompile(`_\+\.-Aa0$`).MatchString(c.State().ID) {
		t.Errorf("id: %q", c.State().ID)
	}
}
