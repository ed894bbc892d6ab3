package tests

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
)

// running is a container that waits, from an ordinary configuration.
func running(t *testing.T, edits ...harness.Edit) (*harness.Env, *harness.Container) {
	t.Helper()
	env := harness.New(t)
	return env, env.Running(env.Bundle(append([]harness.Edit{harness.Forever}, edits...)...))
}

// TestExecExitCode: exec's exit code is the program's, or 128 plus the number
// of the signal that ended it.
func TestExecExitCode(t *testing.T) {
	t.Parallel()
	_, c := running(t)
	cases := []struct {
		script string
		code   int
	}{
		{"exit 0", 0}, {"exit 1", 1}, {"exit 7", 7}, {"exit 255", 255},
		{"kill -TERM $$", 143}, {"kill -KILL $$", 137}, {"kill -SEGV $$", 139},
	}
	for _, x := range cases {
		t.Run(x.script, func(t *testing.T) {
			c.ExecShell(x.script).WantCode(t, x.code)
		})
	}
}

// TestExecInside: the process is in the namespaces, the root and the cgroup of
// the container, in a session of its own, and without a terminal.
func TestExecInside(t *testing.T) {
	t.Parallel()
	_, c := running(t)
	for _, ns := range []string{"mnt", "pid", "net", "ipc", "uts", "user", "cgroup", "time"} {
		link, err := os.Readlink(c.Proc("ns/" + ns))
		check(t, err)
		want(t, ns+" namespace", c.Exec("readlink", "/proc/self/ns/"+ns).WantCode(t, 0).Stdout, link+"\n")
	}
	want(t, "cgroups", c.Exec("cat", "/proc/self/cgroup").Stdout, c.Exec("cat", "/proc/1/cgroup").Stdout)
	r := c.ExecShell(`hostname; pwd; tty; ls /; read pid rest </proc/self/stat; set -- $rest; echo "session $5 of $$"`)
	r.WantCode(t, 0)
	for _, part := range []string{"box\n/\nnot a tty\nbin\n"} {
		if !strings.HasPrefix(r.Stdout, part) {
			t.Errorf("no %q in %q", part, r.Stdout)
		}
	}
}

// TestExecStdio: pipes and files are handed on as they are.
func TestExecStdio(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	in := file(t, env, "in")
	_, err := in.WriteString("question\n")
	check(t, err)
	_, err = in.Seek(0, 0)
	check(t, err)
	x := c.ExecCommand(nil, "sh", "-c", "cat; echo problem >&2; exit 3")
	x.Stdin = in
	r := x.Run().WantCode(t, 3)
	want(t, "stdout", r.Stdout, "question\n")
	want(t, "stderr", r.Stderr, "problem\n")

	reader, writer, err := os.Pipe()
	check(t, err)
	defer reader.Close()
	x = c.ExecCommand([]string{"--user", "1000"}, "sh", "-c", "cat >/dev/stdout; cat </dev/stdin")
	x.Stdin = reader
	process := x.Start()
	_, err = writer.WriteString("over")
	check(t, err)
	check(t, writer.Close())
	want(t, "stdout", process.Wait().WantCode(t, 0).Stdout, "over")
}

// TestExecDefaults: without flags the process is as the container's own.
func TestExecDefaults(t *testing.T) {
	t.Parallel()
	_, c := running(t, func(c *specs.Spec) {
		c.Process.User = specs.User{UID: 1000, GID: 1001, AdditionalGids: []uint32{5, 6}, Umask: harness.Pointer(uint32(0o27))}
		c.Process.Cwd = "/tmp"
		c.Process.Env = append(c.Process.Env, "FROM=config")
		c.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 123, Hard: 456}}
		c.Process.OOMScoreAdj = harness.Pointer(77)
	})
	r := c.ExecShell("id -u; id -g; id -G; umask; pwd; echo $FROM; ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj")
	want(t, "output", r.WantCode(t, 0).Stdout, "1000\n1001\n1001 5 6\n0027\n/tmp\nconfig\n123\n456\n77\n")
	init, exec := read(t, c.Proc("status")), c.Exec("cat", "/proc/self/status").Stdout
	for _, field := range []string{"Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Umask"} {
		want(t, field, statusField(t, exec, field), statusField(t, init, field))
	}
}

