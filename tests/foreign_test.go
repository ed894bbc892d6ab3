package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
)

// Names are used more than once: another root may have the same id, another
// container the same cgroupsPath. What only has the name of what a killed
// command has left is not touched by those who clean up after that.

// cleaners are the ways to clean up after container id.
func cleaners(id string) [][]string {
	return [][]string{{"gc"}, {"kill", "--all", id, "KILL"}, {"kill", "--all", id, "TERM"}, {"delete", "--force", id}}
}

// forge changes the state of container id.
func forge(t *testing.T, env *harness.Env, id string, change func(state map[string]any)) {
	t.Helper()
	file := filepath.Join(env.Root, id, "state.json")
	state := map[string]any{}
	d := json.NewDecoder(strings.NewReader(read(t, file)))
	d.UseNumber() // an inode is more than a float64 can hold
	check(t, d.Decode(&state))
	change(state)
	text, err := json.Marshal(state)
	check(t, err)
	check(t, os.WriteFile(file, text, 0o600))
}

// TestCgroupOfAnother: the cgroup that a killed create was going to make, or
// that went with an earlier boot, is by now that of a container below another
// root.
func TestCgroupOfAnother(t *testing.T) {
	t.Parallel()
	for what, prepare := range map[string]func(env *harness.Env) (id string){
		"create killed": func(env *harness.Env) string {
			id := halfCreated(t, env)
			for _, dir := range recordedCgroups(t, env, id) {
				check(t, harness.Eventually(harness.Timeout(), func() bool { return os.Remove(dir) == nil }))
			}
			return id
		},
		"earlier boot": func(env *harness.Env) string {
			c := env.Create(env.Bundle())
			c.Stop()
			for _, dir := range recordedCgroups(t, env, c.ID) {
				check(t, os.Remove(dir))
			}
			forge(t, env, c.ID, func(state map[string]any) { state["bootId"] = "00000000-0000-0000-0000-000000000000" })
			return c.ID
		},
		"stopped": func(env *harness.Env) string {
			c := env.Create(env.Bundle())
			c.Stop()
			for _, dir := range recordedCgroups(t, env, c.ID) {
				check(t, os.Remove(dir))
			}
			return c.ID
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			id := prepare(env)
			var first specs.Spec
			check(t, json.Unmarshal([]byte(read(t, filepath.Join(env.Root, id, "config.json"))), &first))
			bundle := env.Bundle(func(c *specs.Spec) { c.Linux.CgroupsPath = first.Linux.CgroupsPath })
			other := env.File("other")
			call := func(args ...string) harness.Result {
				return env.BareCommand(append([]string{"--root", other}, args...)...).Run()
			}
			call("create", "--bundle", bundle.Dir, id).WantCode(t, 0)
			defer call("delete", "--force", id)
			for _, args := range cleaners(id) {
				r := env.Call(args...)
				if r.Code > 1 {
					t.Error(r)
				}
				if state := call("state", id); !strings.Contains(state.Stdout, `"status": "created"`) {
					t.Fatalf("after %v, which said %s: %s", args, r, state)
				}
			}
			env.Call("state", id).WantError(t, 1, "does not exist")
		})
	}
}

// recordedCgroups lists the cgroups that the state of container id names.
func recordedCgroups(t *testing.T, env *harness.Env, id string) (dirs []string) {
	t.Helper()
	var state struct {
		Cgroup struct {
			Places []struct{ Mount, Path string }
		}
	}
	check(t, json.Unmarshal([]byte(read(t, filepath.Join(env.Root, id, "state.json"))), &state))
	for _, p := range state.Cgroup.Places {
		dirs = append(dirs, p.Mount+p.Path)
	}
	return dirs
}

// TestForgedState: a state that claims the cgroups and the process of somebody
// else, in every way that has a field for it.
func TestForgedState(t *testing.T) {
	t.Parallel()
	for what, claim := range map[string]func(state map[string]any, victim json.Number){
		"half made":    func(state map[string]any, _ json.Number) { state["pid"] = 0 },
		"its process":  func(state map[string]any, victim json.Number) { state["pid"] = victim },
		"earlier boot": func(state map[string]any, victim json.Number) { state["pid"], state["bootId"] = victim, "?" },
		"of no boot":   func(state map[string]any, victim json.Number) { state["pid"], state["bootId"] = victim, "" },
		"no inode":     func(state map[string]any, victim json.Number) { state["pid"], state["inode"] = victim, 0 },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			victim := env.Create(env.Bundle(harness.Shell("trap 'echo signalled' TERM; echo ready; while :; do sleep 0.05; done"))).Start()
			victim.WaitStdout("ready")
			_ = harness.Eventually(50*time.Millisecond, func() bool { return false }) // two clock ticks of distance
			for range 2 {
				c := env.Create(env.Bundle())
				c.Stop()
				for _, dir := range recordedCgroups(t, env, c.ID) {
					check(t, os.Remove(dir))
				}
				var theirs map[string]any
				check(t, json.Unmarshal([]byte(read(t, filepath.Join(env.Root, victim.ID, "state.json"))), &theirs))
				forge(t, env, c.ID, func(state map[string]any) {
					state["cgroup"] = theirs["cgroup"]
					claim(state, json.Number(strconv.Itoa(victim.Pid)))
				})
				for _, args := range append([][]string{{"kill", c.ID, "KILL"}, {"pause", c.ID}}, cleaners(c.ID)...) {
					if r := env.Call(args...); r.Code > 1 {
						t.Error(r)
					}
					if s := victim.State(); s.Status != "running" || s.Pid != victim.Pid {
						t.Fatalf("after %v the other container is %s", args, s.Status)
					}
				}
				env.Call("state", c.ID).WantError(t, 1, "does not exist")
			}
			want(t, "output", victim.Stdout(), "ready\n")
		})
	}
}

// TestGCLeavesRoots: a directory that is full of other things than containers
// loses none of them.
func TestGCLeavesRoots(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	long := time.Now().Add(-time.Hour)
	for _, dir := range []string{"empty", "full", "@full", "@", "@@1", ".hidden", "with space"} {
		path := filepath.Join(env.Root, dir)
		check(t, os.MkdirAll(path, 0o755))
		if dir != "empty" {
			write(t, filepath.Join(path, "file"), "text")
		}
		check(t, os.Chtimes(path, long, long))
	}
	check(t, os.Symlink("/etc", filepath.Join(env.Root, "link")))
	check(t, unix.Mkfifo(filepath.Join(env.Root, "fifo"), 0o600))
	before := tree(t, env.Root)
	planned := env.Call("gc", "--dry-run").Stdout
	want(t, "after a dry run", tree(t, env.Root), before)
	r := env.Call("gc")
	want(t, "planned", planned, "empty\tnever created\n")
	want(t, "after gc: "+r.Output(), tree(t, env.Root), strings.Replace(before, env.Root+"/empty\n", "", 1))
	check(t, os.RemoveAll(env.Root))
}

// tree lists all files below dir.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	check(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		b.WriteString(path + "\n")
		return err
	}))
	return b.String()
}
