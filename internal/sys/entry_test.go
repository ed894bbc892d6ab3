package sys

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// entrySees is what testdata/entry prints when its caller's slack is 70000 ns
// and it was linked to start at entry: the child, which is the same program,
// has changed its slack again.
const entrySees = `procs 1
args ["a" "" "c d"]
env 1 2
page true
slack 5000000 <nil>
70000
waited <nil> 0
`

func buildEntry(t *testing.T, arch, ldflags string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "entry")
	build := exec.Command("go", "build", "-ldflags", ldflags, "-o", out, "./testdata/entry")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

// runEntry runs the program with a slack of its own, which is a thread's.
func runEntry(t *testing.T, command ...string) string {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 70000, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(command[0], append(command[1:], "a", "", "c d")...)
	c.Env = []string{"FIRST=1", "GOMAXPROCS=3", "LAST=2"}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func TestEntry(t *testing.T) {
	if got := runEntry(t, buildEntry(t, runtime.GOARCH, "-E=ociruntime_entry")); got != entrySees {
		t.Errorf("it sees\n%swant\n%s", got, entrySees)
	}
}

// TestEntryUnused: the same program works with Go's own entry point.
func TestEntryUnused(t *testing.T) {
	const want = `procs 3
args ["a" "" "c d"]
env 1 2
page true
slack 70000 <nil>
70000
waited <nil> 0
`
	if got := runEntry(t, buildEntry(t, runtime.GOARCH, "")); got != want {
		t.Errorf("it sees\n%swant\n%s", got, want)
	}
}

// TestEntryARM64 runs the other architecture's entry in qemu's user emulation.
func TestEntryARM64(t *testing.T) {
	if runtime.GOARCH == "arm64" {
		t.Skip("TestEntry is it")
	}
	qemu, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		t.Skip("needs qemu-aarch64-static: Debian's qemu-user-static")
	}
	if got := runEntry(t, qemu, buildEntry(t, "arm64", "-E=ociruntime_entry")); got != entrySees {
		t.Errorf("it sees\n%swant\n%s", got, entrySees)
	}
}
