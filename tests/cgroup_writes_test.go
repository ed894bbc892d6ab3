package tests

import (
	"regexp"
	"strings"
	"testing"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
	"ociruntime/tests/view"
)

// membership matches the opening of a file by which processes enter a cgroup, for
// writing.
var membershipFile = regexp.MustCompile(`openat\(.*"([^"]*)/?(cgroup\.procs|cgroup\.threads|tasks)", O_(WRONLY|RDWR)`)

// entered runs the command under strace(1), all its children too, and lists the
// files by which processes have been moved.
func entered(t *testing.T, env *harness.Env, c *harness.Command) []string {
	t.Helper()
	log := env.File("strace")
	c.Args = append([]string{"-f", "-qq", "-o", log, "-s", "256", "-e", "trace=openat,openat2", c.Binary}, c.Args...)
	c.Binary = require.Program(t, "strace")
	c.Run().WantCode(t, 0)
	var files []string
	for line := range strings.Lines(read(t, log)) {
		if m := membershipFile.FindStringSubmatch(line); m != nil {
			files = append(files, m[2])
		}
	}
	return files
}

// TestCgroupEntry: on version 2 a process is born in its cgroup, and none is moved.
// Version 1 has no way but one write for each hierarchy, to the file that takes
// threads: cgroup.procs waits for the whole machine.
func TestCgroupEntry(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	hierarchies := 0
	for _, h := range view.Hierarchies() {
		if !h.Unified {
			hierarchies++
		}
	}
	wanted := strings.TrimSpace(strings.Repeat("tasks ", hierarchies))
	b := env.Bundle()
	want(t, "run", strings.Join(entered(t, env, env.RunCommand(b)), " "), wanted)
	c := env.Create(env.Bundle(harness.Forever)).Start()
	c.WaitStdout("ready")
	want(t, "exec", strings.Join(entered(t, env, c.ExecCommand(nil, "true")), " "), wanted)
}
