package tests

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
)

// set is a change of config.json: a value at a path.
type set struct {
	value any
	path  []any
}

func at(path ...any) []any { return path }

// badConfigs: each is refused by create with one line that names the field and
// what is wrong with it, and leaves the host as it was.
var badConfigs = []struct {
	name  string
	set   set
	parts []string
}{
	{"no version", set{"", at("ociVersion")}, []string{"ociVersion"}},
	{"version", set{"banana", at("ociVersion")}, []string{"ociVersion", "banana"}},
	{"version of the future", set{"2.0.0", at("ociVersion")}, []string{"ociVersion", "2.0.0"}},
	{"root missing", set{nil, at("root")}, []string{"root"}},
	{"root.path empty", set{"", at("root", "path")}, []string{"root.path"}},
	{"root.path missing", set{"nosuch", at("root", "path")}, []string{"root.path", "nosuch", "no such file or directory"}},
	{"root.path a file", set{"config.json", at("root", "path")}, []string{"root.path", "config.json", "not a directory"}},
	{"args empty", set{[]string{}, at("process", "args")}, []string{"process.args"}},
	{"args[0] empty", set{[]string{""}, at("process", "args")}, []string{"process.args[0]"}},
	{"args a string", set{"sh", at("process", "args")}, []string{"process.args"}},
	{"args with NUL", set{[]string{"sh", "a\x00b"}, at("process", "args")}, []string{"process.args[1]", "NUL"}},
	{"cwd empty", set{"", at("process", "cwd")}, []string{"process.cwd"}},
	{"cwd relative", set{"tmp", at("process", "cwd")}, []string{"process.cwd", "tmp", "absolute"}},
	{"env without =", set{[]string{"NAME"}, at("process", "env")}, []string{"process.env[0]", "NAME"}},
	{"uid a string", set{"0", at("process", "user", "uid")}, []string{"process.user.uid"}},
	{"uid negative", set{-1, at("process", "user", "uid")}, []string{"process.user.uid", "-1"}},
	{"uid too large", set{4294967296.0, at("process", "user", "uid")}, []string{"process.user.uid"}},
	{"terminal a string", set{"yes", at("process", "terminal")}, []string{"process.terminal"}},
	{"oomScoreAdj", set{5000, at("process", "oomScoreAdj")}, []string{"process.oomScoreAdj", "5000"}},
	{"mount without destination", set{map[string]any{"type": "tmpfs"}, at("mounts", 7)}, []string{"mounts[7].destination"}},
	{"mount type", set{map[string]any{"destination": "/mnt", "type": "nosuchfs", "source": "x"}, at("mounts", 7)},
		[]string{"mounts[7].type", "nosuchfs", "no such device"}},
	{"tmpfs option", set{map[string]any{"destination": "/mnt", "type": "tmpfs", "options": []string{"nosuid", "sizee=1m"}}, at("mounts", 7)},
		[]string{"mounts[7].options[1]", "sizee"}},
	{"tmpfs value", set{map[string]any{"destination": "/mnt", "type": "tmpfs", "options": []string{"size=banana"}}, at("mounts", 7)},
		[]string{"mounts[7].options[0]", "size", "banana"}},
	{"bind source missing", set{map[string]any{"destination": "/mnt", "type": "bind", "source": "/nosuch/source", "options": []string{"bind"}}, at("mounts", 7)},
		[]string{"mounts[7]", "/nosuch/source", "no such file or directory"}},
	{"bind directory on file", set{map[string]any{"destination": "/etc/passwd", "type": "bind", "source": "/etc", "options": []string{"bind"}}, at("mounts", 7)},
		[]string{"mounts[7]", "/etc", "/etc/passwd", "not a directory"}},
	{"bind file on directory", set{map[string]any{"destination": "/etc", "type": "bind", "source": "/etc/passwd", "options": []string{"bind"}}, at("mounts", 7)},
		[]string{"mounts[7]", "/etc/passwd", "not a directory"}},
	{"mount below a file", set{map[string]any{"destination": "/etc/passwd/sub", "type": "tmpfs", "source": "x"}, at("mounts", 7)},
		[]string{"mounts[7]", "/etc/passwd", "not a directory"}},
	{"mounts an object", set{map[string]any{}, at("mounts")}, []string{"mounts"}},
	{"mount options a string", set{map[string]any{"destination": "/mnt", "type": "tmpfs", "options": "ro"}, at("mounts", 7)}, []string{"mounts[7].options"}},
	{"namespace type", set{map[string]any{"type": "nosuch"}, at("linux", "namespaces", 5)}, []string{"linux.namespaces[5].type", "nosuch"}},
	{"namespace twice", set{map[string]any{"type": "pid"}, at("linux", "namespaces", 5)}, []string{"linux.namespaces[5]", "pid"}},
	{"propagation", set{"sideways", at("linux", "rootfsPropagation")}, []string{"linux.rootfsPropagation", "sideways"}},
	{"masked path relative", set{[]string{"proc/kcore"}, at("linux", "maskedPaths")}, []string{"linux.maskedPaths[0]", "proc/kcore", "absolute"}},
	{"readonly path relative", set{[]string{"/proc/sys", "x"}, at("linux", "readonlyPaths")}, []string{"linux.readonlyPaths[1]", "absolute"}},
	{"device type", set{[]any{map[string]any{"path": "/dev/x", "type": "z", "major": 1, "minor": 3}}, at("linux", "devices")}, []string{"linux.devices[0].type", "z"}},
	{"device path", set{[]any{map[string]any{"path": "", "type": "c", "major": 1, "minor": 3}}, at("linux", "devices")}, []string{"linux.devices[0].path"}},
	{"rlimit", set{[]any{map[string]any{"type": "RLIMIT_BOGUS", "soft": 1, "hard": 1}}, at("process", "rlimits")}, []string{"process.rlimits[0].type", "RLIMIT_BOGUS"}},
	{"memory limit a string", set{"64M", at("linux", "resources", "memory", "limit")}, []string{"linux.resources.memory.limit"}},
	{"pids limit a fraction", set{1.5, at("linux", "resources", "pids", "limit")}, []string{"linux.resources.pids.limit"}},
	{"device rule", set{[]any{map[string]any{"allow": true, "access": "rwx"}}, at("linux", "resources", "devices")}, []string{"linux.resources.devices[0].access", "rwx"}},
	{"sysctl of the host", set{map[string]any{"kernel.core_pattern": "x"}, at("linux", "sysctl")}, []string{"linux.sysctl", "kernel.core_pattern"}},
	{"annotation key empty", set{map[string]any{"": "x"}, at("annotations")}, []string{"annotations"}},
	{"annotation not a string", set{map[string]any{"a": 1}, at("annotations")}, []string{"annotations"}},
	{"hostname a number", set{7, at("hostname")}, []string{"hostname"}},
	{"linux a list", set{[]any{}, at("linux")}, []string{"linux"}},
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	for _, c := range badConfigs {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			bundle := env.Bundle()
			bundle.SetJSON(c.set.value, c.set.path...)
			before := listing(t, bundle.Dir)
			message := env.Call("create", "--bundle", bundle.Dir, env.ID()).WantError(t, 1, c.parts...)
			for _, internal := range []string{"goroutine", "panic", "specs.", "json:", "strconv.", "/proc/self/fd", "0x"} {
				if strings.Contains(message, internal) {
					t.Errorf("the message shows %q: %s", internal, message)
				}
			}
			want(t, "files of the bundle", listing(t, bundle.Dir), before)
			if left := env.Leftovers(); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// listing names everything below a directory.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	check(t, walk(dir, func(path string) { names = append(names, path) }))
	return strings.Join(names, "\n")
}

func walk(dir string, visit func(path string)) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		path := dir + "/" + entry.Name()
		visit(path)
		if entry.IsDir() {
			if err := walk(path, visit); err != nil {
				return err
			}
		}
	}
	return err
}

