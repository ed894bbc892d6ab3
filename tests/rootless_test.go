package tests

import (
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
)

// user is an ordinary one, without a name, a group or a right of his own.
type user struct {
	env    *harness.Env
	uid    int
	dir    string   // his; also XDG_RUNTIME_DIR
	binary string   // a copy of the runtime that he can reach: the clone may be in /root
	as     []string // put in front of his calls
}

func newUser(t *testing.T, env *harness.Env) *user {
	t.Helper()
	require.Userns(t)
	u := &user{env: env, uid: 61234, dir: env.File("user"), binary: env.File("runtime")}
	check(t, os.Mkdir(u.dir, 0o700))
	check(t, os.Chown(u.dir, u.uid, u.uid))
	script(t, u.binary, read(t, harness.Binary(t)))
	return u
}

// bare is a call of the runtime by the user, and nothing in its environment.
func (u *user) bare(args ...string) *harness.Command {
	c := u.env.BareCommand(args...)
	c.Binary = u.binary
	c.Env = []string{"PATH=" + os.Getenv("PATH")}
	c.Dir = u.dir
	id := uint32(u.uid)
	if u.as == nil {
		c.Attr = syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
		return c
	}
	c.Args = append(append(u.as[1:len(u.as):len(u.as)], c.Binary), c.Args...)
	c.Binary = u.as[0]
	return c
}

// command is bare with XDG_RUNTIME_DIR.
func (u *user) command(args ...string) *harness.Command {
	c := u.bare(args...)
	c.Env = append(c.Env, "XDG_RUNTIME_DIR="+u.dir)
	return c
}

// bundle is what `spec --rootless` makes of a directory of the user's, without
// the terminal and with the edits.
func (u *user) bundle(edits ...harness.Edit) *harness.Bundle {
	t := u.env.T
	t.Helper()
	b := u.env.Bundle()
	check(t, os.Remove(filepath.Join(b.Dir, "config.json")))
	own := func(path string, _ os.DirEntry, err error) error {
		check(t, err)
		return os.Lchown(path, u.uid, u.uid)
	}
	check(t, filepath.WalkDir(b.Dir, own))
	c := u.command("spec", "--rootless", "--bundle", b.Dir)
	c.Run().WantQuiet(t)
	b.Edit(append([]harness.Edit{func(c *specs.Spec) { c.Process.Terminal = false }}, edits...)...)
	return b
}

func (u *user) run(b *harness.Bundle, global ...string) harness.Result {
	return u.command(append(global, "run", "--bundle", b.Dir, u.env.ID())...).Run()
}

const whoAmI = `id -u; id -g; cat /proc/self/uid_map /proc/self/setgroups; stat -c %u:%g /proc/self/fd/1 /dev/pts /dev/fd; echo x >/dev/null; echo $$`

// TestRootless: `runtime spec --rootless && runtime run` as an ordinary user,
// who is root inside.
func TestRootless(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"auto", "true"} {
		env := harness.New(t)
		u := newUser(t, env)
		r := u.run(u.bundle(harness.Shell(whoAmI)), "--rootless", mode).WantCode(t, 0)
		want(t, "output", fields(r.Stdout), fmt.Sprintf("0 0 0 %d 1 deny 0:0 0:0 0:0 1", u.uid))
		want(t, "stderr", r.Stderr, "")
		want(t, "state root", owner(t, filepath.Join(u.dir, "runtime")), fmt.Sprintf("%d:%d", u.uid, u.uid))
	}
}

