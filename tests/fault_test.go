package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
	"ociruntime/tests/view"
)

// Hosts that are full, poor or odd. A command that cannot do its work says so in
// one line, and leaves the host as it was.

// wantLife expects all of a container's life to work.
func wantLife(t *testing.T, env *harness.Env, call func(args ...string) harness.Result) {
	t.Helper()
	id := env.ID()
	call("create", "--bundle", env.Bundle(harness.Forever).Dir, id).WantCode(t, 0)
	call("start", id).WantCode(t, 0)
	if r := call("state", id).WantCode(t, 0); !strings.Contains(r.Stdout, `"status": "running"`) {
		t.Error(r)
	}
	call("exec", id, "/bin/true").WantCode(t, 0)
	call("delete", "--force", id).WantCode(t, 0)
	wantNothingLeft(t, env)
}

// TestRootFull: the file system of the state root has no room, or no inodes, at
// any point of a create.
func TestRootFull(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle()
	failed := 0
	for _, option := range []string{"nr_inodes=1", "nr_inodes=2", "nr_inodes=3", "nr_inodes=4", "nr_inodes=5", "nr_inodes=6",
		"size=4k", "size=8k", "size=12k", "size=16k"} {
		root := env.File(option)
		check(t, os.Mkdir(root, 0o711))
		env.Mount("tmpfs", root, option, "mode=711")
		call := func(args ...string) harness.Result {
			return env.BareCommand(append([]string{"--root", root}, args...)...).Run()
		}
		id := env.ID()
		if r := call("create", "--bundle", bundle.Dir, id); r.Code != 0 {
			failed++
			wantPlainFailure(t, r)
			if !strings.Contains(r.Stderr, "no space left on device") {
				t.Errorf("%s: %s", option, r)
			}
			want(t, "list", call("list", "--quiet").WantCode(t, 0).Stdout, "")
		} else {
			call("start", id).WantCode(t, 0)
			call("delete", "--force", id).WantCode(t, 0)
		}
		wantNothingLeft(t, env)
		entries, err := os.ReadDir(root)
		check(t, err)
		want(t, option+": entries", len(entries), 0)
	}
	if failed < 3 {
		t.Errorf("%d creates failed: the root was never full", failed)
	}
}

