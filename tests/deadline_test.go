package tests

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
	"ociruntime/tests/view"
)

// Whatever does not answer is waited for as long as --timeout says. Then the
// message tells what it was doing, and the host is as it was.

// soon bounds the waits of these tests.
const soon = "400ms"

// pidOfState is shell script that reads the pid from the state on stdin.
const pidOfState = `pid=$(sed 's/.*"pid": *\([0-9]*\).*/\1/'); `

// freezeState is shell script that freezes the cgroup of $pid, from outside.
func freezeState() string {
	if view.HasControllerV1("freezer") {
		return `echo FROZEN >/sys/fs/cgroup/freezer$(sed -n 's/.*:freezer://p' /proc/$pid/cgroup)/freezer.state; `
	}
	return `echo 1 >/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/$pid/cgroup)/cgroup.freeze; `
}

// TestStageStuck: the process that is to become the program stops on the way.
func TestStageStuck(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct{ script, says string }{
		"stopped": {"kill -STOP $pid; ", "is in state T"},
		"frozen":  {freezeState(), "its cgroup is frozen"},
	} {
		for _, verb := range []string{"create", "run"} {
			t.Run(verb+" "+what, func(t *testing.T) {
				t.Parallel()
				env := harness.New(t)
				bundle := env.Bundle(addHook("createRuntime", shellHook(pidOfState+c.script)))
				began := time.Now()
				r := env.Call("--timeout", soon, verb, "--bundle", bundle.Dir, env.ID())
				r.WantError(t, 1, "the stage did not answer in "+soon, "finish the root file system", "waiting in", "in hooks: ", c.says)
				wantBounded(t, began)
				wantNothingLeft(t, env)
			})
		}
	}
}

// wantBounded expects what began then to have taken a few time-outs at most.
func wantBounded(t *testing.T, began time.Time) {
	t.Helper()
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("took %s", took)
	}
}

// TestStartStuck: a stage that does not let itself be started is ended.
func TestStartStuck(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle())
	check(t, unix.Kill(c.Pid, unix.SIGSTOP))
	began := time.Now()
	env.Call("--timeout", soon, "start", c.ID).WantError(t, 1, "the stage did not answer in "+soon, " (in ", "is in state T", "its cgroup is not frozen")
	wantBounded(t, began)
	c.Wait()
	c.WantStatus("stopped")
}

// TestHookStuck: a hook that has stopped, or that not even SIGKILL ends.
func TestHookStuck(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for _, kind := range []string{"createRuntime", "createContainer", "poststart"} {
		bundle := env.Bundle(addHook(kind, shellHook("kill -STOP $$")))
		began := time.Now()
		env.Call("--timeout", soon, "run", "-d", "--bundle", bundle.Dir, env.ID()).
			WantError(t, 1, "hooks."+kind+"[0]", "did not end in time and was killed", "is in state T")
		wantBounded(t, began)
		wantNothingLeft(t, env)
	}
}

// TestHookFrozen: the version 1 freezer keeps even the killed from dying.
func TestHookFrozen(t *testing.T) {
	t.Parallel()
	if !view.HasControllerV1("freezer") {
		require.CgroupV1(t)
	}
	env := harness.New(t)
	dir := "/sys/fs/cgroup/freezer/" + env.ID()
	check(t, os.Mkdir(dir, 0o755))
	write(t, dir+"/freezer.state", "FROZEN")
	bundle := env.Bundle(addHook("createRuntime", shellHook("echo 0 >"+dir+"/tasks; true")))
	began := time.Now()
	env.Call("--timeout", soon, "create", "--bundle", bundle.Dir, env.ID()).WantError(t, 1, "did not end in time", "refrigerator")
	wantBounded(t, began)
	write(t, dir+"/freezer.state", "THAWED")
	check(t, harness.Eventually(harness.Timeout(), func() bool { view.ReapOrphans(); return os.Remove(dir) == nil }))
	wantNothingLeft(t, env)
}

// TestLockHeld: who does not get the container's lock says who has it. Those
// that change nothing do not ask for it.
func TestLockHeld(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle())
	dir, err := os.Open(filepath.Join(env.Root, c.ID))
	check(t, err)
	check(t, unix.Flock(int(dir.Fd()), unix.LOCK_EX))
	for _, args := range [][]string{{"start"}, {"delete"}, {"delete", "--force"}, {"pause"}, {"resume"}, {"update", "--pids-limit", "9"}} {
		began := time.Now()
		env.Call(append(append([]string{"--timeout", soon}, args...), c.ID)...).
			WantError(t, 1, "another command on this container did not end in "+soon, fmt.Sprintf("the lock is with process %d", os.Getpid()))
		wantBounded(t, began)
	}
	want(t, "gc", env.Call("--timeout", soon, "gc").WantCode(t, 0).Stdout, "")
	env.Call("list").WantCode(t, 0)
	c.WantStatus("created")
	c.Kill("KILL")
	check(t, dir.Close())
	c.Wait()
	c.Delete()
}