// TestRootlessLifecycle: every verb, on a container without a cgroup.
func TestRootlessLifecycle(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	u := newUser(t, env)
	b := u.bundle(harness.Forever)
	id := env.ID()
	pidFile := filepath.Join(u.dir, "pid")
	create := u.command("create", "--bundle", b.Dir, "--pid-file", pidFile, id).Start()
	create.Wait().WantCode(t, 0)
	t.Cleanup(func() { u.command("delete", "--force", id).Run() })
	u.command("start", id).Run().WantQuiet(t)
	create.WaitStdout("ready")
	inside := u.command("exec", id, "sh", "-c", "id -u; id -G; cat /proc/self/uid_map; stat -c %u /proc/1").Run().WantCode(t, 0)
	want(t, "exec", fields(inside.Stdout), fmt.Sprintf("0 0 0 %d 1 0", u.uid))
	for _, verb := range []string{"state", "ps", "list"} {
		args := []string{verb, id}
		if verb == "list" {
			args = args[:1]
		}
		if r := u.command(args...).Run().WantCode(t, 0); !strings.Contains(r.Stdout, id) && verb != "ps" {
			t.Error(r)
		}
	}
	u.command("pause", id).Run().WantError(t, 1, "no cgroup of its own")
	u.command("update", "--pids-limit", "7", id).Run().WantError(t, 1, "no cgroup of its own")
	u.command("kill", id, "TERM").Run().WantQuiet(t)
	pid := number(t, read(t, pidFile))
	var status unix.WaitStatus
	_, err := unix.Wait4(pid, &status, 0, nil) // an orphan of ours, the view's first process
	check(t, err)
	want(t, "exit code", status.ExitStatus(), 0)
	u.command("delete", id).Run().WantQuiet(t)
	u.command("state", id).Run().WantError(t, 1, "does not exist")
}

// TestRootlessCgroup: limits that the user may not set are an error that says
// whose the cgroup is; so is any cgroup with --rootless=false.
func TestRootlessCgroup(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	u := newUser(t, env)
	limited := u.bundle(ran, func(c *specs.Spec) {
		c.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: harness.Pointer(int64(20))}}
	})
	u.run(limited).WantError(t, 1, "not delegated", "uid 0", fmt.Sprint(u.uid))
	u.run(limited, "--rootless", "true").WantError(t, 1, "not delegated")
	u.run(u.bundle(ran), "--rootless", "false").WantError(t, 1, "not delegated")
}

// TestRootlessDelegated: in a cgroup of his own the user sets limits.
func TestRootlessDelegated(t *testing.T) {
	t.Parallel()
	require.CgroupV2(t)
	env := harness.New(t)
	u := newUser(t, env)
	name := env.ID()
	u.as = u.delegated(name)
	b := u.bundle(harness.Shell("cat /proc/self/cgroup"), func(c *specs.Spec) {
		c.Linux.CgroupsPath = "/" + name + "/box"
		c.Linux.Namespaces = append(c.Linux.Namespaces[:0:0], c.Linux.Namespaces...)
		harness.WithoutNamespace(specs.CgroupNamespace)(c)
	})
	if text := u.run(b).WantCode(t, 0).Stdout; !strings.Contains(text, "/"+name+"/box") {
		t.Errorf("cgroup: %s", text)
	}
}

// delegated makes a cgroup of the user's, and returns what has him run in it.
func (u *user) delegated(name string) []string {
	t := u.env.T
	t.Helper()
	require.Program(t, "setpriv")
	parent := "/sys/fs/cgroup/" + name
	mine := parent + "/mine"
	check(t, os.MkdirAll(mine, 0o755))
	t.Cleanup(func() {
		_ = unix.Rmdir(parent + "/box")
		check(t, unix.Rmdir(mine))
		check(t, unix.Rmdir(parent))
	})
	for _, dir := range []string{parent, mine} {
		for _, file := range []string{"", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"} {
			check(t, os.Chown(filepath.Join(dir, file), u.uid, u.uid))
		}
	}
	return []string{"/bin/sh", "-c", fmt.Sprintf(`echo 0 >%s/cgroup.procs && exec setpriv --reuid %d --regid %d --clear-groups "$@"`, mine, u.uid, u.uid), "sh"}
}

