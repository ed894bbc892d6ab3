package tests

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/view"
)

// loadEnv is how long TestLoad works, "10m", instead of a few seconds, and makes
// TestManyAlive keep a thousand containers.
const loadEnv = "TEST_LOAD"

// TestManyAlive: many containers at once, each listed, none of which keeps a
// process of the runtime's own but the one that waits.
func TestManyAlive(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	n := 30
	if os.Getenv(loadEnv) != "" {
		n = 1000
	}
	bundle := env.Bundle()
	ids := make([]string, n)
	before := available(t)
	for i := range ids {
		ids[i] = env.ID()
		own := bundleFor(t, env, bundle, ids[i])
		env.Call("create", "--bundle", own, ids[i]).WantCode(t, 0)
	}
	used := before - available(t)
	list := strings.Fields(env.Call("list", "--quiet").WantCode(t, 0).Stdout)
	want(t, "containers in the list", len(list), n)
	table := env.Call("list").WantCode(t, 0).Stdout
	want(t, "created ones", strings.Count(table, " created "), n)
	var resident, private int
	processes := env.Processes()
	for _, pid := range processes {
		resident += kilobytes(t, "/proc/"+strconv.Itoa(pid)+"/status", "VmRSS")
		private += kilobytes(t, "/proc/"+strconv.Itoa(pid)+"/smaps_rollup", "Private_Dirty")
	}
	want(t, "processes", len(processes), n)
	t.Logf("%d created containers: per container %d kB resident, %d kB of its own; %d kB less available on the host with namespaces and cgroups",
		n, resident/n, private/n, used/n)
	if private/n > 200 {
		t.Errorf("a waiting process has %d kB of its own", private/n)
	}
	for _, id := range ids {
		env.Call("delete", "--force", id).WantCode(t, 0)
		view.ReapOrphans()
	}
	want(t, "list", env.Call("list", "--quiet").WantCode(t, 0).Stdout, "")
	wantNothingLeft(t, env)
}

// bundleFor is a bundle like the other one for one more container: the same root
// file system, another cgroup.
func bundleFor(t *testing.T, env *harness.Env, bundle *harness.Bundle, id string) string {
	t.Helper()
	dir := env.File("bundle-" + id)
	check(t, os.MkdirAll(dir, 0o755))
	config := bundle.Config()
	config.Root.Path = bundle.Rootfs()
	config.Linux.CgroupsPath = "/" + id
	own := *bundle
	own.Dir = dir
	own.SetConfig(config)
	return dir
}

// available is the memory that the host has left, in kB.
func available(t *testing.T) int {
	t.Helper()
	return kilobytes(t, "/proc/meminfo", "MemAvailable")
}

// kilobytes reads a field like "VmRSS:  20 kB"; 0 if the process is gone.
func kilobytes(t *testing.T, path, field string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSuffix(statusField(t, string(text), field), " kB"))
	check(t, err)
	return n
}

// TestLoad: eight callers make, use and delete containers at the same time, and
// calls are killed at random. `list` is right all the while, and afterwards the
// host holds nothing that it did not hold before.
func TestLoad(t *testing.T) {
	t.Parallel()
	duration := 4 * time.Second
	if text := os.Getenv(loadEnv); text != "" {
		var err error
		duration, err = time.ParseDuration(text)
		check(t, err)
	}
	env := harness.New(t)
	load := &load{env: env, binary: harness.Binary(t), bundle: env.Bundle(harness.Forever), end: time.Now().Add(duration)}
	slots := make([]string, 8)
	for i := range slots {
		slots[i] = env.ID()
		load.dirs = append(load.dirs, bundleFor(t, env, load.bundle, slots[i]))
	}
	files, mounts := openFiles(t), strings.Count(read(t, "/proc/self/mountinfo"), "\n")
	var work sync.WaitGroup
	for i, id := range slots {
		work.Go(func() { load.loop(i, id) })
	}
	work.Go(func() { load.watch(slots) })
	work.Wait()
	for _, err := range load.errors {
		t.Error(err)
	}
	if os.Getenv(loadEnv) != "" { // then no other test is at work in the view
		want(t, "open files of the caller", openFiles(t), files)
	}
	for _, id := range slots {
		deleteByForce(t, env, id)
	}
	t.Logf("%s: %d lives, %d calls, %d of them killed, %d lists", duration, load.lives, load.calls, load.killed, load.lists)
	if load.lives == 0 || load.killed == 0 || load.lists == 0 {
		t.Error("there was no load")
	}
	wantNothingLeft(t, env)
	want(t, "mounts", strings.Count(read(t, "/proc/self/mountinfo"), "\n"), mounts)
	entries, err := os.ReadDir(env.Root)
	check(t, err)
	want(t, "entries of the root", len(entries), 0)
}

