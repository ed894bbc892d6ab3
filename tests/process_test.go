package tests

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// TestArgs: arguments arrive as they are; argv[0] is what the config says.
func TestArgs(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	got := env.Stdout(harness.Args("sh", "-c", `for a in "$@"; do echo "<$a>"; done; tr '\0' '|' </proc/self/cmdline`, "name",
		"", "a b", "$HOME", "*", "ä\t\"'"))
	if !strings.HasPrefix(got, "<>\n<a b>\n<$HOME>\n<*>\n<ä\t\"'>\n") {
		t.Errorf("got %q", got)
	}
}

// TestProgramLookup: args[0] is searched in the container's PATH, when it has
// no slash, at create time.
func TestProgramLookup(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	cases := []struct {
		name   string
		args   string
		path   string // PATH=..., or nothing
		output string
	}{
		{"PATH", "tool", "PATH=/opt/a:/opt/b", "a"},
		{"order", "tool", "PATH=/opt/b:/opt/a", "b"},
		{"not executable first", "tool", "PATH=/opt/plain:/opt/b", "b"},
		{"absolute", "/opt/b/tool", "PATH=/nosuch", "b"},
		{"relative", "opt/a/tool", "PATH=/nosuch", "a"},
		{"dot", "./opt/a/tool", "", "a"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bundle := env.Bundle(harness.Args(c.args), func(s *specs.Spec) {
				s.Process.Env = nil
				if c.path != "" {
					s.Process.Env = []string{c.path}
				}
			})
			for _, dir := range []string{"a", "b", "plain"} {
				check(t, os.MkdirAll(bundle.Path("opt", dir), 0o755))
				script(t, bundle.Path("opt", dir, "tool"), "#!/bin/sh\necho "+dir+"\n")
			}
			check(t, os.Chmod(bundle.Path("opt/plain/tool"), 0o644))
			want(t, "output", env.Run(bundle).WantCode(t, 0).Stdout, c.output+"\n")
		})
	}
}

// TestProgramMissing: a program that cannot be run fails create, with the
// words that engines turn into exit codes 126 and 127.
func TestProgramMissing(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	cases := []struct {
		program string
		parts   []string
	}{
		{"nosuch", []string{`"nosuch"`, "executable file not found in $PATH"}},
		{"/bin/nosuch", []string{"/bin/nosuch", "no such file or directory"}},
		{"/etc", []string{"/etc", "is a directory"}},
		{"/etc/passwd", []string{"/etc/passwd", "permission denied"}},
		{"/etc/passwd/x", []string{"/etc/passwd/x", "not a directory"}},
	}
	for _, c := range cases {
		for _, verb := range []string{"create", "run"} {
			t.Run(verb+" "+c.program, func(t *testing.T) {
				bundle := env.Bundle(harness.Args(c.program))
				env.Call(verb, "--bundle", bundle.Dir, env.ID()).WantError(t, 1, append(c.parts, "process.args[0]")...)
				if left := env.Leftovers(); len(left) > 0 {
					t.Errorf("left behind: %q", left)
				}
			})
		}
	}
}

// TestCannotExecute: files that exist and look right, and that the kernel
// refuses only at start. Each message names the file and the cause.
func TestCannotExecute(t *testing.T) {
	t.Parallel()
	elf := func(machine byte) string { // a header is all that is looked at
		return "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00" + string([]byte{machine}) + "\x00\x01\x00\x00\x00" + strings.Repeat("\x00", 40)
	}
	cases := []struct {
		name, content string
		parts         []string
	}{
		{"CRLF", "#!/bin/sh\r\necho\r\n", []string{"no such file or directory", "CRLF"}},
		{"interpreter", "#!/usr/bin/python3\n", []string{"no such file or directory", "/usr/bin/python3"}},
		{"no shebang", "echo hello\n", []string{"exec format error", "#!"}},
		{"architecture", elf(0xb7), []string{"exec format error", "aarch64"}},
		{"empty", "", []string{"exec format error"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			bundle := env.Bundle(harness.Args("/tool"))
			script(t, bundle.Path("tool"), c.content)
			env.Run(bundle).WantError(t, 1, append(c.parts, "/tool")...)
		})
	}
}

// TestNoexec: the message tells a noexec mount from a file without x.
func TestNoexec(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	check(t, os.Mkdir(env.File("bin"), 0o755))
	script(t, env.File("bin/tool"), "#!/bin/sh\n")
	bundle := env.Bundle(harness.Args("/mnt/tool"), harness.Mounted(bind(env.File("bin"), "/mnt", "bind", "noexec")))
	env.Run(bundle).WantError(t, 1, "/mnt/tool", "permission denied", "noexec")
}

// TestEnv: exactly the configured environment, in its order, the last of a
// name; HOME is added from /etc/passwd.
func TestEnv(t *testing.T) {
	t.Parallel()
	show := harness.Args("cat", "/proc/self/environ")
	cases := []struct {
		name     string
		env      []string
		uid      uint32
		expected string
	}{
		{"HOME of root", []string{"PATH=/bin", "A=1"}, 0, "PATH=/bin\nA=1\nHOME=/root"},
		{"HOME of a user", []string{"PATH=/bin"}, 1000, "PATH=/bin\nHOME=/home/user"},
		{"HOME of nobody", []string{"PATH=/bin"}, 4711, "PATH=/bin\nHOME=/"},
		{"HOME given", []string{"PATH=/bin", "HOME=/tmp"}, 0, "PATH=/bin\nHOME=/tmp"},
		{"empty value", []string{"PATH=/bin", "E=", "HOME=/x"}, 0, "PATH=/bin\nE=\nHOME=/x"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := harness.New(t).Stdout(show, func(s *specs.Spec) {
				s.Process.Env = c.env
				s.Process.User.UID = c.uid
			})
			want(t, "environment", strings.TrimSuffix(strings.ReplaceAll(got, "\x00", "\n"), "\n"), c.expected)
		})
	}
}