// deaf is a socket that nobody accepts connections of; full: nor are there
// places left to wait in.
func deaf(t *testing.T, env *harness.Env, name string, full bool) string {
	t.Helper()
	path := env.File(name)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	check(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	check(t, unix.Listen(fd, 0))
	for full {
		client, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		check(t, err)
		t.Cleanup(func() { unix.Close(client) })
		if unix.Connect(client, &unix.SockaddrUnix{Name: path}) == unix.EAGAIN {
			return path
		}
	}
	return path
}

// TestSocketsFull: engines that do not accept what they have asked for.
func TestSocketsFull(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	socket := deaf(t, env, "socket", true)
	terminal, plain := env.Bundle(harness.Terminal), env.Bundle()
	for _, args := range [][]string{
		{"create", "--bundle", terminal.Dir, "--console-socket", socket},
		{"create", "--bundle", plain.Dir, "--pidfd-socket", socket},
		{"run", "-d", "--bundle", plain.Dir, "--pidfd-socket", socket},
	} {
		began := time.Now()
		env.Call(append(append([]string{"--timeout", soon}, args...), env.ID())...).WantError(t, 1, "the other side does not answer, in "+soon)
		wantBounded(t, began)
		wantNothingLeft(t, env)
	}
}

// TestBusStuck: a systemd that takes no calls, or no more connections, or that
// floods.
func TestBusStuck(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/run/systemd/private"); err == nil {
		require.View(t) // it would be asked first
	}
	env := harness.New(t)
	for what, path := range map[string]string{
		"full":  deaf(t, env, "full", true),
		"deaf":  deaf(t, env, "deaf", false),
		"flood": flood(t, env),
	} {
		t.Run(what, func(t *testing.T) {
			bundle := env.Bundle(func(c *specs.Spec) { c.Linux.CgroupsPath = "test.slice:x:" + env.ID() })
			call := env.Command("--timeout", soon, "--systemd-cgroup", "create", "--bundle", bundle.Dir, env.ID())
			call.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+path)
			began := time.Now()
			parts := []string{"connect to systemd at"}
			if what == "deaf" {
				parts = append(parts, "systemd did not answer in "+soon, fmt.Sprintf("process %d", os.Getpid()))
			}
			call.Run().WantError(t, 1, parts...)
			wantBounded(t, began)
			wantNothingLeft(t, env)
		})
	}
}

// flood is a socket on which whoever connects gets more than he can want.
func flood(t *testing.T, env *harness.Env) string {
	t.Helper()
	path := env.File("flood")
	l, err := net.Listen("unix", path)
	check(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				junk := []byte(strings.Repeat("OK junk", 1<<10))
				for err == nil {
					_, err = c.Write(junk)
				}
			}()
		}
	}()
	return path
}

// TestSilentFIFO: a FIFO in the place of a file that nobody writes, or reads.
func TestSilentFIFO(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Forever)).Start()
	fifo := env.File("fifo")
	check(t, unix.Mkfifo(fifo, 0o600))
	bundle := env.Bundle()
	copied := env.Bundle(addHook("createRuntime", shellHook("true")),
		func(c *specs.Spec) { c.Annotations = map[string]string{"run.oci.hooks.stdout": fifo} })
	for what, args := range map[string][]string{
		"update":      {"update", "--resources", fifo, c.ID},
		"exec":        {"exec", "--process", fifo, c.ID},
		"config":      {"create", "--config", fifo, "--bundle", bundle.Dir, env.ID()},
		"log":         {"--log", fifo, "state", c.ID},
		"hook output": {"create", "--bundle", copied.Dir, env.ID()},
	} {
		began := time.Now()
		if r := env.Call(append([]string{"--timeout", soon}, args...)...); r.Code == 0 || r.Signal != 0 || !strings.Contains(r.Stderr, fifo) {
			t.Errorf("%s: %s", what, r)
		}
		wantBounded(t, began)
	}
	// One with a writer who takes his time is read to the end.
	go func() {
		time.Sleep(100 * time.Millisecond)
		_ = os.WriteFile(fifo, []byte(`{"args":["/bin/echo","ran"],"cwd":"/"}`), 0o600)
	}()
	wantRan(t, env.Call("exec", "--process", fifo, c.ID))
}

// TestReaderGone: an engine that has closed its end of stderr, or of the log,
// or reads it no more, loses messages and nothing else.
func TestReaderGone(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"closed", "full", "none"} {
		for _, log := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, log %v", what, log), func(t *testing.T) {
				t.Parallel()
				env := harness.New(t)
				fifo := env.File("fifo")
				check(t, unix.Mkfifo(fifo, 0o600))
				reader, err := os.OpenFile(fifo, os.O_RDWR, 0)
				check(t, err)
				writer, err := os.OpenFile(fifo, os.O_WRONLY, 0)
				check(t, err)
				defer writer.Close()
				if what == "full" {
					fd := int(writer.Fd()) // which makes it block, each time
					check(t, unix.SetNonblock(fd, true))
					for err = nil; err == nil; {
						_, err = unix.Write(fd, make([]byte, 4096))
					}
					check(t, unix.SetNonblock(fd, false))
					defer reader.Close()
				} else {
					check(t, reader.Close())
				}
				global := []string{"--timeout", soon, "--debug"}
				if log {
					global = append(global, "--log", "/proc/self/fd/2")
				}
				call := func(args ...string) harness.Result {
					c := env.Command(append(global, args...)...)
					c.Stderr = writer
					if what == "none" {
						c.Args = append([]string{"-c", `exec "$0" "$@" 2>&- `, c.Binary}, c.Args...)
						c.Binary = "/bin/sh"
					}
					return c.Run()
				}
				lost := what != "full" && log // to open what nobody reads is an error
				good, bad := env.Bundle(), env.Bundle(harness.Args("/none"))
				id := env.ID()
				for _, step := range []struct {
					args []string
					code int
				}{
					{[]string{"create", "--bundle", bad.Dir, env.ID()}, 1},
					{[]string{"create", "--bundle", good.Dir, id}, 0},
					{[]string{"start", id}, 0},
					{[]string{"delete", "--force", id}, 0},
				} {
					r := call(step.args...)
					if lost && r.Code == 1 {
						continue
					}
					if r.Signal != 0 || r.Code != step.code {
						t.Errorf("want exit code %d: %s", step.code, r)
					}
				}
				_ = harness.Eventually(harness.Timeout(), func() bool { return len(env.Leftovers()) == 0 })
				wantNothingLeft(t, env)
			})
		}
	}
}
