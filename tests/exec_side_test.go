package tests

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
	"ociruntime/tests/tracer"
	"ociruntime/tests/view"
)

// What an exec is given besides its program, and what it takes.

// TestExecPreserveFDs: the next N descriptors after stdio are passed, no others,
// in the foreground and detached; with those an engine has open.
func TestExecPreserveFDs(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	var files []*os.File
	for _, name := range []string{"first", "second", "third"} {
		write(t, env.File(name), name+"\n")
		f, err := os.Open(env.File(name))
		check(t, err)
		t.Cleanup(func() { f.Close() })
		files = append(files, f)
	}
	const script = "cat <&3; cat <&4; ls /proc/self/fd | tr '\\n' ' '"
	x := c.ExecCommand([]string{"--preserve-fds", "2"}, "sh", "-c", script)
	x.Files = files
	want(t, "output", x.Run().WantCode(t, 0).Stdout, "first\nsecond\n0 1 2 3 4 5 ")

	x = c.ExecCommand(nil, "ls", "/proc/self/fd")
	x.Files = files
	want(t, "without the flag, 3 being ls's own", fields(x.Run().WantCode(t, 0).Stdout), "0 1 2 3")

	for _, f := range files {
		_, err := f.Seek(0, 0)
		check(t, err)
	}
	x = c.ExecCommand([]string{"--detach", "--pid-file", env.File("pid"), "--preserve-fds=2"}, "sh", "-c", script+"; echo end; sleep 1000")
	x.Files = files
	process := x.Start()
	process.Wait().WantCode(t, 0)
	process.WaitStdout("end\n")
	want(t, "detached", process.Stdout(), "first\nsecond\n0 1 2 3 4 5 end\n")

	x = c.ExecCommand([]string{"--preserve-fds", "4"}, "true")
	x.Files = files
	x.Run().WantError(t, 255, "unable to stat preserved-fd 3 (of 4)")
	reap(t, env.File("pid"))
}

// reap ends and waits for the process of a detached exec, by its pid file.
func reap(t *testing.T, pidFile string) {
	t.Helper()
	pid, err := strconv.Atoi(read(t, pidFile))
	check(t, err)
	check(t, unix.Kill(pid, unix.SIGKILL))
	_, err = unix.Wait4(pid, nil, 0, nil)
	check(t, err)
}

// TestExecPidfdSocket: --pidfd-socket sends a pidfd of the new process.
func TestExecPidfdSocket(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	socket := env.FDSocket()
	_, pid := c.ExecDetached([]string{"--pidfd-socket", socket.Path}, "sleep", "1000")
	pidfd, text := socket.Receive()
	want(t, "message", text, "setns")
	info := read(t, fmt.Sprintf("/proc/self/fdinfo/%d", pidfd.Fd()))
	want(t, "process behind the pidfd", statusField(t, info, "Pid"), strconv.Itoa(pid))
	c.ExecCommand([]string{"--pidfd-socket", env.File("nosuch")}, "true").Run().
		WantError(t, 255, env.File("nosuch"), "no such file or directory")
}

// TestExecStdioOwner: pipes become the user's, who could not open /dev/stdout
// otherwise; what is nobody's to give away stays as it is.
func TestExecStdioOwner(t *testing.T) {
	t.Parallel()
	for _, userns := range []bool{false, true} {
		t.Run(fmt.Sprintf("userns=%v", userns), func(t *testing.T) {
			t.Parallel()
			edits, owned := []harness.Edit{}, "1000:0"
			if userns {
				edits, owned = append(edits, harness.UserNamespace), "101000:0"
			}
			env, c := running(t, edits...)
			in, out, err := os.Pipe()
			check(t, err)
			defer in.Close()
			defer out.Close()
			plain := file(t, env, "plain")
			x := c.ExecCommand([]string{"--user", "1000:1001"}, "sh", "-c", "true </dev/stdin; echo through >/dev/stdout")
			x.Stdout, x.Stderr = out, plain // and stdin is /dev/null
			if r := x.Run(); r.Code != 0 {
				t.Fatal(r, read(t, env.File("plain")))
			}
			var st unix.Stat_t
			check(t, unix.Fstat(int(out.Fd()), &st))
			want(t, "owner of the pipe", fmt.Sprintf("%d:%d", st.Uid, st.Gid), owned)
			want(t, "owner of the file", owner(t, env.File("plain")), "0:0")
			want(t, "owner of the device", owner(t, "/dev/null"), "0:0")
			text := make([]byte, 8)
			_, err = in.Read(text)
			check(t, err)
			want(t, "output", string(text), "through\n")
		})
	}
}

