package breakouts

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
)

// What is at /proc decides where security labels and sysctls are written, and
// what tools in the container believe.

func tmpfs(destination string) harness.Edit {
	return harness.Mounted(specs.Mount{Destination: destination, Type: "tmpfs", Source: "tmpfs"})
}

// wantRefused fails the test unless the runtime refuses with all words.
func wantRefused(t *testing.T, r harness.Result, words ...string) {
	t.Helper()
	if r.Code == 0 || r.Stdout != "" {
		t.Errorf("not refused: %s", r)
		return
	}
	for _, word := range words {
		if !strings.Contains(r.Stderr, word) {
			t.Errorf("refused without %q: %s", word, r)
		}
	}
}

// TestProcCovered: nothing but a procfs is on /proc, and nothing in it but the
// views that lxcfs provides (CVE-2019-16884).
func TestProcCovered(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := victim(t, env)
	mine := harness.Args("echo", "started")
	for _, edit := range []harness.Edit{
		tmpfs("/proc"), tmpfs("/proc/"), tmpfs("/proc/../proc/."), tmpfs("/proc/self/attr"), tmpfs("/proc/uptime"),
		bind(dir, "/proc"), bind(dir, "/proc/self/attr"), bind(dir, "/proc/sys"), bind(dir+"/secret", "/proc/net/dev"),
		bind(dir+"/secret", "/proc/self/attr/exec"), bind(dir+"/secret", "/proc/sys/kernel/core_pattern"),
		bind("/proc/self", "/proc"), bind(dir, "/linked/self/attr"),
	} {
		bundle := env.Bundle(mine, edit)
		link(t, "/proc", bundle.Path("linked"))
		wantRefused(t, env.Run(bundle), "mounts[7]")
	}
	bundle := env.Bundle(harness.Args("cat", "/proc/uptime"), bind(dir+"/secret", "/proc/uptime"))
	want(t, "/proc/uptime", env.Run(bundle).WantCode(t, 0).Stdout, "of the host\n")
}

// TestProcIsLink: /proc, /sys or /dev of the image is a link, or lies behind one
// (CVE-2023-27561, CVE-2019-19921).
func TestProcIsLink(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := victim(t, env)
	for _, name := range []string{"proc", "sys", "dev"} {
		for _, target := range append(escapes(dir), "tmp", "/tmp", "/nosuch", "/proc/self/fd/3", name) {
			bundle := env.Bundle(harness.Args("echo", "started"))
			link(t, target, bundle.Path(name))
			wantRefused(t, env.Run(bundle), "/"+name+`\": must be mounted on ordinary directory`)
		}
	}
}

// TestProcAfterMounts: the order of the mounts cannot put the labels' files out
// of the runtime's sight (CVE-2023-28642): a volume on a parent of /proc.
func TestProcAfterMounts(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	volume := env.File("volume")
	for _, name := range []string{"proc", "sys", "dev", "bin", "etc", "tmp"} {
		mkdir(t, filepath.Join(volume, name))
	}
	link(t, "/nosuch", filepath.Join(volume, "proc"))
	bundle := env.Bundle(harness.Args("echo", "started"))
	bundle.Edit(func(c *specs.Spec) {
		root := specs.Mount{Destination: "/", Type: "bind", Source: volume, Options: []string{"rbind"}}
		c.Mounts = append([]specs.Mount{root}, c.Mounts...)
	})
	wantRefused(t, env.Run(bundle), "/proc", "ordinary directory")
}

// TestNoPivotProc: a user namespace inside may mount a procfs or sysfs only if it
// can see a complete one already. The container's has masks; --no-pivot must not
// leave the host's below it.
func TestNoPivotProc(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	user := func(c *specs.Spec) { c.Process.User = specs.User{UID: 1000, GID: 1000} } // root's id may not be mapped again
	bundle := env.Bundle(user, harness.Shell(`mkdir -p /tmp/p /tmp/s
		unshare -r -m -p -f -n sh -c 'echo inside
			mount -t proc proc /tmp/p && ls /tmp/p && echo HOLE proc
			mount -t sysfs sysfs /tmp/s && ls /tmp/s && echo HOLE sysfs' 2>&1
		true`))
	for _, flags := range [][]string{nil, {"--no-pivot"}} {
		r := env.Run(bundle, flags...).WantCode(t, 0)
		if strings.Contains(r.Stdout, "HOLE") {
			t.Errorf("%v: a procfs or sysfs without masks: %s", flags, r)
		}
		if flags == nil && !strings.Contains(r.Stdout, "inside") {
			t.Logf("no user namespaces inside: %s", r)
		}
	}
}