// TestRootReadOnly: nothing can be made below it. What is there can be looked at
// and killed.
func TestRootReadOnly(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	root := env.File("root")
	check(t, os.Mkdir(root, 0o711))
	env.Mount("tmpfs", root, "mode=711")
	call := func(args ...string) harness.Result {
		return env.BareCommand(append([]string{"--root", root}, args...)...).Run()
	}
	bundle := env.Bundle(harness.Forever)
	id, created := env.ID(), env.ID()
	call("run", "-d", "--bundle", bundle.Dir, id).WantCode(t, 0)
	call("create", "--bundle", env.Bundle().Dir, created).WantCode(t, 0)
	check(t, unix.Mount("", root, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	for _, args := range [][]string{{"create", "--bundle", bundle.Dir, env.ID()}, {"run", "--bundle", bundle.Dir, env.ID()}, {"start", created}} {
		call(args...).WantError(t, 1, "read-only file system")
	}
	call("state", id).WantCode(t, 0)
	want(t, "list", strings.Count(call("list", "--quiet").WantCode(t, 0).Stdout, "\n"), 2)
	call("exec", id, "/bin/true").WantCode(t, 0)
	call("pause", id).WantCode(t, 0)
	call("resume", id).WantCode(t, 0)
	call("kill", id, "KILL").WantCode(t, 0)
	call("delete", "--force", id).WantError(t, 1, "read-only file system")
	check(t, unix.Mount("", root, "", unix.MS_REMOUNT, ""))
	call("delete", "--force", id).WantCode(t, 0)
	call("delete", "--force", created).WantCode(t, 0)
	want(t, "list", call("list", "--quiet").WantCode(t, 0).Stdout, "")
	wantNothingLeft(t, env)
}

// TestFewDescriptors: RLIMIT_NOFILE is reached (EMFILE), at any point.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := lasting(env)
	worked := 0
	// The last is enough. Between them, the kernel may count more descriptors
	// of this user on their way than that: ETOOMANYREFS, unix(7).
	limits := []int{1024}
	for limit := 4; limit < 70; limit += full(5, 1) {
		limits = append(limits, limit)
	}
	for _, limit := range limits {
		id := env.ID()
		create := env.Command("create", "--bundle", bundle.Dir, id)
		create.Args = append([]string{"-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, limit), create.Binary}, create.Args...)
		create.Binary = "/bin/sh"
		r := create.Run()
		if r.Code == 0 {
			worked++
			deleteByForce(t, env, id)
		} else if r.Code != 1 || r.Signal != 0 || !strings.Contains(r.Stderr, "too many ") {
			t.Errorf("%d descriptors: %s", limit, r)
		}
		wantNothingLeft(t, env)
	}
	if worked == 0 {
		t.Error("no limit was high enough")
	}
}

// TestNoMoreCgroups: cgroup.max.descendants above is used up.
func TestNoMoreCgroups(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for _, h := range view.Hierarchies() {
		if !h.Unified {
			continue
		}
		parent := filepath.Join(h.Point, env.ID())
		check(t, os.Mkdir(parent, 0o755))
		t.Cleanup(func() { check(t, os.Remove(parent)) })
		write(t, filepath.Join(parent, "cgroup.max.descendants"), "0")
		bundle := env.Bundle(func(c *specs.Spec) { c.Linux.CgroupsPath = "/" + filepath.Base(parent) + "/sub" })
		for _, verb := range []string{"create", "run"} {
			r := env.Call(verb, "--bundle", bundle.Dir, env.ID())
			wantPlainFailure(t, r)
			r.WantError(t, 1, parent, "resource temporarily unavailable")
			entries, err := filepath.Glob("/sys/fs/cgroup/*" + "/" + filepath.Base(parent) + "/sub")
			check(t, err)
			want(t, "cgroups left", len(entries), 0)
		}
		write(t, filepath.Join(parent, "cgroup.max.descendants"), "1")
		wantLifeIn(t, env, bundle)
		for _, other := range view.Hierarchies() { // those that had to be made above
			_ = os.Remove(filepath.Join(other.Point, filepath.Base(parent), "sub"))
			if other.Point != h.Point {
				_ = os.Remove(filepath.Join(other.Point, filepath.Base(parent)))
			}
		}
		return
	}
	require.CgroupV2(t)
}

func wantLifeIn(t *testing.T, env *harness.Env, bundle *harness.Bundle) {
	t.Helper()
	id := env.ID()
	env.Call("create", "--bundle", bundle.Dir, id).WantCode(t, 0)
	env.Call("delete", "--force", id).WantCode(t, 0)
}

// TestCallerPidsLimit: the cgroup of the caller has no room for a process, or
// not even for a thread. What a runtime leaves that could not go on, another
// cleans up.
func TestCallerPidsLimit(t *testing.T) {
	t.Parallel()
	require.Controller(t, "pids")
	env := harness.New(t)
	bundle := lasting(env)
	dir := ""
	for _, h := range view.Hierarchies() {
		if h.Unified && view.HasControllerV2("pids") || !h.Unified && strings.Contains(strings.Join(h.Names, ","), "pids") {
			dir = filepath.Join(h.Point, strings.ReplaceAll(env.ID(), "-", "")) // no container's, for the harness
		}
	}
	check(t, os.Mkdir(dir, 0o755))
	t.Cleanup(func() { check(t, os.Remove(dir)) })
	worked := 0
	for limit := 1; limit <= 16; limit += full(3, 1) {
		write(t, filepath.Join(dir, "pids.max"), strconv.Itoa(limit))
		id := env.ID()
		create := env.Command("create", "--bundle", bundle.Dir, id)
		create.Args = append([]string{"-c", `echo 0 >"` + dir + `/cgroup.procs"; exec "$0" "$@"`, create.Binary}, create.Args...)
		create.Binary = "/bin/sh"
		r := create.Run()
		switch {
		case r.Code == 0:
			worked++
		case strings.Contains(r.Stderr, "goroutine"): // Go needs threads, and gives up without
		default:
			wantPlainFailure(t, r)
			wantNothingLeft(t, env)
		}
		wantSensible(t, env, id)
		deleteByForce(t, env, id)
		wantNothingLeft(t, env)
	}
	if worked == 0 {
		t.Error("no limit was high enough")
	}
}

// TestNoUserNamespaces: in a user namespace of the caller's that may have no
// more of them below, user_namespaces(7).
func TestNoUserNamespaces(t *testing.T) {
	t.Parallel()
	require.Userns(t)
	env := harness.New(t)
	bundle := env.Bundle(harness.UserNamespace)
	create := env.Command("create", "--bundle", bundle.Dir, env.ID())
	create.Args = append([]string{"-c", `echo 0 >/proc/sys/user/max_user_namespaces && exec "$0" "$@"`, create.Binary}, create.Args...)
	create.Binary = "/bin/sh"
	all := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1 << 31}}
	create.Attr = syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: all, GidMappings: all, GidMappingsEnableSetgroups: true}
	create.Run().WantError(t, 1, "no space left on device", "user")
	wantNothingLeft(t, env)
}

