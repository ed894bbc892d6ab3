package tests

import (
	"encoding/json"
	"strings"
	"testing"

	"ociruntime/tests/harness"
)

// TestPsJSON: an array of the host's pids, which shims hand to a ps of theirs.
func TestPsJSON(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Shell("sleep 1000 & echo up; wait"))).Start()
	c.WaitStdout("up")
	for _, flags := range [][]string{{"--format", "json"}, {"-f=json"}} {
		var pids []int
		r := c.Call("ps", flags...).WantCode(t, 0)
		check(t, json.Unmarshal([]byte(r.Stdout), &pids))
		if len(pids) != 2 || pids[0] != c.Pid {
			t.Errorf("pids %v of a shell %d and its child", pids, c.Pid)
		}
	}
	c.Stop()
	want(t, "a stopped container", strings.TrimSpace(c.Call("ps", "--format=json").WantCode(t, 0).Stdout), "null")
}

// TestPsTable: as ps would list them, with its options behind the id, and
// without any ps on the host.
func TestPsTable(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Shell("sleep 1000 & echo up; wait"))).Start()
	c.WaitStdout("up")
	call := func(args ...string) []string {
		t.Helper()
		cmd := env.Command(append([]string{"ps", c.ID}, args...)...)
		cmd.Env = []string{"PATH=/nonexistent"}
		return strings.Split(strings.TrimSuffix(cmd.Run().WantCode(t, 0).Stdout, "\n"), "\n")
	}
	header := "UID PID PPID C STIME TTY TIME CMD"
	for _, args := range [][]string{nil, {"-ef"}} {
		lines := call(args...)
		want(t, "header", strings.Join(strings.Fields(lines[0]), " "), header)
		// The child may not have become sleep yet.
		if len(lines) != 3 || !strings.Contains(lines[1], " sh -c sleep 1000") || !strings.Contains(lines[2], "sleep 1000") {
			t.Errorf("table:\n%s", strings.Join(lines, "\n"))
		}
	}
	want(t, "columns", call("-o", "comm,s")[0], "COMMAND S")
	env.Call("ps", c.ID, "-o", "nosuch").WantError(t, 1, `ps column "nosuch"`)
	env.Call("ps", "--format", "xml", c.ID).WantError(t, 1, "invalid format option")
	c.Stop()
	want(t, "a stopped container", strings.Join(strings.Fields(c.Call("ps").WantCode(t, 0).Stdout), " "), header)
}
