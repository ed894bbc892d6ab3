// Package view runs a package's tests on several kinds of host: the same
// kernel can mount its cgroup file systems as v1 hierarchies, as one cgroup2
// tree, or as a mixture of both, and a runtime meets all three.
//
// Each view is a child of the test process, the same binary started again in
// mount and PID namespaces of its own. So the host's mounts are out of reach,
// and whatever a broken runtime leaves running dies with the view.
package view

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// View is one way the cgroup file systems of a host can be mounted.
type View string

const (
	AsIs View = "as-is" // whatever this host has, often v1 controllers beside an empty cgroup2
	V1   View = "v1"    // the v1 hierarchies only
	V2   View = "v2"    // one cgroup2 mount at /sys/fs/cgroup and nothing else
)

const (
	viewsEnv = "TEST_VIEWS"         // set by the user: comma-separated views, all when unset
	childEnv = "RUNTIME_TEST_CHILD" // set by us for the re-executed binary: "view:token:dir"
)

// current describes the process this code runs in. It is written once, before
// any test runs.
var current struct {
	view  View
	token string
	dir   string
}

// Current returns the view the calling test runs in.
func Current() View { return current.view }

// Token is part of the name of everything the tests of this view make outside
// Dir, cgroups above all, so that leftovers are found by name.
func Token() string { return current.token }

// Dir is a directory for the files of this view, on a tmpfs of its own.
func Dir() string { return current.dir }

// Main runs the tests of one package once for each view and returns the exit
// code for os.Exit.
func Main(m *testing.M) int {
	if child := os.Getenv(childEnv); child != "" {
		return runView(m, child)
	}
	if os.Geteuid() != 0 || listing() {
		return runInPlace(m)
	}
	code := 0
	for _, view := range chosenViews() {
		if c := spawnView(view); c != 0 {
			code = c
		}
	}
	return code
}

// listing tells whether `go test -list` asked for names only.
func listing() bool {
	return slices.ContainsFunc(os.Args, func(arg string) bool { return strings.HasPrefix(arg, "-test.list=") })
}

// InPlace runs the tests of one package on the host itself, for those that need
// its systemd, which knows no PIDs of other namespaces, and returns the exit code
// for os.Exit.
func InPlace(m *testing.M) int {
	// Where a view has its PID 1, what a container leaves behind comes to us.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return complain(err)
	}
	return runInPlace(m)
}

// runInPlace runs the tests without namespaces, for callers that may not make them.
func runInPlace(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rt")
	if err != nil {
		return complain(err)
	}
	defer os.RemoveAll(dir)
	current.view, current.dir = AsIs, dir
	if isCgroup2("/sys/fs/cgroup") {
		current.view = V2
	}
	current.token = fmt.Sprintf("rt%du", os.Getpid())
	return m.Run()
}

// chosenViews reads TEST_VIEWS, or names every view this host can show: a host
// that already has cgroup2 at /sys/fs/cgroup has nothing but V2 to offer.
func chosenViews() []View {
	if list := os.Getenv(viewsEnv); list != "" {
		var views []View
		for name := range strings.SplitSeq(list, ",") {
			views = append(views, View(strings.TrimSpace(name)))
		}
		return views
	}
	if isCgroup2("/sys/fs/cgroup") {
		return []View{V2}
	}
	return []View{AsIs, V1, V2}
}

// spawnView runs the tests in one view and waits for them.
func spawnView(view View) int {
	dir, err := os.MkdirTemp("", "rt")
	if err != nil {
		return complain(err)
	}
	defer os.Remove(dir)
	token := fmt.Sprintf("rt%d%s", os.Getpid(), strings.ReplaceAll(string(view), "-", ""))
	fmt.Printf("=== VIEW  %s\n", view)

	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s:%s:%s", childEnv, view, token, dir))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID,
		// Unshare, not clone: Go then also makes "/" private before our code
		// runs, so that no umount below can reach the host.
		Unshareflags: unix.CLONE_NEWNS,
		Pdeathsig:    syscall.SIGKILL,
	}
	err = cmd.Run()
	code := cmd.ProcessState.ExitCode()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		code = complain(err)
	}
	if left := RemoveCgroups(token); len(left) > 0 {
		fmt.Printf("--- FAIL: view %s left cgroups behind (removed now): %s\n", view, strings.Join(left, " "))
		code = max(code, 1)
	}
	return code
}

// runView is the child of spawnView: it arranges the mounts, runs the tests
// and looks for what they left.
func runView(m *testing.M, child string) int {
	view, rest, _ := strings.Cut(child, ":")
	token, dir, _ := strings.Cut(rest, ":")
	current.view, current.token, current.dir = View(view), token, dir
	os.Unsetenv(childEnv)
	if err := enterView(); err != nil {
		return complain(fmt.Errorf("view %s: %w", view, err))
	}
	before := openFiles()
	code := m.Run()
	return max(code, reportLeftovers(before))
}

// enterView arranges the mounts of this process's own mount namespace.
func enterView() error {
	// A new PID namespace needs a procfs that shows it.
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := arrangeCgroups(current.view); err != nil {
		return err
	}
	// Everything lives on a tmpfs: quick, gone with the namespace, and on a
	// device of its own, so that deleting it cannot stray to the host.
	if err := unix.Mount("tmpfs", current.dir, "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mount %s: %w", current.dir, err)
	}
	// systemd makes "/" shared on every common distribution; a runtime that
	// forgets to stop propagation is only caught when the caller's "/" is.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("make / shared: %w", err)
	}
	return nil
}

// arrangeCgroups turns the inherited cgroup mounts into those of the view.
func arrangeCgroups(view View) error {
	switch view {
	case AsIs:
		return nil
	case V1:
		return Unmount(func(m Mount) bool { return m.Type == "cgroup2" })
	case V2:
		if isCgroup2("/sys/fs/cgroup") {
			return nil
		}
		if err := Unmount(func(m Mount) bool { return Within(m.Point, "/sys/fs/cgroup") }); err != nil {
			return err
		}
		flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
		if err := unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", flags, ""); err != nil {
			return fmt.Errorf("mount cgroup2: %w", err)
		}
		return nil
	}
	return fmt.Errorf("unknown view %q (have %s, %s, %s)", view, AsIs, V1, V2)
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "tests:", err)
	return 2
}