// TestExecInherits: the container's seccomp filter and no_new_privs are those
// of what enters it, whatever --process leaves out.
func TestExecInherits(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	requireSeccomp(t, env)
	c := env.Running(env.Bundle(harness.Forever, func(c *specs.Spec) {
		c.Process.NoNewPrivileges = true
		c.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow,
			Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActErrno, ErrnoRet: harness.Pointer(uint(38))}}}
	}))
	write(t, env.File("process.json"), `{"args":["sh","-c","mkdir /tmp/x; grep -E 'NoNewPrivs|Seccomp:' /proc/self/status"],
		"cwd":"/","env":["PATH=/bin"],"user":{"uid":0,"gid":0}}`)
	for what, x := range map[string]*harness.Command{
		"flags":     c.ExecCommand(nil, "sh", "-c", "mkdir /tmp/x; grep -E 'NoNewPrivs|Seccomp:' /proc/self/status"),
		"--process": c.ExecCommand([]string{"--process", env.File("process.json")}),
	} {
		r := x.Run().WantCode(t, 0)
		want(t, what+": filter", statusField(t, r.Stdout, "Seccomp"), "2")
		if !strings.Contains(r.Stderr, "Function not implemented") {
			t.Errorf("%s: the filter is another: %s", what, r)
		}
		if what == "flags" { // the process object says itself what it wants
			want(t, what+": no_new_privs", statusField(t, r.Stdout, "NoNewPrivs"), "1")
		}
	}
}

// TestExecLabels: a profile or label that the host cannot apply is an error that
// names it, not a process without.
func TestExecLabels(t *testing.T) {
	t.Parallel()
	_, c := running(t)
	c.ExecCommand([]string{"--apparmor", "no-such-profile"}, "true").Run().WantError(t, 255, "no-such-profile")
	c.ExecCommand([]string{"--process-label", "system_u:system_r:nosuch_t:s0"}, "true").Run().WantError(t, 255, "process.selinuxLabel")
	c.ExecCommand([]string{"--apparmor", "unconfined"}, "true").Run().WantQuiet(t)
}

// TestExecSharedPIDNamespace: into a container that is in the host's pid
// namespace, or in another's.
func TestExecSharedPIDNamespace(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	holder := env.Holder(unix.CLONE_NEWPID)
	for name, edit := range map[string]harness.Edit{
		"host's": harness.WithoutNamespace(specs.PIDNamespace),
		"joined": harness.Namespace(specs.PIDNamespace, harness.NamespacePath(holder, "pid")),
	} {
		t.Run(name, func(t *testing.T) {
			c := env.Running(env.Bundle(harness.Forever, edit))
			link, err := os.Readlink(c.Proc("ns/pid"))
			check(t, err)
			r := c.ExecShell("readlink /proc/self/ns/pid; test -d /proc/$$ && echo visible; exit 9").WantCode(t, 9)
			want(t, "output", r.Stdout, link+"\nvisible\n")
			_, pid := c.ExecDetached(nil, "sleep", "1000")
			want(t, "cgroups", fmt.Sprint(cgroupsOf(t, pid)), fmt.Sprint(cgroupsOf(t, c.Pid)))
			c.ExecShell("kill -TERM $$").WantCode(t, 143)
		})
	}
}

// TestExecProcesses: an exec costs two processes: the stage, and its child that
// becomes the program.
func TestExecProcesses(t *testing.T) {
	t.Parallel()
	for name, edits := range map[string][]harness.Edit{
		"ordinary": nil, "user namespace": {harness.UserNamespace}, "host's pid namespace": {harness.WithoutNamespace(specs.PIDNamespace)},
	} {
		_, c := running(t, edits...)
		r, report := c.ExecCommand(nil, "true").Trace(tracer.Plan{Target: tracer.Children})
		r.WantCode(t, 0)
		if report.Processes < 1 || report.Processes > 2 {
			t.Errorf("%s: exec has started %d processes", name, report.Processes)
		}
	}
}

// TestExecLimits: however often it is done, a program has the limits of
// config.json, soft and hard, and not those that Go gives itself.
func TestExecLimits(t *testing.T) {
	t.Parallel()
	_, c := running(t, func(c *specs.Spec) {
		c.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 333, Hard: 444}}
	})
	for i := range full(50, 10000) {
		r := c.ExecShell("ulimit -Sn; ulimit -Hn").WantCode(t, 0)
		if r.Stdout != "333\n444\n" {
			t.Fatalf("exec %d: limits %q", i, r.Stdout)
		}
	}
}

