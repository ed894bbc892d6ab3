package tests

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ociruntime/tests/harness"
	"ociruntime/tests/view"
)

// An engine that is cancelled kills the runtime in the middle of a call.
// Whatever that leaves, `delete --force` cleans up and the id is free again.

// killRuntime kills the runtime process alone, not its children, and collects
// what it was.
func killRuntime(p *harness.Process) {
	p.Signal(syscall.SIGKILL)
	p.Wait()
}

// wantCleanable deletes a half-made container by force and expects nothing to
// be left and the id to be usable.
func wantCleanable(t *testing.T, env *harness.Env, bundle *harness.Bundle, id string) {
	t.Helper()
	env.Call("delete", "--force", id).WantCode(t, 0)
	var left []string
	if harness.Eventually(harness.Timeout(), func() bool { left = env.Leftovers(); return len(left) == 0 }) != nil {
		t.Fatalf("after delete --force: %q", left)
	}
	again := env.Bundle()
	env.Call("run", "--bundle", again.Dir, id).WantQuiet(t)
}

// TestCreateKilledInHook: killed at a known point, when mounts are made and the
// root is not.
func TestCreateKilledInHook(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"prestart", "createRuntime", "createContainer"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			bundle := env.Bundle()
			bundle.Edit(addHook(kind, shellHook("echo $$ >"+env.File("reached.new")+"; mv "+env.File("reached.new")+" "+env.File("reached")+"; exec sleep 1000")))
			id := env.ID()
			create := env.Command("create", "--bundle", bundle.Dir, id).Start()
			waitForFile(t, env.File("reached"))
			if r := env.Call("list"); r.Code != 0 || !strings.Contains(r.Stdout, id) {
				t.Errorf("list while creating: %s", r)
			}
			killRuntime(create)
			if r := env.Call("state", id); r.Code == 0 && strings.Contains(r.Stdout, `"status": "created"`) {
				t.Errorf("a half-made container shows as created: %s", r)
			}
			wantCleanable(t, env, bundle, id)
		})
	}
}

func waitForFile(t *testing.T, path string) {
	t.Helper()
	if harness.Eventually(harness.Timeout(), func() bool { _, err := os.Stat(path); return err == nil }) != nil {
		t.Fatalf("%s did not appear", path)
	}
}

// TestCreateKilledAnytime: killed after a time that differs from try to try.
func TestCreateKilledAnytime(t *testing.T) {
	t.Parallel()
	for n := range 12 {
		delay := time.Duration(n) * 1500 * time.Microsecond
		t.Run(delay.String(), func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			bundle := env.Bundle()
			id := env.ID()
			create := env.Command("create", "--bundle", bundle.Dir, id).Start()
			time.Sleep(delay) // the point is to be early, late and in between
			killRuntime(create)
			wantCleanable(t, env, bundle, id)
		})
	}
}

// TestDeleteKilledInPoststop: the container is no more, and its hooks are not
// forgotten: the next delete runs them, by force or not, even when the id has
// been taken anew meanwhile.
func TestDeleteKilledInPoststop(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"delete"}, {"delete", "--force"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			c := env.Create(env.Bundle(addHook("poststop", shellHook(
				"echo $$ >>"+env.File("ran")+"; [ $(wc -l <"+env.File("ran")+") = 2 ] || exec sleep 1000"))))
			c.Stop()
			first := env.Command("delete", c.ID).Start()
			waitForFile(t, env.File("ran"))
			c.Call("state").WantError(t, 1, "does not exist")
			killRuntime(first)
			env.Call("run", "--bundle", env.Bundle().Dir, c.ID).WantQuiet(t)
			env.Call(append(args, c.ID)...).WantQuiet(t)
			want(t, "runs of the hook", strings.Count(read(t, env.File("ran")), "\n"), 2)
			wantNothingLeft(t, env)
		})
	}
}

// TestRunnerKilled: a foreground run that is killed leaves a running container,
// which can be listed and deleted.
func TestRunnerKilled(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Forever)
	run := env.RunCommand(bundle)
	process := run.Start()
	process.WaitStdout("ready")
	killRuntime(process)
	c := env.Container(run.ID(), bundle)
	c.WantStatus("running")
	wantCleanable(t, env, bundle, run.ID())
}

