package tests

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
)

// The process that waits between create and start is all of the runtime that
// ever is inside a container.

// TestWaitingProcess: one thread, hardly any memory, and a name that says what
// it is.
func TestWaitingProcess(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle())
	status := read(t, c.Proc("status"))
	want(t, "threads", statusField(t, status, "Threads"), "1")
	resident, err := strconv.Atoi(strings.TrimSuffix(statusField(t, status, "VmRSS"), " kB"))
	if err != nil || resident >= 300 {
		t.Errorf("resident memory: %d kB, %v; want less than 300 kB", resident, err)
	}
	name := statusField(t, status, "Name")
	if _, err := strconv.Atoi(name); err == nil || len(name) < 3 {
		t.Errorf("name of the process: %q", name)
	}
	entries, err := os.ReadDir(c.Proc("task"))
	check(t, err)
	want(t, "tasks", len(entries), 1)
}

// TestWaitingNotDumpable: the files of a process that is not dumpable belong to
// root, proc(5), so the user of the container cannot trace it or open what it
// has open (CVE-2016-9962).
func TestWaitingNotDumpable(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(func(c *specs.Spec) { c.Process.User = specs.User{UID: 1000, GID: 1000} }))
	want(t, "owner of /proc/PID/fd", owner(t, c.Proc("fd")), "0:0")
}

// TestWaitingExe: what the container sees as /proc/1/exe is not the host's
// binary, and cannot be written (CVE-2019-5736).
func TestWaitingExe(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	binary := harness.Binary(t)
	before := sha256.Sum256([]byte(read(t, binary)))
	c := env.Create(env.Bundle())
	var exe, host unix.Stat_t
	check(t, unix.Stat(c.Proc("exe"), &exe))
	check(t, unix.Stat(binary, &host))
	if exe.Dev == host.Dev && exe.Ino == host.Ino {
		t.Error("/proc/PID/exe is the host's binary")
	}
	if f, err := os.OpenFile(c.Proc("exe"), os.O_WRONLY, 0); err == nil {
		f.Close()
		t.Error("/proc/PID/exe can be opened for writing")
	}
	if sha256.Sum256([]byte(read(t, binary))) != before {
		t.Error("the binary has changed")
	}
}

// TestWaitingFiles: nothing the container could climb out by (CVE-2024-21626):
// stdio, and no file or directory of the host.
func TestWaitingFiles(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir, err := os.Open("/")
	check(t, err)
	defer dir.Close()
	bundle := env.Bundle()
	create := env.Command("create", "--bundle", bundle.Dir, env.ID())
	create.Files = []*os.File{dir, file(t, env, "secret")}
	c := env.Adopt(create, bundle)
	// create may return a moment before the process has closed the last file.
	var held string
	err = harness.Eventually(harness.Timeout(), func() bool {
		held = heldFiles(t, c)
		return held == ""
	})
	if err != nil {
		t.Errorf("the waiting process holds %s", held)
	}
}

// heldFiles describes the regular files and directories a container's process
// has open, stdio apart.
func heldFiles(t *testing.T, c *harness.Container) string {
	t.Helper()
	entries, err := os.ReadDir(c.Proc("fd"))
	check(t, err)
	var held strings.Builder
	for _, entry := range entries {
		path := filepath.Join(c.Proc("fd"), entry.Name())
		var st unix.Stat_t
		if number, _ := strconv.Atoi(entry.Name()); number <= 2 || unix.Stat(path, &st) != nil {
			continue // closed meanwhile
		}
		if kind := st.Mode & unix.S_IFMT; kind == unix.S_IFDIR || kind == unix.S_IFREG {
			link, _ := os.Readlink(path)
			held.WriteString(entry.Name() + ": " + link + " ")
		}
	}
	return held.String()
}

// TestWaitingReady: everything but the program is in place when create
// returns: root, mounts, hostname, cgroup.
func TestWaitingReady(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Mounted(tmpfs("/mnt/made"))))
	mounts := read(t, c.Proc("mountinfo"))
	for _, point := range []string{" / ", " /proc ", " /mnt/made "} {
		if !strings.Contains(mounts, point) {
			t.Errorf("nothing mounted at %s", point)
		}
	}
	if strings.Contains(mounts, env.Dir+" ") {
		t.Error("the host's mounts show")
	}
}

// TestProgramFiles: the program has stdio and nothing else, whatever the
// caller had open.
func TestProgramFiles(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir, err := os.Open("/")
	check(t, err)
	defer dir.Close()
	run := env.RunCommand(env.Bundle(harness.Args("ls", "/proc/self/fd")))
	run.Files = []*os.File{dir, file(t, env, "a"), file(t, env, "b")}
	want(t, "descriptors, 3 being ls's own", fields(run.Run().WantCode(t, 0).Stdout), "0 1 2 3")
}

// TestPreserveFDs: the next N descriptors after stdio are passed, no others.
func TestPreserveFDs(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	write(t, env.File("first"), "first\n")
	write(t, env.File("second"), "second\n")
	first, err := os.Open(env.File("first"))
	check(t, err)
	defer first.Close()
	second, err := os.Open(env.File("second"))
	check(t, err)
	defer second.Close()
	for _, verb := range []string{"run", "create"} {
		t.Run(verb, func(t *testing.T) {
			bundle := env.Bundle(harness.Shell("cat <&3; cat <&4; ls /proc/self/fd | tr '\\n' ' '"))
			command := env.Command(verb, "--bundle", bundle.Dir, "--preserve-fds", "2", env.ID())
			command.Files = []*os.File{first, second, file(t, env, "third")}
			for _, f := range []*os.File{first, second} {
				_, err := f.Seek(0, 0)
				check(t, err)
			}
			if verb == "run" {
				want(t, "output", command.Run().WantCode(t, 0).Stdout, "first\nsecond\n0 1 2 3 4 5 ")
				return
			}
			c := env.Adopt(command, bundle)
			c.Start()
			c.Wait()
			want(t, "output", c.Stdout(), "first\nsecond\n0 1 2 3 4 5 ")
		})
	}
}

