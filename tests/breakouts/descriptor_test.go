package breakouts

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
)

// Descriptors: one of a host's directory, kept open by mistake, is a way out
// (CVE-2024-21626).

// leak opens what a careless engine may leave open: directories and files of
// the host, from descriptor 3 on.
func leak(t *testing.T, env *harness.Env, dir string) []*os.File {
	t.Helper()
	var files []*os.File
	for _, path := range []string{"/", dir, dir + "/secret", "/sys/fs/cgroup"} {
		f, err := os.Open(path)
		check(t, err)
		t.Cleanup(func() { f.Close() })
		files = append(files, f)
	}
	return files
}

// call runs a command of the runtime with the leaked descriptors.
func call(env *harness.Env, leaked []*os.File, args ...string) harness.Result {
	c := env.Command(args...)
	c.Files = leaked
	return c.Run()
}

// TestCwdIsDescriptor: process.cwd and exec --cwd through /proc/self/fd.
func TestCwdIsDescriptor(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	leaked := leak(t, env, victim(t, env))
	c := env.Create(env.Bundle(harness.Forever)).Start()
	bundle := env.Bundle(harness.Shell("pwd; ls"))
	for n := 3; n <= 30; n++ {
		for _, cwd := range []string{"/proc/self/fd/%d", "/proc/thread-self/fd/%d/.", "/proc/1/fd/%d", "/linked"} {
			if strings.Contains(cwd, "%d") {
				cwd = fmt.Sprintf(cwd, n)
			}
			link(t, fmt.Sprintf("/proc/self/fd/%d", n), bundle.Path("linked"))
			link(t, fmt.Sprintf("/proc/self/fd/%d", n), c.Bundle.Path("linked"))
			if r := call(env, leaked, "exec", "--cwd", cwd, c.ID, "sh", "-c", "pwd; ls"); r.Code == 0 {
				t.Errorf("exec in %s: %s", cwd, r)
			}
			if n%3 != 0 {
				continue // a start costs more; the numbers are the same kind of guess
			}
			bundle.Edit(func(c *specs.Spec) { c.Process.Cwd = cwd })
			if r := call(env, leaked, "run", "--bundle", bundle.Dir, env.ID()); r.Code == 0 {
				t.Errorf("run in %s: %s", cwd, r)
			}
		}
	}
}

// TestProgramBehindDescriptor: the program, by way of a descriptor.
func TestProgramBehindDescriptor(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	leaked := leak(t, env, victim(t, env))
	c := env.Create(env.Bundle(harness.Forever)).Start()
	bundle := env.Bundle()
	for n := 3; n <= 16; n++ {
		program := fmt.Sprintf("/proc/self/fd/%d/../../../../../bin/busybox", n)
		if r := call(env, leaked, "exec", c.ID, program, "echo", "started"); r.Code == 0 {
			t.Errorf("exec %s: %s", program, r)
		}
		bundle.Edit(harness.Args(program, "echo", "started"))
		if r := call(env, leaked, "run", "--bundle", bundle.Dir, env.ID()); r.Code == 0 {
			t.Errorf("run %s: %s", program, r)
		}
	}
}

// listFiles shows the descriptors that a program gets, by that of ls. Its own on
// the directory is the one that is gone when it is asked about.
const listFiles = "for n in $(ls /proc/self/fd); do test -e /proc/self/fd/$n && echo $n; done | sort -n | tr '\\n' ' '"

