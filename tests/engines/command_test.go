package engines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ociruntime/tests/harness"
)

// timeout is the deadline of one call of a client. Engines are slow on a
// loaded machine; a call that hangs is what this is for.
var timeout = max(60*time.Second, harness.Timeout())

// Result is what a client's call left for its user to see.
type Result struct {
	Args   []string
	Code   int
	Stdout string
	Stderr string
}

// String words the call for a failure message.
func (r Result) String() string {
	return fmt.Sprintf("%s\nexit code %d\nstdout: %s\nstderr: %s", strings.Join(r.Args, " "), r.Code, r.Stdout, r.Stderr)
}

// Call runs a program in the world to its end, or fails the test when it takes
// too long.
func (w *World) Call(t testing.TB, args ...string) Result {
	t.Helper()
	return w.CallWith(t, "", nil, args...)
}

// CallWith is Call with input and additions to the environment.
func (w *World) CallWith(t testing.TB, input string, env []string, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	all := w.inside(args...)
	cmd := exec.CommandContext(ctx, all[0], all[1:]...)
	cmd.Env = append(w.env[:len(w.env):len(w.env)], env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	// A container that keeps our pipes open must not keep us.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	r := Result{Args: args, Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
	if ctx.Err() != nil {
		t.Fatalf("no end after %v: %s\nrunning: %v", timeout, r, w.Processes())
	}
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		t.Fatalf("%v: %s", err, r)
	}
	return r
}

// OK fails the test unless the call succeeded, and returns stdout without the
// final line end.
func (r Result) OK(t testing.TB) string {
	t.Helper()
	return r.Exits(t, 0)
}

// Exits fails the test unless the call ended with the code, and returns stdout
// without the final line end.
func (r Result) Exits(t testing.TB, code int) string {
	t.Helper()
	if r.Code != code {
		t.Fatalf("want exit code %d; %s", code, r)
	}
	return strings.TrimRight(r.Stdout, "\r\n")
}

// Fails fails the test unless the call failed and its stderr holds all parts.
func (r Result) Fails(t testing.TB, parts ...string) {
	t.Helper()
	if r.Code == 0 {
		t.Fatalf("want a failure; %s", r)
	}
	contains(t, r.Stderr+r.Stdout, parts...)
}

// equals fails the test unless the text is the wanted one.
func equals[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// contains fails the test unless all parts are in the text.
func contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Fatalf("want %q in: %s", part, text)
		}
	}
}

// lacks fails the test when one of the parts is in the text.
func lacks(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Fatalf("want no %q in: %s", part, text)
		}
	}
}

// eventually waits for something that no event tells of.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(timeout); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v still not: %s", timeout, what)
		}
	}
}