// TestPreserveFDsMissing: descriptors that the caller does not have are an
// error; the runtime's own must not be handed over instead.
func TestPreserveFDsMissing(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for n, files := range map[string][]*os.File{"0": nil, "1": {file(t, env, "a")}} {
		run := env.RunCommand(env.Bundle(), "--preserve-fds", "5")
		run.Files = files
		run.Run().WantError(t, 1, "unable to stat preserved-fd "+n+" (of 5)")
	}
}

// listening has a command called as systemd would, with sockets from descriptor
// 3 on. LISTEN_PID must be the pid of whom they are for, sd_listen_fds(3).
func listening(c *harness.Command, files ...*os.File) *harness.Command {
	script := fmt.Sprintf(`LISTEN_FDS=%d LISTEN_PID=$$ LISTEN_FDNAMES=web exec "$0" "$@"`, len(files))
	c.Files = files
	c.Args = append([]string{"-c", script, c.Binary}, c.Args...)
	c.Binary = "/bin/sh"
	return c
}

// showListening prints what sd_listen_fds(3) looks at: the last two agree.
const showListening = "cat <&3; echo $LISTEN_FDS $LISTEN_FDNAMES; echo pid $LISTEN_PID $$; ls /proc/self/fd | tr '\\n' ' '; echo; env | grep -c LISTEN_"

// wantListening checks that output, for one descriptor.
func wantListening(t *testing.T, output string) {
	t.Helper()
	lines := strings.Split(output, "\n")
	if len(lines) < 5 {
		t.Fatalf("got %q", output)
	}
	pid := strings.Fields(lines[2])
	want(t, "descriptor, number and name", lines[0]+" "+lines[1], "content 1 web")
	if len(pid) != 3 || pid[1] != pid[2] {
		t.Errorf("LISTEN_PID is not the program's pid: %q", pid)
	}
	want(t, "descriptors", lines[3], "0 1 2 3 4 ")
	want(t, "variables", lines[4], "3")
}

// TestListenFDs: systemd's socket activation: LISTEN_FDS descriptors follow
// stdio, and LISTEN_PID is the program's own pid, in whatever pid namespace.
func TestListenFDs(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	write(t, env.File("socket"), "content\n")
	holder := env.Holder(unix.CLONE_NEWPID)
	for name, edit := range map[string]harness.Edit{
		"own":    func(*specs.Spec) {},
		"host's": harness.WithoutNamespace(specs.PIDNamespace),
		"joined": harness.Namespace(specs.PIDNamespace, harness.NamespacePath(holder, "pid")),
		"HOME":   func(c *specs.Spec) { c.Process.Env = append(c.Process.Env, "HOME=/", "LISTEN_PID=1", "LISTEN_FDS=9") },
		"HOME, host's": func(c *specs.Spec) {
			c.Process.Env = append(c.Process.Env, "HOME=/", "LISTEN_PID=1")
			harness.WithoutNamespace(specs.PIDNamespace)(c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			socket, err := os.Open(env.File("socket"))
			check(t, err)
			defer socket.Close()
			bundle := env.Bundle(harness.Shell(showListening), edit)
			wantListening(t, listening(env.RunCommand(bundle), socket).Run().WantCode(t, 0).Stdout)

			_, err = socket.Seek(0, 0)
			check(t, err)
			c := env.Adopt(listening(env.Command("create", "--bundle", bundle.Dir, env.ID()), socket), bundle)
			c.Start()
			c.Wait()
			wantListening(t, c.Stdout())
		})
	}
}

// TestExecListenFDs: so it is for exec, whose process is never pid 1.
func TestExecListenFDs(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]harness.Edit{
		"own": func(*specs.Spec) {}, "host's": harness.WithoutNamespace(specs.PIDNamespace), "user namespace": harness.UserNamespace,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, c := running(t, edit)
			write(t, env.File("socket"), "content\n")
			for _, flags := range [][]string{nil, {"--env", "HOME=/", "--env", "LISTEN_PID=1"}, {"--user", "5"}} {
				socket, err := os.Open(env.File("socket"))
				check(t, err)
				defer socket.Close()
				x := c.ExecCommand(flags, "sh", "-c", showListening)
				wantListening(t, listening(x, socket).Run().WantCode(t, 0).Stdout)
			}
		})
	}
}

// TestSigmask: the program starts with no signal blocked or ignored that its
// parent did not block or ignore.
func TestSigmask(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	text := status(env, func(*specs.Spec) {})
	want(t, "SigBlk", statusField(t, text, "SigBlk"), "0000000000000000")
	// Our own parent may have had us ignore some: glibc's posix_spawn(3), and
	// so make, does that with signal 32.
	own := statusField(t, read(t, "/proc/self/status"), "SigIgn")
	want(t, "SigIgn", statusField(t, text, "SigIgn"), own)
}
