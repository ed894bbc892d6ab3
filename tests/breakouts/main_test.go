// Package breakouts plays the attacker: a hostile image, a hostile neighbour
// that shares a volume, a hostile process in the container. For each way out of
// a container that any runtime is known to have had there is a test here, which
// docs/security.md refers to.
package breakouts

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/view"
)

func TestMain(m *testing.M) { os.Exit(view.Main(m)) }

// raceEnv is for how long each race is run, as in "1m". Races are the more
// convincing the longer they last.
const raceEnv = "BREAKOUT_RACE"

// raceStarts bounds the number of starts of one race.
const raceStarts = 1000

func raceTime() time.Duration {
	if d, err := time.ParseDuration(os.Getenv(raceEnv)); err == nil {
		return d
	}
	return 3 * time.Second
}

// race calls attempt until the time is over. Races do not depend on how cgroups
// are mounted, so one view runs them.
func race(t *testing.T, attempt func(i int)) {
	t.Helper()
	raceUntil(t, func() bool { return true }, attempt)
}

// raceUntil is race that goes on, if need be, until there is something to show:
// on a machine that has much to do, few attempts fit into the time.
func raceUntil(t *testing.T, shown func() bool, attempt func(i int)) {
	t.Helper()
	began := time.Now()
	over := func() bool {
		took := time.Since(began)
		return took > raceTime() && shown() || took > raceTime()+harness.Timeout()
	}
	i := 0
	for ; i < raceStarts && !over() && !t.Failed(); i++ {
		attempt(i)
	}
	t.Logf("%d attempts", i)
}

// oneView skips all views but the first that this host shows, for what costs
// time and does not depend on cgroups.
func oneView(t *testing.T) {
	t.Helper()
	if view.Current() == view.V1 || view.Current() == view.V2 && hostHasV1(t) {
		t.Skip("does not depend on the view; another one runs it")
	}
}

// hostHasV1 tells whether some controller is in a version 1 hierarchy, which has
// a number then: cgroups(7), /proc/cgroups.
func hostHasV1(t *testing.T) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/cgroups")
	check(t, err)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); line[0] != '#' && len(f) > 1 && f[1] != "0" {
			return true
		}
	}
	return false
}

// swap exchanges two directory entries as fast as it can, until the test ends.
func swap(t *testing.T, a, b string) {
	t.Helper()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
				t.Errorf("exchange %s and %s: %v", a, b, err)
				return
			}
			runtime.Gosched()
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped })
}

// victim is a directory of the host that the attacker wants to reach. It must
// be the same at the end of the test.
func victim(t *testing.T, env *harness.Env) string {
	t.Helper()
	dir := env.File("victim")
	check(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o755))
	for _, name := range []string{"secret", "ptmx", "null", "console", "sub/secret"} {
		check(t, os.WriteFile(filepath.Join(dir, name), []byte("of the host\n"), 0o644))
	}
	before := fingerprint(t, dir)
	t.Cleanup(func() {
		if after := fingerprint(t, dir); after != before {
			t.Errorf("the host has changed:\n%s\nwas\n%s", after, before)
		}
	})
	return dir
}

// fingerprint describes all below dir.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	check(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %o %d:%d rdev %d", strings.TrimPrefix(path, dir), st.Mode, st.Uid, st.Gid, st.Rdev)
		if st.Mode&unix.S_IFMT == unix.S_IFREG {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %x", sha256.Sum256(data))
		}
		b.WriteByte('\n')
		return nil
	}))
	return b.String()
}

// withAttacker binds the program in ./attacker, which does inside what busybox
// cannot, on /tmp/attacker.
func withAttacker(t *testing.T) harness.Edit {
	t.Helper()
	return harness.Program(t, "tests/breakouts/attacker")
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// link makes path a symbolic link, whatever was there before.
func link(t testing.TB, target, path string) {
	t.Helper()
	check(t, os.RemoveAll(path))
	check(t, os.Symlink(target, path))
}

// escapes are link targets that lead to dir if they are followed on the host.
func escapes(dir string) []string {
	return []string{dir, strings.Repeat("../", 30) + dir[1:]}
}

// bind is a mount of a file or directory.
func bind(source, destination string, options ...string) harness.Edit {
	return harness.Mounted(specs.Mount{Destination: destination, Type: "bind", Source: source, Options: append([]string{"bind"}, options...)})
}

// write makes a file. A program is written while nobody forks, or a child would
// hold it open: ETXTBSY, golang.org/issue/22315.
func write(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	check(t, os.WriteFile(path, []byte(text), mode))
	check(t, os.Chmod(path, mode))
}

func mkdir(t testing.TB, path string) {
	t.Helper()
	check(t, os.MkdirAll(path, 0o755))
}

// hasSeccomp tells whether the binary was built with libseccomp.
func hasSeccomp(env *harness.Env) bool {
	return strings.Contains(env.BareCommand("--version").Run().Stdout, "\nlibseccomp: ")
}

// filtered adds a seccomp profile, whose filter goes into the cache, if the
// binary can make one.
func filtered(env *harness.Env) harness.Edit {
	return func(c *specs.Spec) {
		if hasSeccomp(env) {
			c.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
		}
	}
}
