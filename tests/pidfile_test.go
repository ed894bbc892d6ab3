package tests

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"ociruntime/tests/harness"
)

// TestPidFile: digits and no newline, for engines parse it with Atoi as it is.
func TestPidFile(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"create", "run --detach"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			bundle := env.Bundle(harness.Forever)
			path := env.File("pid")
			command := env.Command("create", "--bundle", bundle.Dir, "--pid-file", path, env.ID())
			if verb != "create" {
				command = env.RunCommand(bundle, "--detach", "--pid-file", path)
			}
			c := env.Adopt(command, bundle)
			wantFile(t, path, strconv.Itoa(c.State().Pid))
		})
	}
}

// TestPidFileForeground: a foreground run writes it before the program runs.
func TestPidFileForeground(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Forever)
	path := env.File("pid")
	run := env.RunCommand(bundle, "--pid-file", path)
	process := run.Start()
	process.WaitStdout("ready")
	wantFile(t, path, strconv.Itoa(env.Container(run.ID(), bundle).State().Pid))
	env.Call("kill", run.ID(), "KILL").WantQuiet(t)
	process.Wait().WantCode(t, 137)
}

// TestPidFileRelative: relative to the caller's directory, not the bundle's.
func TestPidFileRelative(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(), "--pid-file", "relative.pid")
	wantFile(t, env.File("relative.pid"), strconv.Itoa(c.State().Pid))
}

// TestPidFileReplaces what was there, whatever it was, and leaves no temporary
// file beside it.
func TestPidFileReplaces(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := env.File("pids")
	check(t, os.Mkdir(dir, 0o755))
	path := filepath.Join(dir, "pid")
	write(t, path, "a much longer text than any pid")
	c := env.Create(env.Bundle(), "--pid-file", path)
	wantFile(t, path, strconv.Itoa(c.State().Pid))
	entries, err := os.ReadDir(dir)
	check(t, err)
	want(t, "files beside the pid file", len(entries), 1)
}

// TestPidFileUnwritable fails the create, and leaves nothing.
func TestPidFileUnwritable(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle()
	env.Call("create", "--bundle", bundle.Dir, "--pid-file", env.File("nosuch/pid"), env.ID()).
		WantError(t, 1, env.File("nosuch/"), "no such file or directory")
}

// TestPidFileNotOnFailure: a create that fails writes none.
func TestPidFileNotOnFailure(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Args("nosuchprogram"))
	env.Call("create", "--bundle", bundle.Dir, "--pid-file", env.File("pid"), env.ID()).WantCode(t, 1)
	if _, err := os.Stat(env.File("pid")); !os.IsNotExist(err) {
		t.Fatalf("a pid file of a container that does not exist: %v", err)
	}
}