// TestEnvDuplicate: the last value of a name counts.
func TestEnvDuplicate(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	got := env.Stdout(harness.Shell("echo $A"), func(s *specs.Spec) { s.Process.Env = []string{"PATH=/bin", "A=1", "A=2"} })
	want(t, "A", got, "2")
}

// TestCwd: the program starts there; what is missing is made.
func TestCwd(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for _, cwd := range []string{"/", "/tmp", "/made/by/runtime", "/dev/shm"} {
		got := env.Stdout(harness.Args("pwd"), func(s *specs.Spec) { s.Process.Cwd = cwd })
		want(t, "working directory", got, cwd)
	}
}

// TestCwdErrors: not a directory; not absolute; not searchable for the user.
func TestCwdErrors(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(func(s *specs.Spec) { s.Process.Cwd = "/etc/passwd" })
	env.Run(bundle).WantError(t, 1, "process.cwd", "/etc/passwd", "not a directory")
	bundle = env.Bundle(func(s *specs.Spec) { s.Process.Cwd = "tmp" })
	env.Run(bundle).WantError(t, 1, "process.cwd", "tmp", "absolute")
}

// TestCwdOfTheUser: a directory only the user may enter is no problem for the
// user, though it may be one for root without capabilities (runc#2086).
func TestCwdOfTheUser(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Args("pwd"), func(s *specs.Spec) {
		s.Process.Cwd = "/home"
		s.Process.User = specs.User{UID: 1000, GID: 1000}
	})
	check(t, os.Mkdir(bundle.Path("home"), 0o700))
	check(t, os.Chown(bundle.Path("home"), 1000, 1000))
	want(t, "working directory", env.Run(bundle).WantCode(t, 0).Stdout, "/home\n")
}

// TestCwdFileDescriptor: no inherited descriptor is a way out of the root
// (CVE-2024-21626).
func TestCwdFileDescriptor(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir, err := os.Open("/")
	check(t, err)
	defer dir.Close()
	for _, fd := range []string{"3", "4", "5", "6", "7", "8", "9", "10"} {
		run := env.RunCommand(env.Bundle(harness.Args("ls", "../../../.."), func(s *specs.Spec) { s.Process.Cwd = "/proc/self/fd/" + fd }))
		run.Files = []*os.File{dir, dir, dir}
		run.Run().WantError(t, 1, "process.cwd")
	}
}

// TestNoNewPrivileges in both ways.
func TestNoNewPrivileges(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for value, shown := range map[bool]string{true: "1", false: "0"} {
		status := env.Stdout(harness.Args("cat", "/proc/self/status"), func(s *specs.Spec) { s.Process.NoNewPrivileges = value })
		want(t, "NoNewPrivs", statusField(t, status, "NoNewPrivs"), shown)
	}
}

// TestOOMScoreAdj: set when asked, otherwise the caller's.
func TestOOMScoreAdj(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	show := harness.Args("cat", "/proc/self/oom_score_adj")
	caller := strings.TrimSpace(read(t, "/proc/self/oom_score_adj"))
	want(t, "unset", env.Stdout(show), caller)
	for _, value := range []int{500, 1000} {
		got := env.Stdout(show, func(s *specs.Spec) { s.Process.OOMScoreAdj = &value })
		want(t, "set", got, map[int]string{500: "500", 1000: "1000"}[value])
	}
}

// TestHostname and domainname belong to the container's UTS namespace.
func TestHostname(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	host := read(t, "/proc/sys/kernel/hostname")
	got := env.Stdout(harness.Args("cat", "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname"), func(s *specs.Spec) {
		s.Hostname, s.Domainname = "inside.example", "example.org"
	})
	want(t, "names", got, "inside.example\nexample.org")
	wantFile(t, "/proc/sys/kernel/hostname", host)

	got = env.Stdout(harness.Args("cat", "/proc/sys/kernel/hostname"), func(s *specs.Spec) { s.Hostname = "" })
	want(t, "without hostname", got, strings.TrimSpace(host))
}

// TestHostnameWithoutNamespace: the host's name is never changed.
func TestHostnameWithoutNamespace(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	host := read(t, "/proc/sys/kernel/hostname")
	env.Run(env.Bundle(harness.WithoutNamespace(specs.UTSNamespace))).WantError(t, 1, "hostname", "namespace")
	env.Run(env.Bundle(harness.WithoutNamespace(specs.UTSNamespace), func(s *specs.Spec) { s.Hostname, s.Domainname = "", "x" })).
		WantError(t, 1, "domainname", "namespace")
	wantFile(t, "/proc/sys/kernel/hostname", host)
}

// TestSessionKeyring: a new one, unless --no-new-keyring.
func TestSessionKeyring(t *testing.T) {
	t.Parallel()
	require.File(t, "/proc/keys")
	env := harness.New(t)
	show := []harness.Edit{harness.Args("cat", "/proc/keys"), func(s *specs.Spec) { s.Linux.MaskedPaths = nil }}
	run := env.RunCommand(env.Bundle(show...))
	if r := run.Run().WantCode(t, 0); !strings.Contains(r.Stdout, "_ses."+run.ID()) {
		t.Errorf("no session keyring named after the container: %s", r)
	}
	run = env.RunCommand(env.Bundle(show...), "--no-new-keyring")
	if r := run.Run().WantCode(t, 0); strings.Contains(r.Stdout, "_ses."+run.ID()) {
		t.Errorf("--no-new-keyring made one: %s", r)
	}
}