// load is what the callers share.
type load struct {
	env    *harness.Env
	binary string
	bundle *harness.Bundle
	dirs   []string
	end    time.Time

	mu                          sync.Mutex
	errors                      []error
	lives, calls, killed, lists int
}

func (l *load) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.errors) < 20 {
		l.errors = append(l.errors, fmt.Errorf(format, args...))
	}
}

// loop leads one container through its life again and again.
func (l *load) loop(slot int, id string) {
	for time.Now().Before(l.end) {
		whole := true
		for _, args := range [][]string{
			{"create", "--bundle", l.dirs[slot], id},
			{"start", id},
			{"exec", id, "/bin/true"},
			{"update", "--pids-limit", "100", id},
			{"kill", id, "KILL"},
		} {
			if args[0] == "update" && !view.HasControllerV1("pids") && !view.HasControllerV2("pids") {
				continue // this view cannot limit processes
			}
			killed, err := l.call(rand.IntN(12) == 0, args...)
			if killed {
				whole = false
				break
			}
			if err != nil {
				l.fail("%v: %w", args, err)
				break
			}
		}
		for try := 0; ; try++ {
			killed, err := l.call(rand.IntN(12) == 0, "delete", "--force", id)
			view.ReapOrphans()
			if !killed && err == nil {
				break
			}
			if !killed && try > 3 {
				l.fail("delete --force: %w", err)
				return
			}
		}
		l.mu.Lock()
		if whole {
			l.lives++
		}
		l.mu.Unlock()
	}
}

// call runs the runtime, or kills it at some moment. The output is a file: what
// outlives the call would keep a pipe open.
func (l *load) call(kill bool, args ...string) (killed bool, err error) {
	output, err := os.CreateTemp(l.env.Dir, "output")
	if err != nil {
		return false, err
	}
	defer os.Remove(output.Name())
	defer output.Close()
	cmd := exec.Command(l.binary, append([]string{"--root", l.env.Root}, args...)...)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		return false, err
	}
	if kill {
		time.Sleep(time.Duration(rand.Int64N(int64(30 * time.Millisecond)))) // early, late and in between
		_ = cmd.Process.Kill()
	}
	err = cmd.Wait()
	l.mu.Lock()
	l.calls++
	l.mu.Unlock()
	if cmd.ProcessState == nil {
		return false, err
	}
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() && status.Signal() == unix.SIGKILL {
		l.mu.Lock()
		l.killed++
		l.mu.Unlock()
		return true, nil
	}
	if err != nil {
		text, _ := os.ReadFile(output.Name())
		return false, errors.New(err.Error() + ": " + string(text))
	}
	return false, nil
}

// watch lists the containers all the while. One that is in the list belongs to a
// caller, and has a status.
func (l *load) watch(slots []string) {
	_ = harness.Eventually(harness.Timeout(), func() bool { _, err := os.Stat(l.env.Root); return err == nil })
	known := " " + strings.Join(slots, " ") + " "
	for time.Now().Before(l.end) {
		cmd := exec.Command(l.binary, "--root", l.env.Root, "list")
		text, err := cmd.CombinedOutput()
		if err != nil {
			l.fail("list: %v: %s", err, text)
		}
		for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
			f := strings.Fields(line)
			if i == 0 && len(f) > 0 && f[0] == "ID" {
				continue
			}
			if len(f) < 3 || !strings.Contains(known, " "+f[0]+" ") || !strings.Contains("creating created running stopped paused", f[2]) {
				l.fail("list says %q", line)
			}
		}
		l.mu.Lock()
		l.lists++
		l.mu.Unlock()
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	check(t, err)
	return len(entries)
}
