package tests

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// These tests have CRIU do what it is asked for. Where it cannot, they are
// skipped: tests/vm/suite.sh -run TestCheckpoint has a kernel that it knows.

// counter counts in a file of a tmpfs, which is part of the images.
var counter = harness.Shell(`trap 'exit 7' TERM; i=0; echo ready; while :; do i=$((i+1)); echo $i >/count/new; mv /count/new /count/n; usleep 20000; done`)

var countMount = specs.Mount{Destination: "/count", Type: "tmpfs", Source: "tmpfs"}

// counting starts a container with the counter.
func counting(env *harness.Env, edits ...harness.Edit) *harness.Container {
	env.T.Helper()
	return logged(env, env.Bundle(append([]harness.Edit{counter, harness.Mounted(countMount)}, edits...)...))
}

// logged starts a container that writes to a log, as engines have one: CRIU does
// not compare the length of a file that is only appended to. It waits for "ready".
func logged(env *harness.Env, b *harness.Bundle) *harness.Container {
	env.T.Helper()
	log, err := os.OpenFile(b.Dir+"/log", os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	check(env.T, err)
	defer log.Close()
	run := env.Command("run", "--detach", "--bundle", b.Dir, env.ID())
	run.Stdout, run.Stderr = log, log
	c := env.Adopt(run, b)
	check(env.T, harness.Eventually(harness.Timeout(), func() bool { return strings.Contains(read(env.T, log.Name()), "ready") }))
	return c
}

// count is how far a container has counted, once it has begun.
func count(t *testing.T, c *harness.Container) (n int) {
	t.Helper()
	err := harness.Eventually(harness.Timeout(), func() bool {
		text, err := os.ReadFile(c.Proc("root/count/n"))
		if err == nil {
			n, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err == nil
	})
	if err != nil {
		t.Fatalf("no count: %v", err)
	}
	return n
}

// wantCounting fails the test unless the container goes on from at least n.
func wantCounting(t *testing.T, c *harness.Container, n int) {
	t.Helper()
	now := count(t, c)
	if now < n {
		t.Errorf("it counts from %d, and had been at %d", now, n)
	}
	if err := harness.Eventually(harness.Timeout(), func() bool { return count(t, c) > now }); err != nil {
		t.Errorf("it does not count on from %d", now)
	}
}

// imagesOf is a directory for the images of a test.
func imagesOf(env *harness.Env) string { return env.File("images") }

// checkpoint checkpoints a container, and shows the log if that fails.
func checkpoint(t *testing.T, env *harness.Env, c *harness.Container, flags ...string) {
	t.Helper()
	r := c.Call("checkpoint", append([]string{"--image-path", imagesOf(env)}, flags...)...)
	wantDone(t, r, imagesOf(env)+"/dump.log")
}

// wantDone fails the test unless CRIU has succeeded.
func wantDone(t *testing.T, r harness.Result, log string) {
	t.Helper()
	if r.Code != 0 || r.Stderr != "" {
		text, _ := os.ReadFile(log)
		lines := strings.Split(string(text), "\n")
		t.Fatalf("%s\n%s", r, strings.Join(lines[max(0, len(lines)-25):], "\n"))
	}
}

// checkpointed is a counting container that is gone, but for its images.
func checkpointed(t *testing.T, env *harness.Env) *harness.Container {
	t.Helper()
	c := counting(env)
	checkpoint(t, env, c)
	c.Wait()
	return c
}

// restored restores a container from the test's images in a bundle, detached.
func restored(env *harness.Env, b *harness.Bundle, flags ...string) *harness.Container {
	env.T.Helper()
	args := append([]string{"restore", "--detach", "--bundle", b.Dir, "--image-path", imagesOf(env)}, flags...)
	c := env.Command(append(args, env.ID())...)
	container := env.Container(c.ID(), b)
	wantDone(env.T, c.Run(), imagesOf(env)+"/restore.log")
	container.Pid = container.State().Pid
	return container
}

// TestCheckpointCounter: the processes go on from where they were, under another
// id, in another bundle, cgroup and root; with what is bound there now, by a link.
func TestCheckpointCounter(t *testing.T) {
	t.Parallel()
	require.CRIU(t)
	env := harness.New(t)
	check(t, os.MkdirAll(env.File("first"), 0o755))
	check(t, os.MkdirAll(env.File("second"), 0o755))
	write(t, env.File("first/name"), "first")
	write(t, env.File("second/name"), "second")
	check(t, os.Symlink("second", env.File("link")))
	c := counting(env, harness.Mounted(bind(env.File("first"), "/host", "bind", "ro")))
	n, work := count(t, c), env.File("work")
	wantDone(t, c.Call("checkpoint", "--image-path", imagesOf(env), "--work-path", work), work+"/dump.log")
	c.Wait()
	c.Call("state").WantError(t, 1, "does not exist")
	bundle := env.Bundle(counter, harness.Mounted(countMount, bind(env.File("link"), "/host", "bind", "ro")))
	pidFile := env.File("pid")
	again := restored(env, bundle, "--pid-file", pidFile)
	wantFile(t, pidFile, strconv.Itoa(again.Pid))
	again.WantStatus("running")
	wantCounting(t, again, n)
	wantFile(t, again.Proc("root/host/name"), "second")
	if dir := again.CgroupDir("pids"); filepath.Base(dir) != filepath.Base(bundle.Config().Linux.CgroupsPath) {
		t.Errorf("it is in the cgroup %s", dir)
	}
	want(t, "root", again.State().Rootfs, bundle.Rootfs())
	want(t, "output of exec", again.Exec("cat", "/proc/1/comm").WantCode(t, 0).Stdout, "sh\n")
	again.Stop()
	again.Delete()
}

// TestCheckpointLeaveRunning: the container goes on, and so does what is restored
// beside it; one that is paused stays so.
func TestCheckpointLeaveRunning(t *testing.T) {
	t.Parallel()
	require.CRIU(t)
	env := harness.New(t)
	c := counting(env)
	checkpoint(t, env, c, "--leave-running")
	c.WantStatus("running")
	n := count(t, c)
	wantCounting(t, c, n)
	again := restored(env, env.Bundle(counter, harness.Mounted(countMount)))
	wantCounting(t, again, 1)
	wantCounting(t, c, n)

	c.Call("pause").WantCode(t, 0)
	wantDone(t, c.Call("checkpoint", "--image-path", env.File("paused"), "--leave-running"), env.File("paused/dump.log"))
	c.WantStatus("paused")
	c.Call("resume").WantCode(t, 0)
	wantCounting(t, c, n)
}

// TestCheckpointPreDump: memory is written in rounds, and the last has the rest.
func TestCheckpointPreDump(t *testing.T) {
	t.Parallel()
	require.CRIU(t)
	env := harness.New(t)
	c := counting(env)
	first := env.File("first")
	wantDone(t, c.Call("checkpoint", "--image-path", first, "--pre-dump"), first+"/dump.log")
	c.WantStatus("running")
	if _, err := os.Stat(first + "/descriptors.json"); err == nil {
		t.Error("a pre-dump looks like a whole checkpoint")
	}
	second := env.File("second")
	wantDone(t, c.Call("checkpoint", "--image-path", second, "--pre-dump", "--parent-path", "../first"), second+"/dump.log")
	n := count(t, c)
	checkpoint(t, env, c, "--parent-path", "../second")
	if link, err := os.Readlink(imagesOf(env) + "/parent"); err != nil || link != "../second" {
		t.Errorf("parent of the images: %q, %v", link, err)
	}
	c.Wait()
	wantCounting(t, restored(env, c.Bundle), n)
}

// TestCheckpointForeground: restore is what run is: it passes signals on, returns
// the exit code of the process, and deletes the container.
func TestCheckpointForeground(t *testing.T) {
	t.Parallel()
	require.CRIU(t)
	env := harness.New(t)
	c := checkpointed(t, env)
	restore := env.Command("restore", "--bundle", c.Bundle.Dir, "--image-path", imagesOf(env), c.ID)
	process := restore.Start()
	check(t, harness.Eventually(harness.Timeout(), func() bool {
		return !process.Running() || strings.Contains(env.Call("state", c.ID).Stdout, `"running"`)
	}))
	process.Signal(syscall.SIGTERM)
	process.Wait().WantCode(t, 7)
	env.Call("state", c.ID).WantError(t, 1, "does not exist")
}

// TestCheckpointTerminal: the terminal of a restored container goes to the
// console socket, and its program reads from it.
func TestCheckpointTerminal(t *testing.T) {
	t.Parallel()
	require.CRIU(t)
	env := harness.New(t)
	c, console, _ := createWithConsole(env, harness.Shell(`echo ready; while read x; do echo got $x; done`))
	c.Start()
	console.WaitFor("ready\r\n")
	checkpoint(t, env, c)
	c.Wait()
	console.Close()
	socket := env.FDSocket()
	again := restored(env, c.Bundle, "--console-socket", socket.Path)
	master, _ := socket.Receive()
	second := env.Console(master)
	second.Write("word\n")
	second.WaitFor("got word\r\n")
	again.WantStatus("running")
}

// TestCheckpointTCP: an open connection within the container survives, where that
// is asked for, and is the reason where not.
func TestCheckpointTCP(t *testing.T) {
	t.Parallel()
	require.CRIU(t)
	env := harness.New(t)
	// What one of both reads is what the other hears. nc listens by IPv6.
	script := `mkfifo /count/talk; exec 3<>/count/talk
		seen() { until grep -q ":04D2 .* $1 " /proc/net/tcp /proc/net/tcp6; do usleep 10000; done; }
		nc -l -p 1234 <&3 >/count/heard & seen 0A
		nc 127.0.0.1 1234 <&3 & seen 01; echo ready; wait`
	c := logged(env, env.Bundle(harness.Shell(script), harness.Mounted(countMount)))
	r := c.Call("checkpoint", "--image-path", imagesOf(env))
	r.WantError(t, 1, "--tcp-established", "Connected TCP socket", "log: "+imagesOf(env)+"/dump.log")
	c.WantStatus("running")
	checkpoint(t, env, c, "--tcp-established")
	c.Wait()
	again := restored(env, c.Bundle, "--tcp-established")
	again.ExecShell(`until grep -q word /count/heard; do echo word >/count/talk; usleep 10000; done`).WantCode(t, 0)
}

// TestCheckpointFileLocks: locks come back, where they are asked for.
func TestCheckpointFileLocks(t *testing.T) {
	t.Parallel()
	require.CRIU(t)
	env := harness.New(t)
	// busybox has no program that keeps a lock; the host's wants its libraries.
	const flock = "/usr/bin/flock"
	edits := []harness.Edit{harness.Mounted(countMount),
		harness.Args(flock, "/count/lock", "sh", "-c", "echo ready; while :; do sleep 1000; done")}
	for _, dir := range []string{"/usr", "/lib", "/lib64"} {
		edits = append(edits, harness.Mounted(bind(dir, dir, "bind", "ro")))
	}
	c := logged(env, env.Bundle(edits...))
	c.Call("checkpoint", "--image-path", imagesOf(env)).WantError(t, 1, "--file-locks")
	c.WantStatus("running")
	checkpoint(t, env, c, "--file-locks")
	c.Wait()
	again := restored(env, c.Bundle, "--file-locks")
	again.Exec(flock, "-n", "/count/lock", "true").WantCode(t, 1)
	again.Exec(flock, "-n", "/count/other", "true").WantCode(t, 0)
}

// TestCheckpointNetwork: a network namespace of others is joined again, another
// one if the bundle says so.
func TestCheckpointNetwork(t *testing.T) {
	t.Parallel()
	require.CRIU(t)
	env := harness.New(t)
	holder, other := env.Holder(syscall.CLONE_NEWNET), env.Holder(syscall.CLONE_NEWNET)
	c := counting(env, harness.Namespace("network", harness.NamespacePath(holder, "net")))
	n := count(t, c)
	checkpoint(t, env, c)
	c.Wait()
	c.Bundle.Edit(harness.Namespace("network", harness.NamespacePath(other, "net")))
	again := restored(env, c.Bundle)
	wantCounting(t, again, n)
	ours, err := os.Readlink(again.Proc("ns/net"))
	check(t, err)
	theirs, err := os.Readlink(harness.NamespacePath(other, "net"))
	check(t, err)
	want(t, "network namespace", ours, theirs)
}

// TestCheckpointHooks: hooks outside of the container see it restored, and
// poststop hooks that a checkpoint has ended it. What the hooks inside have done
// is in the images.
func TestCheckpointHooks(t *testing.T) {
	t.Parallel()
	require.CRIU(t)
	env := harness.New(t)
	log := env.File("log")
	bundle := env.Bundle(counter, harness.Mounted(countMount),
		everyHook(`echo $KIND $(sed -n 's/.*"status":"\([a-z]*\)".*/\1/p') >>`+log))
	checkpointed(t, env)
	again := restored(env, bundle)
	wantFile(t, log, "prestart creating\ncreateRuntime creating\npoststart running\n")
	wantDone(t, again.Call("checkpoint", "--image-path", env.File("more")), env.File("more/dump.log"))
	again.Wait()
	wantFile(t, log, "prestart creating\ncreateRuntime creating\npoststart running\npoststop stopped\n")
}

// TestCheckpointLimits: a restored container has the limits of its bundle, which
// may be too tight for CRIU itself.
func TestCheckpointLimits(t *testing.T) {
	t.Parallel()
	require.CRIU(t)
	require.Controller(t, "pids")
	env := harness.New(t)
	c := checkpointed(t, env)
	c.Bundle.Edit(func(s *specs.Spec) {
		s.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: harness.Pointer(int64(5))}}
	})
	again := restored(env, c.Bundle)
	want(t, "limit", again.Setting("pids", "pids.max", "pids.max"), "5")
	wantCounting(t, again, 1)
}

// TestCheckpointRestoreFails: a restore that fails leaves nothing but its log,
// which its message names.
func TestCheckpointRestoreFails(t *testing.T) {
	t.Parallel()
	require.CRIU(t)
	env := harness.New(t)
	c := checkpointed(t, env)
	check(t, os.Remove(imagesOf(env)+"/inventory.img"))
	r := env.Call("restore", "--bundle", c.Bundle.Dir, "--image-path", imagesOf(env), c.ID)
	r.WantError(t, 1, "criu restore: ", "Error (", "log: "+imagesOf(env)+"/restore.log")
	want(t, "code", r.ErrorCode(), "criu-failed")
	env.Call("state", c.ID).WantError(t, 1, "does not exist")
}
