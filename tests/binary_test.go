package tests

import (
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// TestStatic: the binary needs no loader and no library of the host.
func TestStatic(t *testing.T) {
	t.Parallel()
	f, err := elf.Open(harness.Binary(t))
	check(t, err)
	defer f.Close()
	want(t, "type", f.Type, elf.ET_EXEC) // not PIE: relocations cost start-up time
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("dynamically linked: has %s", p.Type)
		}
		if p.Flags&elf.PF_W != 0 && p.Flags&elf.PF_X != 0 && p.Type == elf.PT_LOAD {
			t.Error("a segment is writable and executable")
		}
	}
}

// TestEmptyRoot: it runs in a directory that holds nothing else: no /proc, no
// /etc, no /tmp.
func TestEmptyRoot(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	root := env.File("empty")
	check(t, os.Mkdir(root, 0o755))
	data := read(t, harness.Binary(t))
	script(t, filepath.Join(root, "runtime"), data)
	for _, args := range [][]string{{"--version"}, {"--help"}, {"list"}} {
		c := env.BareCommand(args...)
		c.Binary, c.Dir, c.Env = "/runtime", "/", []string{}
		c.Attr.Chroot = root
		if r := c.Run().WantCode(t, 0); !strings.Contains(r.Stdout, "runtime") && !strings.Contains(r.Stdout, "STATUS") {
			t.Error(r)
		}
	}
	check(t, os.Remove(filepath.Join(root, "runtime")))
	wantEmpty(t, root)
}

// TestNoEnvironment: CRI-O gives the runtime no HOME, conmon not even a PATH.
func TestNoEnvironment(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	run := env.RunCommand(env.Bundle(ran))
	run.Env = []string{}
	wantRan(t, run.Run())
}

// TestClosedStdio: started without stdin, stdout and stderr at all.
func TestClosedStdio(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Shell("ls -l /proc/$$/fd >/tmp/fds"))
	run := env.RunCommand(bundle)
	run.Args = append([]string{"-c", `exec "$0" "$@" <&- >&- 2>&-`, run.Binary}, run.Args...)
	run.Binary = "/bin/sh"
	run.Run().WantCode(t, 0)
	for line := range strings.Lines(read(t, bundle.Path("tmp/fds"))) {
		if _, link, ok := strings.Cut(strings.TrimSpace(line), " -> "); ok && !strings.HasPrefix(link, "/dev/null") && link != "/tmp/fds" {
			t.Errorf("an open file of the runtime became stdio: %s", link)
		}
	}
}

// TestWorkingDirectoryUntouched: nothing is written beside the caller.
func TestWorkingDirectoryUntouched(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := env.File("cwd")
	check(t, os.Mkdir(dir, 0o755))
	run := env.RunCommand(env.Bundle(ran))
	run.Dir = dir
	wantRan(t, run.Run())
	wantEmpty(t, dir)
}

// TestNoHelpers: a run executes no program of the host, and not itself again.
func TestNoHelpers(t *testing.T) {
	t.Parallel()
	strace := require.Program(t, "strace")
	env := harness.New(t)
	trace := env.File("trace")
	run := env.RunCommand(env.Bundle())
	run.Args = append([]string{"-f", "-e", "trace=execve,execveat", "-o", trace, run.Binary}, run.Args...)
	run.Binary = strace
	run.Run().WantCode(t, 0)
	count := 0
	for line := range strings.Lines(read(t, trace)) {
		if strings.Contains(line, "exec") && strings.Contains(line, "= 0") {
			count++
		}
	}
	// The runtime, the stage's image, and the user's program.
	if count < 2 || count > 3 {
		t.Errorf("%d programs were executed:\n%s", count, read(t, trace))
	}
}