// TestBadJSON: texts that no decoder should take for a configuration.
func TestBadJSON(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		text  func(text string) string
		parts []string
	}{
		{"empty", func(string) string { return "" }, []string{"config.json"}},
		{"truncated", func(s string) string { return s[:len(s)/2] }, []string{"line"}},
		{"rubbish behind", func(s string) string { return s + "x" }, []string{"config.json"}},
		{"second object", func(s string) string { return s + "{}" }, []string{"config.json"}},
		{"a list", func(string) string { return "[]" }, []string{"config.json"}},
		{"null", func(string) string { return "null" }, nil},
		{"binary", func(string) string { return "\x7fELF\x00\x01" }, []string{"config.json"}},
		{"comment", func(s string) string { return "// a comment\n" + s }, []string{"config.json"}},
		{"trailing comma", func(s string) string { return strings.Replace(s, `"hostname": "box",`, `"hostname": "box",,`, 1) }, []string{"line", "','"}},
		{"duplicate key", func(s string) string {
			return strings.Replace(s, `"hostname": "box"`, `"hostname": "box", "hostname": "other"`, 1)
		}, []string{"hostname"}},
		{"nested duplicate", func(s string) string { return strings.Replace(s, `"cwd": "/"`, `"cwd": "/", "cwd": "/tmp"`, 1) }, []string{"process.cwd"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			bundle := env.Bundle()
			text := string(bundle.Raw())
			changed := c.text(text)
			if changed == text {
				t.Fatal("the case does not change anything")
			}
			bundle.SetRaw([]byte(changed))
			env.Call("create", "--bundle", bundle.Dir, env.ID()).WantError(t, 1, c.parts...)
		})
	}
}

