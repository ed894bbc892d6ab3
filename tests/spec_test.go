package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/view"
)

// template runs `runtime spec` and returns what it wrote.
func template(t *testing.T, env *harness.Env, flags ...string) *specs.Spec {
	t.Helper()
	dir := env.File("template")
	check(t, os.MkdirAll(dir, 0o755))
	env.Call(append([]string{"spec", "--bundle", dir}, flags...)...).WantQuiet(t)
	config := &specs.Spec{}
	check(t, json.Unmarshal([]byte(read(t, filepath.Join(dir, "config.json"))), config))
	return config
}

// TestSpecFile: tabs, no newline at the end, mode as the umask leaves it.
func TestSpecFile(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	spec := env.Command("spec")
	spec.Run().WantQuiet(t)
	text := read(t, env.File("config.json"))
	if !strings.HasPrefix(text, "{\n\t\"ociVersion\": \"1.3.0\",\n\t\"process\": {\n\t\t\"terminal\": true,") || !strings.HasSuffix(text, "\n}") {
		t.Errorf("shape: %q", text)
	}
	info, err := os.Stat(env.File("config.json"))
	check(t, err)
	want(t, "mode", info.Mode().Perm(), 0o644)
}

// TestSpecExists: an existing config.json is never overwritten.
func TestSpecExists(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	write(t, env.File("config.json"), "mine")
	env.Call("spec", "-b", env.Dir).WantError(t, 1, "File config.json exists. Remove it first")
	wantFile(t, env.File("config.json"), "mine")
	env.Call("spec", "--bundle", env.File("nosuch")).WantError(t, 1, env.File("nosuch"), "no such file or directory")
}

// TestSpecTemplate: what people edit and engines imitate.
func TestSpecTemplate(t *testing.T) {
	t.Parallel()
	c := template(t, harness.New(t))
	want(t, "terminal", c.Process.Terminal, true)
	want(t, "args", strings.Join(c.Process.Args, " "), "sh")
	want(t, "cwd", c.Process.Cwd, "/")
	want(t, "noNewPrivileges", c.Process.NoNewPrivileges, true)
	want(t, "root", *c.Root, specs.Root{Path: "rootfs", Readonly: true})
	caps := "CAP_AUDIT_WRITE CAP_KILL CAP_NET_BIND_SERVICE"
	for name, set := range map[string][]string{"bounding": c.Process.Capabilities.Bounding, "effective": c.Process.Capabilities.Effective,
		"permitted": c.Process.Capabilities.Permitted} {
		want(t, name, strings.Join(slices.Sorted(slices.Values(set)), " "), caps)
	}
	want(t, "inheritable and ambient", len(c.Process.Capabilities.Inheritable)+len(c.Process.Capabilities.Ambient), 0)
	want(t, "rlimits", len(c.Process.Rlimits), 1)
	want(t, "rlimit", c.Process.Rlimits[0], specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: 1024, Hard: 1024})
	var kinds []string
	for _, n := range c.Linux.Namespaces {
		kinds = append(kinds, string(n.Type))
	}
	expected := []string{"pid", "network", "ipc", "uts", "mount"}
	if view.Current() == view.V2 {
		expected = append(expected, "cgroup")
	}
	want(t, "namespaces", strings.Join(kinds, " "), strings.Join(expected, " "))
	if devices := c.Linux.Resources.Devices; len(devices) != 1 || devices[0].Allow || devices[0].Access != "rwm" {
		t.Errorf("device rules: %+v", devices)
	}
	if len(c.Linux.MaskedPaths) == 0 || len(c.Linux.ReadonlyPaths) == 0 {
		t.Error("no masked or readonly paths")
	}
}

// TestSpecRootless: for a caller who is not root.
func TestSpecRootless(t *testing.T) {
	t.Parallel()
	c := template(t, harness.New(t), "--rootless")
	has := func(kind specs.LinuxNamespaceType) bool {
		return slices.ContainsFunc(c.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == kind })
	}
	want(t, "user namespace", has(specs.UserNamespace), true)
	want(t, "network namespace", has(specs.NetworkNamespace), false)
	want(t, "uid mapping", c.Linux.UIDMappings[0], specs.LinuxIDMapping{HostID: uint32(os.Geteuid()), Size: 1})
	want(t, "gid mapping", c.Linux.GIDMappings[0], specs.LinuxIDMapping{HostID: uint32(os.Getegid()), Size: 1})
	if c.Linux.Resources != nil {
		t.Errorf("resources: %+v", c.Linux.Resources)
	}
	for _, m := range c.Mounts {
		for _, option := range m.Options {
			if strings.HasPrefix(option, "uid=") || strings.HasPrefix(option, "gid=") {
				t.Errorf("%s: option %s", m.Destination, option)
			}
		}
		if m.Destination == "/sys" && !slices.Contains(m.Options, "rbind") {
			t.Errorf("/sys is not bound: %v", m)
		}
	}
}

// TestSpecThenRun is the first thing a new user does: a bundle directory with
// a rootfs, `runtime spec`, `runtime run busybox`, and an interactive shell
// with its own pid 1, hostname, mounts, network and ipc; list shows it running.
func TestSpecThenRun(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := env.File("bundle")
	harness.NewRootfs(t, filepath.Join(dir, "rootfs"))
	spec := env.BareCommand("spec")
	spec.Dir = dir
	spec.Run().WantQuiet(t)

	id := env.ID()
	pty := env.NewPty(24, 80)
	run := env.Command("run", id)
	run.Dir = dir
	run.Stdin, run.Stdout, run.Stderr = pty.Slave, pty.Slave, pty.Slave
	run.Attr = syscall.SysProcAttr{Setsid: true, Setctty: true}
	process := run.Start()
	pty.WaitFor("# ")
	pty.Write("echo pid-$$; cat /sys/class/net/*/uevent; hostname >/dev/null && echo named; touch /x || echo readonly-$?\n")
	text := pty.WaitFor("readonly-1")
	for _, part := range []string{"pid-1\r\n", "INTERFACE=lo", "named\r\n"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in %q", part, text)
		}
	}
	list := env.Call("list").WantCode(t, 0).Stdout
	if !strings.Contains(list, id) || !strings.Contains(list, "running") || !strings.Contains(list, dir) {
		t.Errorf("list: %s", list)
	}
	c := env.Container(id, nil)
	pid := c.State().Pid
	for _, file := range []string{"pid", "mnt", "net", "ipc", "uts"} {
		if inside := namespace(t, strconv.Itoa(pid), file); inside == namespace(t, "self", file) {
			t.Errorf("the container is in the host's %s namespace", file)
		}
	}
	pty.Write("exit 5\n")
	process.Wait().WantCode(t, 5)
}
