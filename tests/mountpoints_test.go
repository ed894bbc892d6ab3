package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
)

// TestMountpointMade: missing mount points are made inside the root: a
// directory, or a file for a file.
func TestMountpointMade(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	write(t, env.File("source"), "x")
	bundle := env.Bundle(harness.Mounted(tmpfs("/a/b/c"), bind(env.File("source"), "/d/e/file"), tmpfs("/a/b/c/nested/deep")),
		harness.Shell("stat -f -c %T /a/b/c /a/b/c/nested/deep; test -f /d/e/file && echo file"))
	r := env.Run(bundle).WantCode(t, 0)
	want(t, "output", r.Stdout, "tmpfs\ntmpfs\nfile\n")
	for _, dir := range []string{"a/b/c", "d/e"} {
		info, err := os.Lstat(bundle.Path(dir))
		check(t, err)
		want(t, "mode of "+dir, info.Mode(), os.ModeDir|0o755)
	}
}

// TestMountpointSymlink: symlinks of the image are followed as inside: an
// absolute one starts at the container's root.
func TestMountpointSymlink(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	outside := env.File("outside")
	check(t, os.Mkdir(outside, 0o777))
	bundle := env.Bundle(harness.Mounted(tmpfs("/absolute/point"), tmpfs("/relative/point"), tmpfs("/above/point"), tmpfs("/last")),
		harness.Args("cat", "/proc/self/mountinfo"))
	check(t, os.Symlink("/etc", bundle.Path("absolute")))
	check(t, os.Symlink("tmp", bundle.Path("relative")))
	check(t, os.Symlink(strings.Repeat("../", 12)+"mnt", bundle.Path("above")))
	check(t, os.Symlink(outside, bundle.Path("last")))
	check(t, os.MkdirAll(bundle.Path(outside), 0o755))
	text := env.Run(bundle).WantCode(t, 0).Stdout
	for _, point := range []string{"/etc/point", "/tmp/point", "/mnt/point", outside} {
		if !strings.Contains(text, " "+point+" ") {
			t.Errorf("nothing mounted at %s:\n%s", point, text)
		}
	}
	wantEmpty(t, outside)
}

// wantEmpty fails the test when a host directory has entries.
func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	if len(entries) > 0 {
		t.Errorf("%s on the host has an entry %s", dir, entries[0].Name())
	}
}

// TestMountpointDangling: a dangling symlink to a host directory does not make
// anything there (CVE-2024-45310), whether it is an error or not.
func TestMountpointDangling(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	outside := env.File("outside")
	check(t, os.Mkdir(outside, 0o777))
	write(t, env.File("source"), "x")
	bundle := env.Bundle(harness.Mounted(tmpfs("/link/directory"), bind(env.File("source"), "/link/file")))
	check(t, os.Symlink(outside, bundle.Path("link")))
	if r := env.Run(bundle); r.Code > 1 {
		t.Error(r)
	}
	wantEmpty(t, outside)
}

// TestSymlinkedDev: /dev as a symlink to a host directory (CVE-2026-41579):
// nothing is made or removed there.
func TestSymlinkedDev(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"absolute", "relative"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			outside := env.File("outside")
			check(t, os.Mkdir(outside, 0o777))
			write(t, filepath.Join(outside, "ptmx"), "decoy")
			bundle := env.Bundle(harness.WithoutMount("/dev"), harness.WithoutMount("/dev/pts"),
				harness.WithoutMount("/dev/shm"), harness.WithoutMount("/dev/mqueue"))
			target := outside
			if kind == "relative" {
				target = strings.Repeat("../", 20) + outside
			}
			check(t, os.Remove(bundle.Path("dev")))
			check(t, os.Symlink(target, bundle.Path("dev")))
			if r := env.Run(bundle); r.Code > 1 {
				t.Error(r)
			}
			entries, err := os.ReadDir(outside)
			check(t, err)
			want(t, "entries of the host directory", len(entries), 1)
			wantFile(t, filepath.Join(outside, "ptmx"), "decoy")
		})
	}
}