// TestRootlessCgroupMessages: the three things that keep a user from limits are
// told apart, each with what to do.
func TestRootlessCgroupMessages(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	u := newUser(t, env)
	limited := u.bundle(ran, func(c *specs.Spec) {
		c.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: harness.Pointer(int64(20))}}
	})
	u.run(limited, "--systemd-cgroup").WantError(t, 1, "no systemd user session", "log in, or run: loginctl enable-linger")
	u.run(limited).WantError(t, 1, "cgroup is not delegated to this user", "belongs to uid 0, we are uid 61234")
	missing := u.bundle(ran, func(c *specs.Spec) {
		c.Linux.Resources = &specs.LinuxResources{Unified: map[string]string{"nosuch.max": "1"}}
	})
	require.CgroupV2(t)
	u.as = u.delegated(env.ID())
	u.run(missing).WantError(t, 1, "linux.resources.unified", `enable controller "nosuch": controller is not available`, "offers only: ")
}

// TestRootlessRange: newuidmap(1) maps what /etc/subuid gives the user, and
// nothing else. The files are replaced for his calls alone.
func TestRootlessRange(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"newuidmap", "newgidmap", "unshare", "setpriv"} {
		require.Program(t, program)
	}
	env := harness.New(t)
	u := newUser(t, env)
	for name, line := range map[string]string{
		"passwd": fmt.Sprintf("roo:x:%d:%d::/:/bin/sh\n", u.uid, u.uid), "group": fmt.Sprintf("roo:x:%d:\n", u.uid),
		"subuid": "roo:300000:65536\n", "subgid": "roo:300000:65536\n",
	} {
		write(t, env.File(name), line)
	}
	u.as = []string{require.Program(t, "unshare"), "--mount", "sh", "-c", fmt.Sprintf(
		`for f in passwd group subuid subgid; do mount --bind %s/$f /etc/$f || exit; done; exec setpriv --reuid %d --regid %d --clear-groups "$@"`,
		env.Dir, u.uid, u.uid), "sh"}
	mapped := func(first uint32) harness.Edit {
		return func(c *specs.Spec) {
			more := specs.LinuxIDMapping{ContainerID: 1, HostID: first, Size: 65536}
			c.Linux.UIDMappings = append(c.Linux.UIDMappings, more)
			c.Linux.GIDMappings = append(c.Linux.GIDMappings, more)
			c.Process.User = specs.User{UID: 7, GID: 8, AdditionalGids: []uint32{9}}
		}
	}
	r := u.run(u.bundle(mapped(300000), harness.Shell("id -u; id -g; id -G; cat /proc/self/uid_map /proc/self/setgroups; stat -c %u:%g /proc/self/fd/1"))).WantCode(t, 0)
	want(t, "inside", fields(r.Stdout), fmt.Sprintf("7 8 8 9 0 %d 1 1 300000 65536 allow 7:8", u.uid))
	u.run(u.bundle(mapped(400000))).WantError(t, 1, "linux.gidMappings", "newgidmap", "/etc/subgid")
}

// TestRootlessMistakes are told apart before anything is made.
func TestRootlessMistakes(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	u := newUser(t, env)
	u.bare("run", "--bundle", u.bundle().Dir, env.ID()).Run().WantError(t, 1, "/run/runtime", "XDG_RUNTIME_DIR", "--root")
	u.run(u.bundle(func(c *specs.Spec) { c.Process.User.UID = 7 })).WantError(t, 1, "process.user.uid", "linux.uidMappings")
	u.run(u.bundle(func(c *specs.Spec) { c.Process.User.AdditionalGids = []uint32{5} })).WantError(t, 1, "process.user.additionalGids[0]")
	u.run(u.bundle(func(c *specs.Spec) { c.Linux.UIDMappings[0].HostID = 0 })).WantError(t, 1, "linux.uidMappings", "newuidmap")
	u.run(u.bundle(harness.WithoutNamespace(specs.UserNamespace), func(c *specs.Spec) {
		c.Linux.UIDMappings, c.Linux.GIDMappings = nil, nil
	})).WantError(t, 1, "linux.namespaces", "user namespace")
}

// TestRootlessNoSession: without a systemd of the user's own, the error says how
// to get one.
func TestRootlessNoSession(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	u := newUser(t, env)
	u.run(u.bundle(), "--systemd-cgroup").WantError(t, 1, "no systemd user session", filepath.Join(u.dir, "bus"), "loginctl enable-linger "+strconv.Itoa(u.uid))
}

func number(t testing.TB, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	check(t, err)
	return n
}
