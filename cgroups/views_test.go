package cgroups

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// viewEnv tells a re-executed test binary which cgroup view to make for itself.
const viewEnv = "CGROUPS_TEST_VIEW"

// TestViews runs the tests below in each cgroup view this machine can show,
// each in a mount namespace of its own, so that the host's mounts stay as they are.
func TestViews(t *testing.T) {
	if view := os.Getenv(viewEnv); view != "" {
		enterView(t, view)
		inView(t)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: cgroups and mount namespaces")
	}
	for _, view := range []string{"v1", "hybrid", "v2"} {
		t.Run(view, func(t *testing.T) {
			if why := cannotShow(view); why != "" {
				t.Skip(why)
			}
			c := exec.Command("/proc/self/exe", "-test.run=^TestViews$", "-test.v="+strconv.FormatBool(testing.Verbose()))
			c.Env = append(os.Environ(), viewEnv+"="+view)
			c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
			out, err := c.CombinedOutput()
			if err != nil || testing.Verbose() {
				t.Logf("%s", out)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// cannotShow returns why the host has no such view, or "".
func cannotShow(view string) string {
	h, err := Detect()
	if err != nil {
		return err.Error()
	}
	defer h.Close()
	if h.Mode == V2 && view != "v2" {
		return "the host has cgroup v2 only"
	}
	if h.Mode == V1 && view == "hybrid" {
		return "the host has no cgroup v2 mounted"
	}
	return ""
}

func enterView(t *testing.T, view string) {
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	switch view {
	case "v1":
		if err := unix.Unmount(Root+"/unified", 0); err != nil && err != unix.EINVAL && err != unix.ENOENT {
			t.Fatal(err)
		}
	case "v2":
		// EBUSY: it is there already, as on most hosts.
		if err := unix.Mount("none", Root, "cgroup2", 0, ""); err != unix.EBUSY {
			must(t, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func inView(t *testing.T) {
	before := openFDs(t)
	for _, c := range []struct {
		name string
		test func(*testing.T)
	}{
		{"Detect", testDetect},
		{"LifeCycle", testLifeCycle},
		{"Existing", testExisting},
		{"NotEmpty", testNotEmpty},
		{"Frozen", testFrozen},
		{"FailedCreate", testFailedCreate},
		{"Nested", testNested},
		{"Busy", testBusy},
		{"Limits", testLimits},
		{"Devices", testDevices},
		{"NoController", testNoController},
		{"PidsZero", testPidsZero},
		{"BelowUsage", testBelowUsage},
		{"Set", testSet},
		{"SetDevices", testSetDevices},
		{"ProgramsLoad", testProgramsLoad},
		{"Stats", testStats},
		{"Cause", testCause},
		{"CauseAbove", testCauseAbove},
		{"Sub", testSub},
		{"JoinAt", testJoinAt},
		{"Chown", testChown},
		{"Disabled", testDisabled},
		{"RefusedJoin", testRefusedJoin},
		{"Hugetlb", testHugetlb},
		{"Unified", testUnified},
		{"Lenient", testLenient},
	} {
		t.Run(c.name, c.test)
	}
	cleanTestDir(t)
	if after := openFDs(t); len(after) != len(before) {
		t.Errorf("descriptors are left open:\n%s\nbefore:\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
}

func openFDs(t *testing.T) []string {
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	var list []string
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && !strings.HasPrefix(target, "anon_inode") { // those are of the Go runtime
			list = append(list, e.Name()+" "+target)
		}
	}
	return list
}

// testDir is the cgroup below which all tests stay.
func testDir() string { return "/runtime-test-" + strconv.Itoa(os.Getpid()) }

// cleanTestDir removes the test's own parent cgroup and complains if a test
// left something in it.
func cleanTestDir(t *testing.T) {
	h, err := Detect()
	must(t, err)
	defer h.Close()
	for _, tree := range h.Hierarchies {
		if err := os.Remove(tree.Mount + testDir()); err != nil && !os.IsNotExist(err) {
			t.Errorf("a test left something behind: %v", err)
		}
	}
}

// newGroup returns a Group below testDir; it is removed at the end of the test.
func newGroup(t *testing.T, name string) *Group {
	t.Helper()
	h, err := Detect()
	must(t, err)
	defer h.Close()
	g, err := h.New(name, testDir()+"/"+name, Options{})
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() { // a test that passes has cleaned up, which the end of inView checks
			_ = g.Kill(time.Second)
			_ = g.Remove(time.Second)
		}
		g.Close()
	})
	return g
}

// inside starts a shell command as a member of g and waits until it has said so.
func inside(t *testing.T, g *Group, script string) *exec.Cmd {
	t.Helper()
	join, err := g.Join()
	must(t, err)
	defer join.Close()
	enter := ""
	c := exec.Command("/bin/sh", "-c")
	for i, tasks := range join.Tasks {
		dup, err := unix.Dup(tasks.FD)
		must(t, err)
		f := os.NewFile(uintptr(dup), tasks.Path)
		defer f.Close()
		c.ExtraFiles = append(c.ExtraFiles, f)
		if i+3 > 9 { // dash takes single digits only
			enter += "echo 0 >/proc/self/fd/" + strconv.Itoa(i+3) + " || exit 1; "
		} else {
			enter += "echo 0 >&" + strconv.Itoa(i+3) + " || exit 1; "
		}
	}
	c.Args = append(c.Args, enter+"echo in; "+script)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if join.Dir >= 0 {
		c.SysProcAttr.UseCgroupFD, c.SysProcAttr.CgroupFD = true, join.Dir
	}
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	said := make([]byte, 3)
	if _, err := out.Read(said); err != nil || !strings.HasPrefix(string(said), "in") {
		t.Fatalf("the member did not start: %q, %v", said, err)
	}
	return c
}
