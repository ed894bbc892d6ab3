package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// TestListTable: a header and a line for each container, in columns.
func TestListTable(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	a := env.Create(env.Bundle())
	b := env.Create(env.Bundle(harness.Forever)).Start()
	for _, args := range [][]string{{"list"}, {"list", "--format", "table"}, {"list", "-f=table"}} {
		r := env.Call(args...).WantCode(t, 0)
		lines := strings.Split(strings.TrimSuffix(r.Stdout, "\n"), "\n")
		if len(lines) != 3 || r.Stderr != "" {
			t.Fatalf("want a header and two lines; %s", r)
		}
		header := strings.Join(strings.Fields(lines[0]), " ")
		want(t, "header", header, "ID PID STATUS BUNDLE CREATED OWNER")
		statusColumn := strings.Index(lines[0], "STATUS")
		for i, c := range []*harness.Container{a, b} {
			s := c.State()
			wanted := strings.Join([]string{s.ID, strconv.Itoa(s.Pid), s.Status, s.Bundle, s.Created, "root"}, " ")
			want(t, "line", strings.Join(strings.Fields(lines[i+1]), " "), wanted)
			want(t, "column of the status", strings.Index(lines[i+1], s.Status), statusColumn)
		}
	}
}

// TestListQuiet: only ids.
func TestListQuiet(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	a := env.Create(env.Bundle())
	b := env.Create(env.Bundle())
	for _, flag := range []string{"-q", "--quiet"} {
		r := env.Call("list", flag).WantCode(t, 0)
		want(t, "output", r.Stdout, a.ID+"\n"+b.ID+"\n")
	}
}

// TestListJSON: one line, an array of states; null when there are none.
func TestListJSON(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	check(t, os.Mkdir(env.Root, 0o711))
	want(t, "no containers", strings.TrimSpace(env.Call("list", "-f", "json").WantCode(t, 0).Stdout), "null")

	c := env.Create(env.Bundle())
	r := env.Call("list", "--format", "json").WantCode(t, 0)
	if strings.Contains(strings.TrimSpace(r.Stdout), "\n") {
		t.Errorf("more than one line: %q", r.Stdout)
	}
	var states []harness.State
	check(t, json.Unmarshal([]byte(r.Stdout), &states))
	expected := c.State()
	expected.Owner = "root" // state leaves it empty, list does not
	if len(states) != 1 || states[0].ID != expected.ID || states[0].Pid != expected.Pid || states[0].Status != "created" ||
		states[0].Bundle != expected.Bundle || states[0].Created != expected.Created || states[0].Owner != "root" {
		t.Errorf("got %+v, want %+v", states, expected)
	}
}

// TestListEmpty: a header only.
func TestListEmpty(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	check(t, os.Mkdir(env.Root, 0o711))
	r := env.Call("list").WantCode(t, 0)
	want(t, "header", strings.Join(strings.Fields(r.Stdout), " "), "ID PID STATUS BUNDLE CREATED OWNER")
	want(t, "quiet", env.Call("list", "-q").WantCode(t, 0).Stdout, "")
}

// TestListErrors: an explicit --root that is not there, and a bad format.
func TestListErrors(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	env.Call("list").WantError(t, 1, env.Root, "no such file or directory")
	check(t, os.Mkdir(env.Root, 0o711))
	env.Call("list", "--format", "yaml").WantError(t, 1, "invalid format option")
}

// TestListBroken: one damaged entry does not hide the others.
func TestListBroken(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle())
	broken := filepath.Join(env.Root, env.ID())
	check(t, os.Mkdir(broken, 0o711))
	write(t, filepath.Join(broken, "state.json"), "{")
	r := env.Call("list").WantCode(t, 0)
	if !strings.Contains(r.Stdout, c.ID) {
		t.Errorf("the sound container is missing; %s", r)
	}
	if !strings.Contains(r.Stderr+r.Stdout, filepath.Base(broken)) {
		t.Errorf("the damaged entry is not named; %s", r)
	}
	env.Call("delete", "--force", filepath.Base(broken)).WantCode(t, 0)
	if _, err := os.Stat(broken); !os.IsNotExist(err) {
		t.Errorf("delete --force left the damaged entry: %v", err)
	}
}

// TestListColumns: the table shows what is asked for, in that order, and runc's
// columns if nothing is.
func TestListColumns(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Running(env.Bundle(harness.Forever))
	rows := strings.Split(env.Call("list", "--columns", "status,id,age").WantCode(t, 0).Stdout, "\n")
	want(t, "header", fields(rows[0]), "STATUS ID AGE")
	if !regexp.MustCompile(`^running +` + regexp.QuoteMeta(c.ID) + ` +\d+s$`).MatchString(rows[1]) {
		t.Errorf("row: %q", rows[1])
	}
	env.Call("list", "--columns", "id,agee").WantError(t, 1, "--columns", `"agee"`, `did you mean "age"?`)
}

// TestListMemory: what a container is charged with, and what its limit did to it.
func TestListMemory(t *testing.T) {
	t.Parallel()
	require.Controller(t, "memory")
	env := harness.New(t)
	living := env.Running(env.Bundle(harness.Forever))
	ended := env.Create(env.Bundle(greedy)).Start()
	ended.Wait()
	text := env.Call("list", "--columns", "id,memory,cause").WantCode(t, 0).Stdout
	for id, cells := range map[string]string{living.ID: ` +\d+\.\d MiB +-`, ended.ID: ` .* oom: limit 8 MiB of .*`} {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(id) + cells + `$`).MatchString(text) {
			t.Errorf("%s: no %q in\n%s", id, cells, text)
		}
	}
}