// TestExecFlags: what each flag changes.
func TestExecFlags(t *testing.T) {
	t.Parallel()
	_, c := running(t, func(c *specs.Spec) {
		c.Process.NoNewPrivileges = false
		c.Process.Env = append(c.Process.Env, "FROM=config", "KEPT=kept")
		c.Process.User = specs.User{UID: 7, GID: 8, AdditionalGids: []uint32{9}}
	})
	cases := []struct {
		name   string
		flags  []string
		script string
		want   string
	}{
		{"cwd", []string{"--cwd", "/tmp"}, "pwd", "/tmp"},
		{"env", []string{"--env", "FROM=flag", "-e", "NEW=new", "-e", "NEW=newer", "--env", "EMPTY="},
			`echo "$FROM $KEPT $NEW <${EMPTY-unset}>"; env | grep -c '^FROM='`, "flag kept newer <>\n1"},
		{"uid", []string{"--user", "1000"}, "id -u; id -g; id -G", "1000\n8\n8 9"},
		{"uid and gid", []string{"-u", "1000:1001"}, "id -u; id -g; id -G", "1000\n1001\n1001 9"},
		{"user by name", []string{"--user", "user"}, "id -u; id -g", "1000\n1000"},
		{"user and group by name", []string{"--user=user:root"}, "id -u; id -g", "1000\n0"},
		{"name and number", []string{"--user=root:5"}, "id -u; id -g", "0\n5"},
		{"additional gids", []string{"--additional-gids", "21", "-g", "22"}, "id -G", "8 9 21 22"},
		{"user and additional gids", []string{"--user", "1:2", "-g", "22"}, "id -G", "2 9 22"},
		{"home of the user", []string{"--user", "user"}, "echo $HOME", "/home/user"},
		{"no new privileges", []string{"--no-new-privs"}, "grep NoNewPrivs: /proc/self/status", "NoNewPrivs:\t1"},
		{"new privileges", []string{"--no-new-privs=false"}, "grep NoNewPrivs: /proc/self/status", "NoNewPrivs:\t0"},
		{"one dash", []string{"-cwd=/tmp"}, "pwd", "/tmp"},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			r := c.ExecShell(x.script, x.flags...).WantCode(t, 0)
			want(t, "output", strings.TrimSuffix(r.Stdout, "\n"), x.want)
			want(t, "stderr", r.Stderr, "")
		})
	}
}

// TestExecFlagsEnd: what follows the id belongs to the program, flags too.
func TestExecFlagsEnd(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	want(t, "output", c.Exec("echo", "--cwd", "/tmp", "-d").WantCode(t, 0).Stdout, "--cwd /tmp -d\n")
	want(t, "output", env.Call("exec", c.ID, "--", "echo", "x").Code, 255) // "--" is the program, as in runc
}

// TestExecCapabilities: --cap adds to the bounding, effective and permitted
// sets; to the ambient one only what the config has as inheritable.
func TestExecCapabilities(t *testing.T) {
	t.Parallel()
	_, c := running(t)
	const kill, netRaw, chroot = 1 << 5, 1 << 13, 1 << 18
	base := uint64(1<<29 | kill | 1<<10)
	sets := func(r harness.Result) string {
		r.WantCode(t, 0)
		var b strings.Builder
		for _, name := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
			b.WriteString(strings.TrimLeft(statusField(t, r.Stdout, name), "0") + " ")
		}
		return b.String()
	}
	status := []string{"cat", "/proc/self/status"}
	want(t, "without --cap", sets(c.Exec(status...)), hexSets(0, base, base, base, 0))
	with := base | netRaw | chroot
	want(t, "as root", sets(c.ExecCommand([]string{"--cap", "CAP_NET_RAW", "-c", "CAP_SYS_CHROOT"}, status...).Run()),
		hexSets(0, with, with, with, 0))
	want(t, "as a user", sets(c.ExecCommand([]string{"--cap", "CAP_NET_RAW", "-u", "5"}, status...).Run()),
		hexSets(0, 0, 0, base|netRaw, 0))
	r := c.ExecCommand([]string{"--cap", "CAP_BOGUS"}, "true").Run().WantCode(t, 0)
	if !strings.Contains(r.Stderr, "ignoring unknown or unavailable capabilities: [CAP_BOGUS]") {
		t.Errorf("no warning: %s", r)
	}
}

