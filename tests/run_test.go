package tests

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/view"
)

// TestRunExitCode: in the foreground, run's exit code is the program's, or
// 128 plus the number of the signal that ended it.
func TestRunExitCode(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		script string
		code   int
	}{
		{"true", "exit 0", 0},
		{"one", "exit 1", 1},
		{"seven", "exit 7", 7},
		{"255", "exit 255", 255},
		{"SIGSEGV in a child", "sh -c 'kill -SEGV $$'; exit $?", 139},
		{"SIGKILL in a child", "sh -c 'kill -KILL $$'; exit $?", 137},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			env.Run(env.Bundle(harness.Shell(c.script))).WantCode(t, c.code)
		})
	}
}

// TestRunKilled: PID 1 of a PID namespace ignores signals from inside, so the
// signal comes from the host.
func TestRunKilled(t *testing.T) {
	t.Parallel()
	for _, signal := range []string{"KILL", "TERM", "ABRT"} {
		t.Run(signal, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			// Not PID 1 of its namespace, so that every signal has its default effect.
			bundle := env.Bundle(harness.Shell("echo ready; exec sleep 1000"), harness.WithoutNamespace(specs.PIDNamespace))
			run := env.RunCommand(bundle)
			process := run.Start()
			process.WaitStdout("ready")
			env.Call("kill", run.ID(), signal).WantQuiet(t)
			number := map[string]int{"KILL": 9, "TERM": 15, "ABRT": 6}[signal]
			process.Wait().WantCode(t, 128+number)
		})
	}
}

// TestRunForwardsSignals: what the foreground run receives, the program gets.
func TestRunForwardsSignals(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Shell(`
		for s in HUP INT USR1 USR2; do trap "echo got $s" $s; done
		trap 'echo got TERM; exit 3' TERM
		echo ready; while :; do sleep 1000 & wait $!; done`))
	process := env.RunCommand(bundle).Start()
	process.WaitStdout("ready")
	signals := []struct {
		number syscall.Signal
		name   string
	}{{syscall.SIGHUP, "HUP"}, {syscall.SIGINT, "INT"}, {syscall.SIGUSR1, "USR1"}, {syscall.SIGUSR2, "USR2"},
		{syscall.SIGTERM, "TERM"}}
	for _, s := range signals {
		process.Signal(s.number)
		process.WaitStdout("got " + s.name)
	}
	process.Wait().WantCode(t, 3)
}

// TestRunStdio: the program has the caller's own stdin, stdout and stderr, not
// copies in between.
func TestRunStdio(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Shell(`cat; echo problem >&2
		inodes=$(stat -L -c '%d:%i' /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2); echo "$inodes" >/tmp/inodes`))
	in, out, errors := file(t, env, "in"), file(t, env, "out"), file(t, env, "err")
	_, err := in.WriteString("question\n")
	check(t, err)
	_, err = in.Seek(0, 0)
	check(t, err)

	run := env.RunCommand(bundle)
	run.Stdin, run.Stdout, run.Stderr = in, out, errors
	run.Run().WantCode(t, 0)
	wantFile(t, env.File("out"), "question\n")
	wantFile(t, env.File("err"), "problem\n")
	var want strings.Builder
	for _, f := range []*os.File{in, out, errors} {
		info, err := f.Stat()
		check(t, err)
		st := info.Sys().(*syscall.Stat_t)
		fmt.Fprintf(&want, "%d:%d\n", st.Dev, st.Ino)
	}
	wantFile(t, bundle.Path("tmp/inodes"), want.String())
}

// TestRunStdinEnds: the program sees the end of a pipe on stdin.
func TestRunStdinEnds(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	r, w, err := os.Pipe()
	check(t, err)
	defer r.Close()
	run := env.RunCommand(env.Bundle(harness.Args("cat")))
	run.Stdin = r
	process := run.Start()
	_, err = w.WriteString("over")
	check(t, err)
	check(t, w.Close())
	if got := process.Wait().WantCode(t, 0).Stdout; got != "over" {
		t.Fatalf("got %q, want %q", got, "over")
	}
}

// TestRunNoTerminal: without process.terminal nothing is a terminal and there
// is no /dev/console.
func TestRunNoTerminal(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	r := env.Run(env.Bundle(harness.Shell("tty; test -e /dev/console && echo console")))
	if strings.TrimSpace(r.Stdout) != "not a tty" {
		t.Fatal(r)
	}
}

// TestRunDetach: run -d returns when the program runs, and leaves it running.
func TestRunDetach(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--detach", "-d"} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			bundle := env.Bundle(harness.Forever)
			c := env.Adopt(env.RunCommand(bundle, flag), bundle)
			c.WantStatus("running")
			c.WaitStdout("ready")
			c.Kill("TERM")
			if status := c.Wait(); status.ExitStatus() != 0 {
				t.Fatalf("exit status %d, want 0", status.ExitStatus())
			}
			c.WantStatus("stopped")
			c.Delete()
		})
	}
}

// TestRunKeep: --keep leaves the stopped container for delete.
func TestRunKeep(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Shell("exit 4"))
	run := env.RunCommand(bundle, "--keep")
	run.Run().WantCode(t, 4)
	c := env.Container(run.ID(), bundle)
	state := c.State()
	if state.Status != "stopped" || state.Pid != 0 {
		t.Fatalf("got %+v, want stopped and pid 0", state)
	}
	c.Delete()
}

// TestRunSubreaper: orphans of the container become children of the foreground
// run, unless that was told otherwise, and do not outlive the container.
func TestRunSubreaper(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		flags []string
		mine  bool
	}{{"default", nil, true}, {"--no-subreaper", []string{"--no-subreaper"}, false}}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			bundle := env.Bundle(harness.WithoutNamespace(specs.PIDNamespace),
				harness.Shell(`(sleep 1000 & echo $! >/tmp/orphan); echo ready; cat`))
			r, w, err := os.Pipe()
			check(t, err)
			defer r.Close()
			defer w.Close()
			run := env.RunCommand(bundle, c.flags...)
			run.Stdin = r
			process := run.Start()
			process.WaitStdout("ready")
			orphan := strings.TrimSpace(read(t, bundle.Path("tmp/orphan")))
			parent := statusField(t, read(t, "/proc/"+orphan+"/status"), "PPid")
			if mine := parent == fmt.Sprint(process.Pid()); mine != c.mine {
				t.Errorf("parent of the orphan is %s, the runtime is %d", parent, process.Pid())
			}
			check(t, w.Close())
			process.Wait().WantCode(t, 0)
			if left := env.Leftovers(); len(left) > 0 {
				t.Errorf("the orphan outlived its container: %q", left)
			}
		})
	}
}

// TestRunNothingInTheMountTable: a run never touches the mount table of its
// caller, not even for a moment: poll(2) on mountinfo reports each change.
func TestRunNothingInTheMountTable(t *testing.T) {
	env := harness.New(t) // not parallel: others may mount
	f, err := os.Open("/proc/self/mountinfo")
	check(t, err)
	defer f.Close()
	wantRan(t, env.Run(env.Bundle(ran)))
	if changed, err := harness.MountsChanged(f); err != nil || changed {
		mounts, _ := view.Mounts("/proc/self/mountinfo")
		t.Fatalf("the mount table changed (%v): %v", err, mounts)
	}
}