// TestDescriptorsOfTheEngine: what a careless engine has left open gets neither
// into the container, nor to hooks, by any verb.
func TestDescriptorsOfTheEngine(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	leaked := leak(t, env, victim(t, env))
	out := env.File("hooks")
	kinds := []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}
	bundle := env.Bundle(harness.Shell(listFiles+"; sleep 1000"), bind(env.Dir, env.Dir), func(c *specs.Spec) {
		hook := func(i int) []specs.Hook {
			return []specs.Hook{{Path: "/bin/busybox", Args: []string{"sh", "-c", "echo " + kinds[i] + " $(" + listFiles + ") >>" + out}}}
		}
		c.Hooks = &specs.Hooks{Prestart: hook(0), CreateRuntime: hook(1), CreateContainer: hook(2), //nolint:staticcheck // deprecated, and used by Docker
			StartContainer: hook(3), Poststart: hook(4), Poststop: hook(5)}
	})
	id := env.ID()
	c := env.Command("create", "--bundle", bundle.Dir, id)
	c.Files = leaked
	made := env.Adopt(c, bundle)
	// The last word of create is that it may go on, to close what it had.
	var open []string
	if harness.Eventually(harness.Timeout(), func() bool {
		open = nil
		for _, fd := range entries(t, made.Proc("fd")) {
			if target, _ := os.Readlink(made.Proc("fd/" + fd)); fd > "2" && !strings.HasPrefix(target, "socket:") {
				open = append(open, fd+": "+target)
			}
		}
		return len(open) == 0
	}) != nil {
		t.Errorf("the waiting process has open %q", open)
	}
	call(env, leaked, "start", id).WantCode(t, 0)
	made.WaitStdout("0 1 2 ")
	want(t, "program", made.Stdout(), "0 1 2 ")
	want(t, "exec", call(env, leaked, "exec", id, "sh", "-c", listFiles).WantCode(t, 0).Stdout, "0 1 2 ")
	call(env, leaked, "delete", "--force", id).WantCode(t, 0)
	text, err := os.ReadFile(out)
	check(t, err)
	want(t, "hooks", string(text), strings.Join(kinds, " 0 1 2\n")+" 0 1 2\n")

	bundle.Edit(harness.Shell(listFiles), func(c *specs.Spec) { c.Hooks = nil })
	want(t, "run", call(env, leaked, "run", "--bundle", bundle.Dir, env.ID()).WantCode(t, 0).Stdout, "0 1 2 ")
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	check(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// TestPreservedForHooks: descriptors that are preserved for the container are
// nothing for its hooks.
func TestPreservedForHooks(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	leaked := leak(t, env, victim(t, env))
	out := env.File("hooks")
	bundle := env.Bundle(harness.Shell(listFiles), func(c *specs.Spec) {
		c.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/busybox", Args: []string{"sh", "-c", listFiles + " >" + out}}}}
	})
	want(t, "program", call(env, leaked, "run", "--preserve-fds", "2", "--bundle", bundle.Dir, env.ID()).WantCode(t, 0).Stdout, "0 1 2 3 4 ")
	text, err := os.ReadFile(out)
	check(t, err)
	want(t, "hook", string(text), "0 1 2 ")
}

// TestPreserveTooMany: a number that overflows when it is counted from 3 on is no
// way round the check.
func TestPreserveTooMany(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Args("ls", "-l", "/proc/self/fd"))
	running := env.Create(env.Bundle(harness.Forever)).Start()
	for _, n := range []string{"9223372036854775807", "9223372036854775805", "4294967293", "2147483645"} {
		for code, args := range map[int][]string{1: {"run", "--preserve-fds", n, "--bundle", bundle.Dir, env.ID()}, 255: {"exec", "--preserve-fds", n, running.ID, "true"}} {
			env.Call(args...).WantError(t, code, "unable to stat preserved-fd 0 (of "+n+")")
		}
	}
	// So does the sum with what systemd says to have passed.
	for _, n := range []string{"9223372036854775807", "-9223372036854775808", "99999999999999999999"} {
		c := env.Command("-c", `export LISTEN_PID=$$; exec "$0" "$@"`, harness.Binary(t), "--root", env.Root, "run", "--preserve-fds", "3", "--bundle", bundle.Dir, env.ID())
		c.Args = c.Args[2:] // --root is for the runtime
		c.Binary = "/bin/sh"
		c.Env = append(os.Environ(), "LISTEN_FDS="+n)
		c.Run().WantError(t, 1, "unable to stat preserved-fd 0")
	}
}

// TestPreserveNothing: a caller who promises more descriptors than he has open
// does not get the runtime's own. Go's runtime may have some, by GODEBUG.
func TestPreserveNothing(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Forever)
	running := env.Create(bundle).Start()
	for _, debug := range []string{"", "containermaxprocs=1,updatemaxprocs=1"} {
		for _, args := range [][]string{
			{"run", "--preserve-fds", "5", "--bundle", bundle.Dir, env.ID()},
			{"create", "--preserve-fds", "5", "--bundle", bundle.Dir, env.ID()},
			{"exec", "--preserve-fds", "5", running.ID, "true"},
		} {
			c := env.Command(args...)
			c.Env = append(os.Environ(), "GODEBUG="+debug)
			c.Run().WantError(t, map[bool]int{true: 255, false: 1}[args[0] == "exec"], "unable to stat preserved-fd 0 (of 5)")
		}
	}
}

// TestEnvironmentOfTheEngine: nothing of the caller's environment is seen by
// the process that waits, the program, or an exec.
func TestEnvironmentOfTheEngine(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Shell("cat /proc/1/environ | tr '\\0' ' '; sleep 1000"))
	create := env.Command("create", "--bundle", bundle.Dir, env.ID())
	create.Env = append(os.Environ(), "AWS_SECRET=leaked")
	c := env.Adopt(create, bundle)
	waiting, err := os.ReadFile(c.Proc("environ"))
	check(t, err)
	want(t, "environment of the waiting process", string(waiting), "")
	start := env.Command("start", c.ID)
	start.Env = create.Env
	start.Run().WantCode(t, 0)
	c.WaitStdout("HOME=")
	exec := env.Command("exec", c.ID, "env")
	exec.Env = create.Env
	for what, text := range map[string]string{"program": c.Stdout(), "exec": exec.Run().WantCode(t, 0).Stdout} {
		if strings.Contains(text, "leaked") || strings.Contains(text, "RUNTIME_TEST") {
			t.Errorf("%s: %s", what, text)
		}
	}
}