// TestExecErrors: exec's own failures have exit code 255 and say what is wrong.
func TestExecErrors(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	write(t, c.Bundle.Path("etc/data"), "text")
	check(t, os.Symlink("/nowhere", c.Bundle.Path("bin/dangling")))
	cases := []struct {
		name  string
		flags []string
		args  []string
		parts []string
	}{
		{"no program", nil, nil, []string{"exec args cannot be empty"}},
		{"missing", nil, []string{"nosuch"}, []string{`"nosuch"`, "executable file not found in $PATH"}},
		{"missing path", nil, []string{"/nosuch"}, []string{"/nosuch", "no such file or directory"}},
		{"dangling", nil, []string{"/bin/dangling"}, []string{"/bin/dangling", "no such file or directory"}},
		{"directory", nil, []string{"/etc"}, []string{"/etc", "is a directory"}},
		{"not executable", nil, []string{"/etc/data"}, []string{"/etc/data", "permission denied"}},
		{"empty name", nil, []string{""}, []string{"executable file not found in $PATH"}},
		{"relative cwd", []string{"--cwd", "tmp"}, []string{"true"}, []string{"--cwd", "Cwd must be an absolute path"}},
		{"missing cwd", []string{"--cwd", "/nosuch"}, []string{"true"}, []string{"/nosuch", "no such file or directory"}},
		{"cwd is a file", []string{"--cwd", "/etc/data"}, []string{"true"}, []string{"/etc/data", "not a directory"}},
		{"unknown user", []string{"--user", "nobody"}, []string{"true"}, []string{`"nobody"`, "no such user"}},
		{"unknown group", []string{"--user", "0:staff"}, []string{"true"}, []string{`"staff"`, "no such group"}},
		{"negative uid", []string{"--user", "-1"}, []string{"true"}, []string{"-1"}},
		{"large uid", []string{"--user", "4294967296"}, []string{"true"}, []string{"4294967296"}},
		{"bad gid", []string{"-g", "wheel"}, []string{"true"}, []string{"--additional-gids", "wheel"}},
		{"bad variable", []string{"-e", "NOVALUE"}, []string{"true"}, []string{"NOVALUE"}},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			c.ExecCommand(x.flags, x.args...).Run().WantError(t, 255, x.parts...)
		})
	}
	env.Call("exec", "nosuch", "true").WantError(t, 255, "exec failed: ", "container does not exist")
	wantOneError(t, env.Call("exec").WantCode(t, 1), `"exec" requires a minimum of 1 argument`)
	wantOneError(t, env.Call("exec", "--preserve-fds", "-1", "x", "true").WantCode(t, 1), "preserve-fds")
}

// TestExecStopped and what else takes no process.
func TestExecStopped(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle())
	c.Stop()
	c.Exec("true").WantError(t, 255, "exec failed: ", "cannot exec in a stopped container")
}

// TestExecCreated: a container can be entered before it is started.
func TestExecCreated(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Forever))
	want(t, "output", c.Exec("hostname").WantCode(t, 0).Stdout, "box\n")
	c.WantStatus("created")
	c.Start()
	c.WaitStdout("ready")
}

// TestExecUserNamespace: the process is the container's root, not the host's.
func TestExecUserNamespace(t *testing.T) {
	t.Parallel()
	_, c := running(t, harness.UserNamespace)
	r := c.ExecShell("id -u; id -g; cat /proc/self/uid_map; readlink /proc/self/ns/user; stat -c %u /proc/$$/stat")
	link, err := os.Readlink(c.Proc("ns/user"))
	check(t, err)
	fields := strings.Fields(r.WantCode(t, 0).Stdout)
	want(t, "output", strings.Join(fields, " "), "0 0 0 100000 65536 "+link+" 0")
	r = c.ExecShell("id -u; id -G; grep CapEff /proc/self/status; echo x >/tmp/x", "--user", "1000:1000", "-g", "44")
	want(t, "as a user", strings.Join(strings.Fields(r.WantCode(t, 0).Stdout), " "), "1000 1000 44 CapEff: 0000000000000000")
	want(t, "owner", owner(t, c.Bundle.Path("tmp/x")), "101000:101000")
	c.ExecShell("true", "--user", "70000").WantError(t, 255, "70000", "not mapped")
}

