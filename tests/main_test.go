package tests

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"ociruntime/tests/fakecriu"
	"ociruntime/tests/harness"
	"ociruntime/tests/tracer"
	"ociruntime/tests/view"
)

func TestMain(m *testing.M) {
	tracer.Main()
	fakecriu.Main()
	os.Exit(view.Main(m))
}

// check ends the test on an error of its own doing.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	check(t, err)
	return string(text)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	check(t, os.WriteFile(path, []byte(text), 0o644))
}

// script writes an executable file. No process may be forked meanwhile: it
// would hold the file open for writing until its execve, and who executes the
// file in that moment gets ETXTBSY, golang.org/issue/22315.
func script(t testing.TB, path, text string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	check(t, os.WriteFile(path, []byte(text), 0o755))
}

// file makes an empty file of the test, open for reading and writing until the
// test ends.
func file(t testing.TB, env *harness.Env, name string) *os.File {
	t.Helper()
	f, err := os.Create(env.File(name))
	check(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func wantFile(t testing.TB, path, want string) {
	t.Helper()
	if got := read(t, path); got != want {
		t.Fatalf("%s: got %q, want %q", path, got, want)
	}
}

// ran is a program that shows that it ran.
var ran = harness.Args("echo", "ran")

// wantRan fails the test unless the call ran the program ran and nothing else
// was said.
func wantRan(t testing.TB, r harness.Result) {
	t.Helper()
	r.WantCode(t, 0)
	if r.Stdout != "ran\n" || r.Stderr != "" {
		t.Fatalf("want the program's output alone; %s", r)
	}
}

func want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// statusField returns a field of a proc_pid_status(5) text, "CapEff".
func statusField(t testing.TB, status, name string) string {
	t.Helper()
	for line := range strings.Lines(status) {
		if key, value, ok := strings.Cut(line, ":"); ok && key == name {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("no %s in %q", name, status)
	return ""
}

// owner returns "uid:gid" of a file.
func owner(t testing.TB, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	check(t, err)
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d", st.Uid, st.Gid)
}

// full is the number of repetitions, or bytes, of a test that would take long: the second
// when TEST_FULL is set.
func full(short, long int) int {
	if os.Getenv("TEST_FULL") != "" {
		return long
	}
	return short
}