// TestExecLimitsUnset: without limits in config.json a program has those of the
// caller, which Go raises for itself at every start.
func TestExecLimitsUnset(t *testing.T) {
	t.Parallel()
	_, c := running(t, func(c *specs.Spec) { c.Process.Rlimits = nil })
	for range 20 {
		x := c.ExecCommand(nil, "sh", "-c", "ulimit -Sn; ulimit -Hn")
		x.Args = append([]string{"-c", `ulimit -Sn 512; ulimit -Hn 4000; exec "$0" "$@"`, x.Binary}, x.Args...)
		x.Binary = "/bin/sh"
		want(t, "limits", x.Run().WantCode(t, 0).Stdout, "512\n4000\n")
	}
}

// TestExecPidsLimitAtOnce: with room for one more process, of many execs at the
// same time each gets in or says which limit it has met; the rest is unharmed.
func TestExecPidsLimitAtOnce(t *testing.T) {
	t.Parallel()
	require.Controller(t, "pids")
	_, c := running(t, limited(3), harness.Shell("trap 'exit 0' TERM; sleep 1000 & echo ready; wait"))
	var all []*harness.Process
	for range 12 {
		all = append(all, c.ExecCommand(nil, "true").Start())
	}
	got := 0
	for _, p := range all {
		if r := p.Wait(); r.Code == 0 {
			got++
		} else {
			r.WantError(t, 255, "pids.max", "is 3")
		}
	}
	// A version 1 cgroup takes them all, and they look afterwards: each may see
	// the others, and none get in.
	if got == 0 && !view.HasControllerV1("pids") {
		t.Error("no exec got in")
	}
	c.Exec("true").WantCode(t, 0)
}

// TestExecProcessFile: --process is the whole process: nothing is taken from
// the container's own, nor from flags that describe one.
func TestExecProcessFile(t *testing.T) {
	t.Parallel()
	env, c := running(t, func(c *specs.Spec) { c.Process.Env = append(c.Process.Env, "FROM=config") })
	path := env.File("process.json")
	write(t, path, `{"args": ["sh", "-c", "id -u; id -g; id -G; umask; pwd; echo <$FROM><$NEW>; ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj /proc/self/status"],
		"cwd": "/tmp", "env": ["PATH=/bin", "NEW=file"], "user": {"uid": 5, "gid": 6, "additionalGids": [7], "umask": 63}, "oomScoreAdj": 99,
		"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 88}], "noNewPrivileges": false,
		"capabilities": {"bounding": ["CAP_CHOWN"], "inheritable": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"], "ambient": ["CAP_CHOWN"]}}`)
	text := strings.ReplaceAll(read(t, path), "<$FROM><$NEW>", "\\\"<$FROM><$NEW>\\\"")
	write(t, path, text)
	r := c.ExecCommand([]string{"--cwd", "/", "--env", "FROM=flag", "--process", path, "--user", "9"}).Run().WantCode(t, 0)
	const expected = "5\n6\n6 7\n0077\n/tmp\n<><file>\n77\n88\n99\n"
	if !strings.HasPrefix(r.Stdout, expected) {
		t.Errorf("got %q, want %q", r.Stdout, expected)
	}
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		want(t, set, statusField(t, r.Stdout, set), "0000000000000001")
	}
	want(t, "NoNewPrivs", statusField(t, r.Stdout, "NoNewPrivs"), "0")
	r = c.ExecCommand([]string{"-p", path}, "echo", "an argument that is not for the program").Run().WantCode(t, 0)
	want(t, "with arguments", strings.HasPrefix(r.Stdout, "5\n"), true)

	for text, parts := range map[string][]string{
		``:                                {path},
		`{`:                               {path},
		`[]`:                              {path},
		`{"args":["true"]}`:               {"cwd"},
		`{"cwd":"/"}`:                     {"args"},
		`{"args":"true"}`:                 {path, "args"},
		`{"args":[],"cwd":"/"}`:           {"args"},
		`{"args":["x\u0000y"],"cwd":"/"}`: {"args[0]", "NUL byte"},
		`{"args":["true"],"cwd":"tmp"}`:   {"cwd"},
		`{"args":["true"],"cwd":"/","user":{"uid":-1}}`:                                   {path, "uid"},
		`{"args":["true"],"cwd":"/","rlimits":[{"type":"RLIMIT_FOO","soft":1,"hard":1}]}`: {"RLIMIT_FOO"},
		`{"args":["true"],"cwd":"/","env":["=x"]}`:                                        {"env[0]"},
	} {
		write(t, path, text)
		c.ExecCommand([]string{"--process", path}).Run().WantError(t, 255, parts...)
	}
	c.ExecCommand([]string{"--process", env.File("nosuch")}).Run().WantError(t, 255, env.File("nosuch"), "no such file or directory")
	c.ExecCommand([]string{"--process", env.Dir}).Run().WantError(t, 255, env.Dir, "is a directory")
}