// TestExecDetach: exec returns when the program runs, after the pid file was
// written, and leaves it running.
func TestExecDetach(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	call, pid := c.ExecDetached(nil, "sh", "-c", "echo one; sleep 0.2; exit 4")
	call.WaitStdout("one\n")
	status := read(t, fmt.Sprintf("/proc/%d/status", pid))
	want(t, "parent, once exec is gone", statusField(t, status, "PPid"), "1") // that is this test
	want(t, "pid namespaces it is in", len(strings.Fields(statusField(t, status, "NSpid"))), 2)
	want(t, "exit status", c.WaitPid(pid).ExitStatus(), 4)

	c.ExecCommand([]string{"-d", "--pid-file", env.File("none")}, "nosuch").Run().WantError(t, 255, "executable file not found")
	if _, err := os.Stat(env.File("none")); err == nil {
		t.Error("a failed exec has written a pid file")
	}
}

// TestExecPidFileForeground: the pid file is there while the program runs.
func TestExecPidFileForeground(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	pidFile := env.File("pid")
	process := c.ExecCommand([]string{"--pid-file", pidFile}, "sh", "-c", "echo up; read x").Start()
	process.WaitStdout("up")
	check(t, harness.Eventually(harness.Timeout(), func() bool { _, err := os.Stat(pidFile); return err == nil }))
	process.Wait().WantCode(t, 1) // stdin is /dev/null
	if text := read(t, pidFile); strings.Trim(text, "0123456789") != "" || text == "" {
		t.Errorf("pid file %q", text)
	}
}

// TestExecForwardsSignals: what the foreground exec receives, the program gets.
func TestExecForwardsSignals(t *testing.T) {
	t.Parallel()
	_, c := running(t)
	process := c.ExecCommand(nil, "sh", "-c", `
		for s in HUP INT QUIT USR1 USR2 WINCH TSTP CONT ALRM; do trap "echo got $s" $s; done
		trap 'echo got TERM; exit 3' TERM
		echo ready; while :; do sleep 1000 & wait $!; done`).Start()
	process.WaitStdout("ready")
	for _, s := range forwarded {
		process.Signal(s.number)
		process.WaitStdout("got " + s.name + "\n")
	}
	process.Wait().WantCode(t, 3)
}

// TestExecKilled: the program dies of a signal that it does not handle.
func TestExecKilled(t *testing.T) {
	t.Parallel()
	_, c := running(t)
	process := c.ExecCommand(nil, "sh", "-c", "echo ready; exec sleep 1000").Start()
	process.WaitStdout("ready")
	process.Signal(forwarded[0].number)
	process.Wait().WantCode(t, 128+int(forwarded[0].number))
}

// hexSets spells capability sets as /proc/PID/status does, without zeros in front.
func hexSets(sets ...uint64) string {
	var b strings.Builder
	for _, set := range sets {
		text := strconv.FormatUint(set, 16)
		b.WriteString(strings.TrimLeft(text, "0") + " ")
	}
	return b.String()
}

// forwarded are the signals that a foreground run or exec passes on, SIGTERM last.
var forwarded = []struct {
	number syscall.Signal
	name   string
}{
	{syscall.SIGHUP, "HUP"}, {syscall.SIGINT, "INT"}, {syscall.SIGQUIT, "QUIT"}, {syscall.SIGUSR1, "USR1"},
	{syscall.SIGUSR2, "USR2"}, {syscall.SIGWINCH, "WINCH"}, {syscall.SIGTSTP, "TSTP"}, {syscall.SIGCONT, "CONT"},
	{syscall.SIGALRM, "ALRM"}, {syscall.SIGTERM, "TERM"},
}