// TestSymlinkedProc: proc and sysfs are mounted on a real directory or not at
// all (CVE-2023-27561).
func TestSymlinkedProc(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"proc", "sys"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			bundle := env.Bundle()
			check(t, os.Remove(bundle.Path(name)))
			check(t, os.MkdirAll(bundle.Path("fake", name), 0o755))
			check(t, os.Symlink("/fake/"+name, bundle.Path(name)))
			env.Run(bundle).WantError(t, 1, "mounts[", "/"+name)
		})
	}
}

// TestMountInsideProc: nothing may cover what the runtime or the kernel reads
// in /proc (CVE-2019-16884), but for the few files lxcfs offers.
func TestMountInsideProc(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	write(t, env.File("uptime"), "1.00 2.00\n")
	check(t, os.Mkdir(env.File("dir"), 0o755))
	for _, m := range []specs.Mount{
		tmpfs("/proc"), tmpfs("/proc/sys"), bind(env.File("dir"), "/proc/self/attr"), bind(env.File("uptime"), "/proc/net/dev"),
		bind(env.File("uptime"), "/proc/self/status"), bind(env.File("dir"), "/proc/sys/kernel"),
	} {
		t.Run(m.Destination, func(t *testing.T) {
			env.Run(env.Bundle(harness.Mounted(m))).WantError(t, 1, "mounts[7]", m.Destination)
		})
	}
	for _, name := range []string{"uptime", "cpuinfo", "meminfo", "stat", "diskstats", "loadavg", "swaps"} {
		got := env.Stdout(harness.Mounted(bind(env.File("uptime"), "/proc/"+name)), harness.Args("cat", "/proc/"+name))
		want(t, name, got, "1.00 2.00")
	}
}

// TestTmpcopyup: a tmpfs that starts with what it covers.
func TestTmpcopyup(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Mounted(tmpfs("/data", "tmpcopyup", "mode=1777")), harness.Shell(`cd /data
		stat -f -c %T . ; cat file sub/deep; readlink link; stat -c '%a %u:%g' file sub; stat -c %a .; echo new >new`))
	check(t, os.MkdirAll(bundle.Path("data/sub"), 0o755))
	write(t, bundle.Path("data/file"), "one\n")
	write(t, bundle.Path("data/sub/deep"), "two\n")
	check(t, os.Symlink("/nowhere", bundle.Path("data/link")))
	check(t, os.Chmod(bundle.Path("data/file"), 0o604))
	check(t, os.Chown(bundle.Path("data/file"), 12, 34))
	check(t, os.Chmod(bundle.Path("data/sub"), 0o770|os.ModeSetgid))
	r := env.Run(bundle).WantCode(t, 0)
	want(t, "inside", r.Stdout, "tmpfs\none\ntwo\n/nowhere\n604 12:34\n2770 0:0\n1777\n")
	if _, err := os.Stat(bundle.Path("data/new")); !os.IsNotExist(err) {
		t.Errorf("written to what is covered: %v", err)
	}
}

// TestTmpfsMode: a tmpfs takes the mode of the directory it covers, unless it
// is given one.
func TestTmpfsMode(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Mounted(tmpfs("/data/a"), tmpfs("/data/b", "mode=1770"), tmpfs("/data/c", "tmpcopyup")),
		harness.Shell("stat -c %a /data/a /data/b /data/c"))
	for _, name := range []string{"a", "b", "c"} {
		check(t, os.MkdirAll(bundle.Path("data", name), 0o755))
		check(t, os.Chmod(bundle.Path("data", name), 0o750))
	}
	want(t, "modes", env.Run(bundle).WantCode(t, 0).Stdout, "750\n1770\n750\n")
}

// TestTmpcopyupEscape: what a symlink of the image points to on the host is
// not copied, and not written to.
func TestTmpcopyupEscape(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	check(t, os.Mkdir(env.File("secret"), 0o755))
	write(t, env.File("secret/file"), "secret")
	bundle := env.Bundle(harness.Mounted(tmpfs("/data", "tmpcopyup")), harness.Shell("cat /data/file /data/* 2>&1; true"))
	check(t, os.Symlink(env.File("secret"), bundle.Path("data")))
	check(t, os.MkdirAll(bundle.Path(env.File("secret")), 0o755))
	if r := env.Run(bundle); r.Code > 1 || strings.Contains(r.Stdout, "secret\n") || r.Stdout == "secret" {
		t.Error(r)
	}
	wantFile(t, env.File("secret/file"), "secret")
}
