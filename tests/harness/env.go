// Package harness drives the runtime binary the way its users do: bundles and
// argv in; exit code, output and what is left on the host out. It knows nothing
// of the runtime's code.
//
// A test makes an Env, a Bundle and runs it:
//
//	func TestExitCode(t *testing.T) {
//		t.Parallel()
//		env := harness.New(t)
//		result := env.Run(env.Bundle(harness.Shell("exit 7")))
//		...
//	}
//
// When the test ends, the Env checks that no process, mount, cgroup or state
// of it is left; see leak.go. Package view runs everything on several kinds of host.
package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ociruntime/tests/require"
	"ociruntime/tests/view"
)

const (
	binaryEnv = "RUNTIME_BINARY"     // set by the user: the binary under test, default the repository's ./runtime
	tokenEnv  = "RUNTIME_TEST_TOKEN" // in the environment of every runtime process we start
)

// Env is the surroundings of one test: its own --root, its own directory, and
// a token that is part of everything it makes. Safe for parallel tests, one
// Env each.
type Env struct {
	T    *testing.T
	Dir  string // scratch directory, on a tmpfs of its own
	Root string // state directory, given to the runtime as --root

	token   string
	roots   []inode  // root file systems of this test's bundles
	mounts  []string // mount points the test itself has made in Dir
	holders []int    // processes the test itself keeps, see Holder
	serial  int      // last number given out by next
}

// envs counts the Envs of this process, for unique tokens.
var envs atomic.Int64

// New makes the surroundings of the test and arranges the leak check at its end.
func New(t *testing.T) *Env {
	t.Helper()
	require.Root(t)
	return NewForUser(t)
}

// NewForUser is New for tests that also run as an ordinary user.
func NewForUser(t *testing.T) *Env {
	t.Helper()
	n := envs.Add(1)
	e := &Env{T: t, token: fmt.Sprintf("%sn%d", view.Token(), n)}
	e.Dir = filepath.Join(view.Dir(), fmt.Sprint(n))
	e.Root = filepath.Join(e.Dir, "state")
	must(t, os.Mkdir(e.Dir, 0o755))
	t.Cleanup(func() {
		e.checkLeaks()
		if err := removeTree(e.Dir); err != nil {
			t.Error(err)
		}
	})
	return e
}

// Binary is the path of the runtime under test.
func Binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv(binaryEnv)
	if path == "" {
		path = filepath.Join(repository(t), "runtime")
	}
	path, err := filepath.Abs(path)
	must(t, err)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no runtime to test: %v (build it, or set %s)", err, binaryEnv)
	}
	return path
}

// repository is the directory of the module's go.mod, at or above the
// package's own, in which go test runs.
func repository(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	must(t, err)
	for dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal("no go.mod above the working directory")
	return ""
}

// ID returns a fresh container id.
func (e *Env) ID() string { return e.token + "-" + e.next("c") }

// File returns a path for a file of the test, outside any bundle.
func (e *Env) File(name string) string { return filepath.Join(e.Dir, name) }

// next returns the prefix with a number not used before in this Env.
func (e *Env) next(prefix string) string {
	e.serial++
	return fmt.Sprintf("%s%d", prefix, e.serial)
}

// Mount mounts a file system of the kind on dir, in this view only, until the
// test ends.
func (e *Env) Mount(kind, dir string, options ...string) {
	e.T.Helper()
	must(e.T, unix.Mount(kind, dir, kind, 0, strings.Join(options, ",")))
	e.Unmount(dir)
}

// Unmount lets the test end with an umount of dir, which the test has mounted.
func (e *Env) Unmount(dir string) {
	e.T.Helper()
	e.mounts = append(e.mounts, dir)
	e.T.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			e.T.Errorf("umount %s: %v", dir, err)
		}
		e.mounts = slices.DeleteFunc(e.mounts, func(point string) bool { return point == dir })
	})
}