// TestCreateTwice: of two calls with one id at the same time, one wins.
func TestCreateTwice(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	one, two := env.Bundle(), env.Bundle()
	id := env.ID()
	var started [2]*harness.Process
	for i, bundle := range []*harness.Bundle{one, two} {
		started[i] = env.Command("create", "--bundle", bundle.Dir, id).Start()
	}
	c := env.Container(id, one)
	codes := started[0].Wait().Code + started[1].Wait().Code
	if codes != 1 {
		t.Fatalf("exit codes %d and %d, want one 0 and one 1", started[0].Wait().Code, started[1].Wait().Code)
	}
	c.WantStatus("created")
}

// TestVerbsAtOnce: start, kill, state and delete of one container from many
// callers at once never end in anything but success or a plain refusal.
func TestVerbsAtOnce(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Shell("exec sleep 1000")))
	calls := [][]string{{"state", c.ID}, {"start", c.ID}, {"kill", c.ID, "KILL"}, {"delete", "-f", c.ID}, {"state", c.ID}, {"list"}, {"delete", "-f", c.ID}}
	results := make([]*harness.Process, len(calls))
	for i, args := range calls {
		results[i] = env.Command(args...).Start()
	}
	for _, p := range results {
		if r := p.Wait(); r.Code > 1 || r.Signal != 0 || strings.Contains(r.Stderr, "goroutine") {
			t.Error(r)
		}
	}
}

// TestDamagedState: state files that nobody can read can still be deleted.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"empty": "", "truncated": "{\"id\":", "another type": "[]", "rubbish": "\x00\x01\x02"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			c := env.Create(env.Bundle())
			file := filepath.Join(env.Root, c.ID, "state.json")
			good := read(t, file)
			write(t, file, text)
			c.Call("state").WantError(t, 1, c.ID)
			// With its state gone, nothing tells what belongs to the container;
			// what is asked for is that the entry can be deleted.
			write(t, file, good)
			c.Delete()

			entry := filepath.Join(env.Root, env.ID())
			check(t, os.MkdirAll(entry, 0o711))
			write(t, filepath.Join(entry, "state.json"), text)
			env.Call("delete", "--force", filepath.Base(entry)).WantCode(t, 0)
		})
	}
}

// TestRecycledPid: a PID in the state that now belongs to somebody else is
// never signalled: the container has stopped.
func TestRecycledPid(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle())
	victim := 0
	_ = harness.Eventually(harness.Timeout(), func() bool {
		victim = env.Holder(0) // two processes of one clock tick look alike
		return startTime(t, victim) != startTime(t, c.Pid)
	})
	c.Stop()
	file := filepath.Join(env.Root, c.ID, "state.json")
	text := read(t, file)
	forged := replaceNumber(text, c.Pid, victim)
	if forged == text {
		t.Skip("the state does not hold the PID as a number")
	}
	check(t, os.WriteFile(file, []byte(forged), 0o600))
	want(t, "status", c.State().Status, "stopped")
	env.Call("kill", c.ID, "KILL").WantError(t, 1, "container not running")
	c.Delete()
	if !view.Alive(victim) {
		t.Error("the process that got the PID was killed")
	}
}

// startTime is field 22 of proc_pid_stat(5), in clock ticks.
func startTime(t *testing.T, pid int) string {
	t.Helper()
	stat := read(t, "/proc/"+strconv.Itoa(pid)+"/stat")
	return strings.Fields(stat[strings.LastIndexByte(stat, ')'):])[22-2]
}

// replaceNumber replaces a whole number in a JSON text.
func replaceNumber(text string, before, after int) string {
	digits := strconv.Itoa(before)
	for i := 0; ; {
		at := strings.Index(text[i:], digits)
		if at < 0 {
			return text
		}
		at += i
		end := at + len(digits)
		isDigit := func(i int) bool { return i >= 0 && i < len(text) && text[i] >= '0' && text[i] <= '9' }
		if !isDigit(at-1) && !isDigit(end) && text[at-1] != '"' {
			return text[:at] + strconv.Itoa(after) + text[end:]
		}
		i = end
	}
}

// TestCallerUmask: the caller's umask decides nothing but the program's own.
func TestCallerUmask(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Mounted(tmpfs("/made/here")), harness.Shell("stat -c %a /dev/null /made /dev/shm; umask"))
	run := env.RunCommand(bundle)
	run.Args = append([]string{"-c", `umask 0777; exec "$0" "$@"`, run.Binary}, run.Args...)
	run.Binary = "/bin/sh"
	want(t, "output", run.Run().WantCode(t, 0).Stdout, "666\n755\n1777\n0777\n")
}
