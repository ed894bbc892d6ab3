package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ociruntime/tests/harness"
)

// TestErrorOnStderr: without --log an error is one line in logrus's text form,
// which podman prints as it is.
func TestErrorOnStderr(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	r := env.Call("state", env.ID()).WantCode(t, 1)
	shape := regexp.MustCompile(`^time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)" level=error msg=".*does not exist.*" code=not-found\n$`)
	if !shape.MatchString(r.Stderr) {
		t.Fatalf("shape of the error: %q", r.Stderr)
	}
}

// TestJSONOnStderr: --log-format json without --log.
func TestJSONOnStderr(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	r := env.Call("--log-format", "json", "state", env.ID()).WantCode(t, 1)
	wantLogError(t, r.Stderr, "does not exist")
}

// TestLogFile: the error goes to the file, and as bare text to stderr.
func TestLogFile(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	log := env.File("log")
	r := env.Call("--log", log, "state", env.ID()).WantCode(t, 1)
	if text := strings.TrimSuffix(r.Stderr, "\n"); strings.Contains(text, "level=") || !strings.Contains(text, "does not exist") || strings.Contains(text, "\n") {
		t.Errorf("stderr: %q", r.Stderr)
	}
	line := strings.TrimSuffix(read(t, log), "\n")
	if !strings.HasPrefix(line, "time=") || !strings.Contains(line, " level=error msg=") || harness.Message(line) != strings.TrimSpace(r.Stderr) {
		t.Errorf("log: %q, stderr: %q", line, r.Stderr)
	}
	info, err := os.Stat(log)
	check(t, err)
	want(t, "mode of the log", info.Mode().Perm(), 0o644)
}

// TestLogJSON is what containerd's shim does: it reads the last object with
// level "error" and shows its msg; any other byte spoils it.
func TestLogJSON(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	log := env.File("log.json")
	flags := []string{"--log", log, "--log-format", "json"}
	bundle := env.Bundle(harness.Args("nosuchprogram"))
	cases := [][]string{
		{"state", env.ID()}, {"start", env.ID()}, {"kill", env.ID(), "9"}, {"delete", env.ID()},
		{"create", "--bundle", bundle.Dir, env.ID()}, {"run", "--bundle", bundle.Dir, env.ID()},
	}
	for i, args := range cases {
		r := env.Call(append(flags, args...)...).WantCode(t, 1)
		entries := harness.ParseLog(t, read(t, log))
		if len(entries) != i+1 { // the file is appended to, one object for each failure
			t.Fatalf("%q: %d entries in the log, want %d: %s", args, len(entries), i+1, read(t, log))
		}
		want(t, "msg and stderr", entries[i].Msg, strings.TrimSpace(r.Stderr))
	}
	wantLogError(t, read(t, log), "executable file not found in $PATH")
}

// wantLogError checks the last object of a JSON log.
func wantLogError(t *testing.T, text, part string) {
	t.Helper()
	entries := harness.ParseLog(t, text)
	if len(entries) == 0 {
		t.Fatal("the log is empty")
	}
	last := entries[len(entries)-1]
	want(t, "level", last.Level, "error")
	if !strings.Contains(last.Msg, part) {
		t.Errorf("msg: got %q, want %q in it", last.Msg, part)
	}
	if age := time.Since(last.Time); age < -2*time.Second || age > time.Minute {
		t.Errorf("time: %s", last.Time)
	}
}

// TestLogSilent: success leaves the log empty and stderr silent.
func TestLogSilent(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	log := env.File("log.json")
	bundle := env.Bundle()
	env.Call("--log", log, "--log-format", "json", "run", "--bundle", bundle.Dir, env.ID()).WantQuiet(t)
	wantFile(t, log, "")
}

// TestLogDebug: --debug writes more, but only to the log, and as valid objects.
func TestLogDebug(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	log := env.File("log.json")
	bundle := env.Bundle()
	env.Call("--debug", "--log", log, "--log-format=json", "run", "--bundle", bundle.Dir, env.ID()).WantQuiet(t)
	entries := harness.ParseLog(t, read(t, log))
	if len(entries) == 0 {
		t.Error("--debug logged nothing")
	}
	for _, e := range entries {
		want(t, "level of "+e.Msg, e.Level, "debug")
	}
}

// TestLogRelative: --log is relative to the caller's directory, not the bundle's.
func TestLogRelative(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Args("nosuchprogram"))
	env.Call("--log", "relative.log", "create", "--bundle", bundle.Dir, env.ID()).WantCode(t, 1)
	if text := read(t, env.File("relative.log")); !strings.Contains(text, "nosuchprogram") {
		t.Errorf("log: %q", text)
	}
	if _, err := os.Stat(filepath.Join(bundle.Dir, "relative.log")); !os.IsNotExist(err) {
		t.Errorf("a log in the bundle: %v", err)
	}
}

// TestLogErrors: a log that cannot be written, a format that does not exist.
func TestLogErrors(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	env.Call("--log-format", "xml", "list").WantError(t, 1, "invalid log-format", "xml")
	env.Call("--log", env.File("nosuch/log"), "list").WantError(t, 1, env.File("nosuch/log"), "no such file or directory")
}

// TestLogOneLine: whatever a message quotes, it stays one line and one object.
func TestLogOneLine(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Args("no\nsuch\"program\x01\x1b[31m"))
	log := env.File("log.json")
	r := env.Call("--log", log, "--log-format", "json", "create", "--bundle", bundle.Dir, env.ID()).WantCode(t, 1)
	if strings.Count(strings.TrimSuffix(r.Stderr, "\n"), "\n") != 0 || strings.ContainsAny(r.Stderr, "\x01\x1b") {
		t.Errorf("stderr: %q", r.Stderr)
	}
	text := read(t, log)
	if strings.Count(text, "\n") != 1 || !json.Valid([]byte(strings.TrimSpace(text))) {
		t.Errorf("log: %q", text)
	}
	text = env.Call("create", "--bundle", bundle.Dir, env.ID()).WantCode(t, 1).Stderr
	if strings.Count(text, "\n") != 1 || strings.ContainsAny(text, "\x01\x1b") {
		t.Errorf("stderr without --log: %q", text)
	}
}