// TestHidepid: a /proc that shows nobody but oneself, proc(5).
func TestHidepid(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	hidden := func(c *harness.Command) harness.Result {
		c.Args = append([]string{"-c", `mount -t proc -o hidepid=invisible proc /proc && exec "$0" "$@"`, c.Binary}, c.Args...)
		c.Binary = "/bin/sh"
		c.Attr.Unshareflags = syscall.CLONE_NEWNS
		return c.Run()
	}
	wantLife(t, env, func(args ...string) harness.Result { return hidden(env.Command(args...)) })
	u := newUser(t, env)
	b := u.bundle(harness.Args("/bin/sleep", "1000"))
	id := env.ID()
	// The shell has to be root to mount; then it becomes the user.
	asUser := func(args ...string) harness.Result {
		c := u.command(args...)
		c.Attr.Credential = nil
		c.Args = append([]string{"-c", `mount -t proc -o hidepid=invisible proc /proc && exec setpriv --reuid 61234 --regid 61234 --clear-groups "$0" "$@"`, c.Binary}, c.Args...)
		c.Binary = "/bin/sh"
		c.Attr.Unshareflags = syscall.CLONE_NEWNS
		return c.Run()
	}
	require.Program(t, "setpriv")
	asUser("create", "--bundle", b.Dir, id).WantCode(t, 0)
	asUser("start", id).WantCode(t, 0)
	if r := asUser("state", id).WantCode(t, 0); !strings.Contains(r.Stdout, `"status": "running"`) {
		t.Error(r)
	}
	asUser("exec", id, "/bin/true").WantCode(t, 0)
	asUser("delete", "--force", id).WantCode(t, 0)
	check(t, os.RemoveAll(u.dir))
	wantNothingLeft(t, env)
}

// TestStateDamaged: list shows what it can, and delete --force cleans up.
func TestStateDamaged(t *testing.T) {
	t.Parallel()
	for what, damage := range map[string]func(text string) string{
		"empty":     func(string) string { return "" },
		"truncated": func(text string) string { return text[:len(text)/2] },
		"garbage":   func(string) string { return "\x00\xff{[" },
		"a newer version": func(text string) string {
			return strings.Replace(text, `"version":1`, `"version":1000000`, 1)
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			whole, broken := env.Create(env.Bundle()), env.Create(env.Bundle())
			file := filepath.Join(env.Root, broken.ID, "state.json")
			text := read(t, file)
			if damage(text) == text {
				t.Fatal("not damaged")
			}
			check(t, os.WriteFile(file, []byte(damage(text)), 0o600))
			list := env.Call("list", "--format", "json").WantCode(t, 0)
			var entries []struct{ ID, Status string }
			check(t, json.Unmarshal([]byte(list.Stdout), &entries))
			for _, e := range entries {
				want(t, e.ID, e.Status, map[string]string{whole.ID: "created", broken.ID: "broken"}[e.ID])
			}
			want(t, "entries", len(entries), 2)
			for _, verb := range []string{"state", "start", "delete", "pause", "exec"} {
				if r := broken.Call(verb); r.Code == 0 || r.Signal != 0 {
					t.Error(r)
				}
			}
			want(t, "gc", env.Call("gc").WantCode(t, 0).Stdout, "")
			deleteByForce(t, env, broken.ID)
			broken.Call("state").WantError(t, 1, "does not exist")
			check(t, harness.Eventually(harness.Timeout(), func() bool { view.ReapOrphans(); return len(cgroupsLeft(env, broken)) == 0 }))
			whole.WantStatus("created")
		})
	}
}

// cgroupsLeft are the cgroups of the container that are still there.
func cgroupsLeft(env *harness.Env, c *harness.Container) []string {
	return view.CgroupsNamed(filepath.Base(c.Bundle.Config().Linux.CgroupsPath))
}

// TestClocks: a caller in a time namespace, or one after whose create the clock
// was set back or forward, sees the same container.
func TestClocks(t *testing.T) {
	t.Parallel()
	require.Namespace(t, "time")
	unshare := require.Program(t, "unshare")
	env := harness.New(t)
	shifted := func(args ...string) harness.Result {
		c := env.Command(args...)
		c.Args = append([]string{"--time", "--fork", "--boottime", "864000", "--monotonic", "864000", c.Binary}, c.Args...)
		c.Binary = unshare
		return c.Run()
	}
	wantLife(t, env, shifted)
	c := env.Create(env.Bundle(harness.Forever)).Start()
	for _, created := range []string{"1970-01-01T00:00:00Z", "2999-12-31T23:59:59.999999999Z", "yesterday", ""} {
		forge(t, env, c.ID, func(state map[string]any) { state["created"] = created })
		c.WantStatus("running")
		if r := shifted("state", c.ID); !strings.Contains(r.Stdout, `"status": "running"`) {
			t.Error(r)
		}
		env.Call("list").WantCode(t, 0)
		want(t, "gc", env.Call("gc").WantCode(t, 0).Stdout, "")
	}
	shifted("exec", c.ID, "/bin/true").WantCode(t, 0)
	shifted("kill", c.ID, "KILL").WantCode(t, 0)
	c.Wait()
	shifted("delete", c.ID).WantCode(t, 0)
}

// TestHookFloods: what a hook prints, without end, fills no memory and no pipe.
func TestHookFloods(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(addHook("createRuntime", shellHook("exec 0<&-; yes & yes >&2")))
	r := env.Call("--timeout", soon, "create", "--bundle", bundle.Dir, env.ID())
	r.WantError(t, 1, "did not end in time and was killed")
	if len(r.Stderr) > 8<<10 {
		t.Errorf("%d bytes of error", len(r.Stderr))
	}
	wantNothingLeft(t, env)
}