// TestCaseMatters: "ROOT" is an unknown property, not the root; a look-alike
// of a missing property is pointed out.
func TestCaseMatters(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle()
	bundle.ReplaceRaw(`"root":`, `"ROOT":`)
	env.Call("create", "--bundle", bundle.Dir, env.ID()).WantError(t, 1, "root")

	both := env.Bundle(harness.Args("hostname"))
	both.SetJSON("shouted", "HOSTNAME")
	want(t, "hostname", env.Run(both).WantCode(t, 0).Stdout, "box\n")
}

// TestUnknownProperties: "a runtime MUST NOT generate an error if it encounters
// an unknown property", at any level, nor for other platforms' objects.
func TestUnknownProperties(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Shell("echo fine"))
	for _, path := range [][]any{at("unknown"), at("process", "unknown"), at("mounts", 0, "unknown"), at("linux", "unknown"),
		at("linux", "resources", "unknown"), at("annotations", "org.example.unknown")} {
		var value any = map[string]any{"a": []int{1, 2}}
		if path[0] == "annotations" {
			value = "value"
		}
		bundle.SetJSON(value, path...)
	}
	for _, platform := range []string{"windows", "solaris", "vm", "zos", "freebsd"} {
		bundle.SetJSON(map[string]any{}, platform)
	}
	want(t, "output", env.Run(bundle).WantCode(t, 0).Stdout, "fine\n")
}

// TestAllProblems: everything wrong is told at once, still on one line.
func TestAllProblems(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(func(c *specs.Spec) {
		c.Process.Cwd = "relative"
		c.Linux.RootfsPropagation = "sideways"
		c.Linux.MaskedPaths = []string{"/ok", "wrong"}
	})
	env.Call("create", "--bundle", bundle.Dir, env.ID()).
		WantError(t, 1, "process.cwd", "linux.rootfsPropagation", "linux.maskedPaths[1]")
}

// TestVersions: every version of the same major is accepted.
func TestVersions(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for _, version := range []string{"1.0.0", "1.0.2-dev", "1.1.0+dev", "1.2.1", "1.3.0"} {
		wantRan(t, env.Run(env.Bundle(ran, func(c *specs.Spec) { c.Version = version })))
	}
}

// TestNoProcess: a container without a program can be created, not started.
func TestNoProcess(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(func(c *specs.Spec) { c.Process = nil }))
	c.Call("start").WantError(t, 1, "process")
}

// TestLargeConfig: a config of many megabytes is no reason to fail.
func TestLargeConfig(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(ran, func(c *specs.Spec) {
		c.Annotations = map[string]string{"large": strings.Repeat("x", 4<<20)}
	})
	wantRan(t, env.Run(bundle))
}

// TestLongStrings: what the kernel cannot take is an error, not a crash.
func TestLongStrings(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	long := strings.Repeat("x", 70_000)
	env.Run(env.Bundle(harness.Mounted(bind("/"+long, "/mnt")))).WantError(t, 1, "mounts[7]", "file name too long")
	env.Run(env.Bundle(harness.Mounted(tmpfs("/"+long)))).WantError(t, 1, "mounts[7]", "file name too long")
	if r := env.Run(env.Bundle(func(c *specs.Spec) { c.Hostname = long })); r.Code != 1 || !strings.Contains(r.Stderr, "hostname") {
		t.Errorf("a long hostname: exit code %d", r.Code)
	}
}
