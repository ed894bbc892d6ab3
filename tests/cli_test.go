package tests

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ociruntime/tests/harness"
)

var verbs = []string{"create", "delete", "kill", "list", "run", "spec", "start", "state"}

// TestFlagsAnywhere: flags stand before or after the positional arguments,
// with one dash or two, with "=" or without.
func TestFlagsAnywhere(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle()
	cases := map[string]func(id string) []string{
		"after":           func(id string) []string { return []string{"create", id, "--bundle", bundle.Dir} },
		"after, short":    func(id string) []string { return []string{"create", id, "-b", bundle.Dir} },
		"around":          func(id string) []string { return []string{"create", "--no-new-keyring", id, "--bundle=" + bundle.Dir} },
		"one dash":        func(id string) []string { return []string{"create", "-bundle", bundle.Dir, id} },
		"one dash, equal": func(id string) []string { return []string{"create", "-bundle=" + bundle.Dir, id} },
		"boolean, value":  func(id string) []string { return []string{"create", "--no-new-keyring=true", "-b", bundle.Dir, id} },
	}
	for name, args := range cases {
		t.Run(name, func(t *testing.T) {
			id := env.ID()
			env.Call(args(id)...).WantQuiet(t)
			env.Call("state", id).WantCode(t, 0)
			env.Call("delete", id, "--force").WantQuiet(t)
			env.Call("state", id).WantCode(t, 1)
		})
	}
}

// TestKillFlagsAnywhere: kill takes its flag between and after its arguments.
func TestKillFlagsAnywhere(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle())
	c.Stop()
	env.Call("kill", c.ID, "TERM", "--all").WantQuiet(t)
	env.Call("kill", c.ID, "-a", "TERM").WantQuiet(t)
	env.Call("kill", "--all=true", c.ID).WantQuiet(t)
}

// TestHelp: asking for help is no error; the text is what urfave/cli prints.
func TestHelp(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for _, args := range [][]string{{}, {"help"}, {"h"}, {"-h"}, {"--help"}} {
		r := env.BareCommand(args...).Run().WantCode(t, 0)
		if !strings.HasPrefix(r.Stdout, "NAME:\n   runtime - ") || r.Stderr != "" {
			t.Errorf("help: %s", r)
		}
		for _, verb := range verbs {
			if !regexp.MustCompile(`(?m)^\s+` + verb + `\b`).MatchString(r.Stdout) {
				t.Errorf("%q does not list %s", args, verb)
			}
		}
	}
	for _, verb := range verbs {
		for _, args := range [][]string{{"help", verb}, {verb, "-h"}, {verb, "--help"}} {
			r := env.BareCommand(args...).Run().WantCode(t, 0)
			if !strings.HasPrefix(r.Stdout, "NAME:\n   runtime "+verb+" - ") || r.Stderr != "" {
				t.Errorf("help of %s: %s", verb, r)
			}
		}
	}
}

// TestOutputLost: a command whose answer cannot be written has failed.
func TestOutputLost(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	check(t, err)
	defer full.Close()
	container := env.Create(env.Bundle())
	for _, args := range [][]string{{"--help"}, {"--version"}, {"features"}, {"state", container.ID}, {"list"}, {"list", "-q"}, {"list", "-f", "json"},
		{"ps", container.ID}, {"events", "--stats", container.ID}, {"create", "--plan", "--bundle", container.Bundle.Dir, env.ID()}} {
		c := env.Command(args...)
		c.Stdout = full
		c.Run().WantError(t, 1, "no space left on device")
	}
}

// TestVersion: containerd reads the first three lines by prefix.
func TestVersion(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for _, flag := range []string{"--version", "-v"} {
		r := env.BareCommand(flag).Run().WantCode(t, 0)
		shape := regexp.MustCompile(`^runtime version \S+\ncommit: \S+\nspec: 1\.3\.0\ngo: go\S+\n`)
		if !shape.MatchString(r.Stdout) || r.Stderr != "" {
			t.Errorf("version: %s", r)
		}
	}
}

func TestUnknownCommand(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	env.Call("foo").WantError(t, 3, "No help topic for 'foo'")
}

// TestUnknownFlag: usage on stdout for people, one error line for programs.
func TestUnknownFlag(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for _, args := range [][]string{{"state", "--nosuch", "x"}, {"state", "x", "--nosuch"}, {"--nosuch", "state", "x"}, {"list", "-n"}} {
		r := env.Call(args...).WantCode(t, 1)
		if !strings.HasPrefix(r.Stdout, "Incorrect Usage: flag provided but not defined: -n") || !strings.Contains(r.Stdout, "NAME:") {
			t.Errorf("usage: %s", r)
		}
		wantOneError(t, r, "flag provided but not defined: -n")
	}
}

// TestArgumentCount: what is missing or too much is said in the same way.
func TestArgumentCount(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	cases := []struct {
		args    []string
		message string
	}{
		{[]string{"create"}, `"create" requires exactly 1 argument(s)`},
		{[]string{"run"}, `"run" requires exactly 1 argument(s)`},
		{[]string{"start"}, `"start" requires exactly 1 argument(s)`},
		{[]string{"state"}, `"state" requires exactly 1 argument(s)`},
		{[]string{"state", "a", "b"}, `"state" requires exactly 1 argument(s)`},
		{[]string{"delete"}, `"delete" requires exactly 1 argument(s)`},
		{[]string{"kill"}, `"kill" requires a minimum of 1 argument`},
		{[]string{"kill", "a", "9", "b"}, `"kill" requires a maximum of 2 argument`},
		{[]string{"list", "a"}, `"list" requires exactly 0 argument(s)`},
		{[]string{"spec", "a"}, `"spec" requires exactly 0 argument(s)`},
	}
	for _, c := range cases {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			r := env.Call(c.args...).WantCode(t, 1)
			if !strings.HasPrefix(r.Stdout, "Incorrect Usage.\n\nNAME:\n   runtime "+c.args[0]+" - ") {
				t.Errorf("usage: %s", r)
			}
			wantOneError(t, r, c.message)
		})
	}
}

// wantOneError is Result.WantError for calls that also print their usage.
func wantOneError(t *testing.T, r harness.Result, part string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(r.Stderr, "\n"), "\n")
	if len(lines) != 1 || !strings.Contains(harness.Message(lines[0]), part) {
		t.Errorf("want one line with %q on stderr; %s", part, r)
	}
}

// TestRootDirectory: --root is relative to the caller's directory, and never "/".
func TestRootDirectory(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle()
	id := env.ID()
	env.BareCommand("--root", filepath.Base(env.Root), "create", "--bundle", bundle.Dir, id).Run().WantQuiet(t)
	if _, err := os.Stat(filepath.Join(env.Root, id, "state.json")); err != nil {
		t.Errorf("relative --root: %v", err)
	}
	env.BareCommand("--root="+env.Root, "delete", "-f", id).Run().WantQuiet(t)
	t.Cleanup(func() { os.RemoveAll("/" + id) }) // in case it is not refused
	env.BareCommand("--root", "/", "create", "--bundle", bundle.Dir, id).Run().WantError(t, 1, "--root", "should not be set to /")
}

// TestDefaultRoot: without --root there is a default, which need not exist yet
// and may hold containers of this host.
func TestDefaultRoot(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	r := env.BareCommand("list").Run().WantCode(t, 0)
	want(t, "header", strings.Join(strings.Fields(strings.SplitN(r.Stdout, "\n", 2)[0]), " "), "ID PID STATUS BUNDLE CREATED OWNER")
}

// TestGlobalFlags: the global flags of engines are accepted before any verb.
func TestGlobalFlags(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Shell("exit 5"))
	for _, flags := range [][]string{
		{"--debug=false"}, {"--rootless=false"}, {"--rootless", "auto"}, {"--rootless", "true"},
		{"--log", env.File("log"), "--log-format", "json"}, {"--log-format=text"},
	} {
		args := append(append([]string{"--root", env.Root}, flags...), "run", "--bundle", bundle.Dir, env.ID())
		env.BareCommand(args...).Run().WantCode(t, 5)
	}
	env.Call("--rootless", "maybe", "list").WantError(t, 1, "rootless", "maybe")
}

// TestSystemdCgroupsPath: with --systemd-cgroup a path means a slice and a scope.
func TestSystemdCgroupsPath(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle()
	env.Call("--systemd-cgroup", "create", "--bundle", bundle.Dir, env.ID()).WantError(t, 1,
		`expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "/`)
}

// TestNoConfig: a bundle without config.json.
func TestNoConfig(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	empty := env.File("empty")
	check(t, os.Mkdir(empty, 0o755))
	for _, verb := range []string{"create", "run"} {
		env.Call(verb, "--bundle", empty, env.ID()).WantError(t, 1, "JSON specification file config.json not found")
		env.Call(verb, "--bundle", env.File("nosuch"), env.ID()).WantError(t, 1, env.File("nosuch"), "no such file or directory")
	}
}
