package tests

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
	"ociruntime/tests/view"
)

// TestRootPath: relative to the bundle, absolute, and through a symlink.
func TestRootPath(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	cases := map[string]func(b *harness.Bundle) string{
		"relative":          func(b *harness.Bundle) string { return "rootfs" },
		"absolute":          func(b *harness.Bundle) string { return b.Rootfs() },
		"trailing slash":    func(b *harness.Bundle) string { return b.Rootfs() + "/" },
		"with dots":         func(b *harness.Bundle) string { return "./x/../rootfs" },
		"symlink":           func(b *harness.Bundle) string { return "link" },
		"beside the bundle": func(b *harness.Bundle) string { return "../" + filepath.Base(b.Dir) + "/rootfs" },
	}
	for name, path := range cases {
		t.Run(name, func(t *testing.T) {
			bundle := env.Bundle(harness.Args("cat", "/marker"))
			write(t, bundle.Path("marker"), name)
			check(t, os.Symlink("rootfs", filepath.Join(bundle.Dir, "link")))
			check(t, os.Mkdir(filepath.Join(bundle.Dir, "x"), 0o755))
			bundle.Edit(func(c *specs.Spec) { c.Root.Path = path(bundle) })
			want(t, "content", env.Run(bundle).WantCode(t, 0).Stdout, name)
		})
	}
}

// TestRootReadonly: nothing can be written to a readonly root, while mounts
// stay writable.
func TestRootReadonly(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]harness.Edit{"root": func(*specs.Spec) {}, "user namespace": harness.UserNamespace} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			readonly := func(c *specs.Spec) { c.Root.Readonly = true }
			got := env.Stdout(harness.Shell("touch /etc/new 2>&1; touch /mnt/file && echo written"), readonly, edit,
				harness.Mounted(tmpfs("/mnt")))
			if !strings.Contains(got, "Read-only file system") || !strings.HasSuffix(got, "written") {
				t.Errorf("got %q", got)
			}
			mounts := mountsInside(env, readonly, edit)
			if m := mountAt(t, mounts, "/"); !slices.Contains(m.Options, "ro") {
				t.Errorf("the root mount: %v", m)
			}
		})
	}
}

// TestRootWritable: and what is written is in the rootfs on the host.
func TestRootWritable(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Shell("echo text >/etc/new"))
	env.Run(bundle).WantQuiet(t)
	wantFile(t, bundle.Path("etc/new"), "text\n")
}

// TestRootIsolated: inside there is one root and nothing of the host's tree.
func TestRootIsolated(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	mounts := mountsInside(env)
	mountAt(t, mounts, "/")
	for _, m := range mounts {
		if strings.Contains(m.Point, "oldroot") || strings.Contains(m.Point, "put_old") || view.Within(m.Point, "/work") {
			t.Errorf("the host shows: %v", m)
		}
	}
	got := env.Stdout(harness.Shell("cd ../../..; pwd; ls / | tr '\\n' ' '"))
	want(t, "root directory", got, "/\nbin dev etc mnt proc root sys tmp ")
}

// TestRootOnOverlay: what container engines give us.
func TestRootOnOverlay(t *testing.T) {
	t.Parallel()
	require.Filesystem(t, "overlay")
	env := harness.New(t)
	bundle := env.Bundle(harness.Shell("echo new >/etc/new; cat /proc/self/mountinfo"))
	merged := filepath.Join(bundle.Dir, "merged")
	for _, dir := range []string{merged, env.File("upper"), env.File("workdir")} {
		check(t, os.Mkdir(dir, 0o755))
	}
	env.Mount("overlay", merged, "lowerdir="+bundle.Rootfs(), "upperdir="+env.File("upper"), "workdir="+env.File("workdir"))
	bundle.Edit(func(c *specs.Spec) { c.Root.Path = "merged" })
	mounts := view.ParseMounts(env.Run(bundle).WantCode(t, 0).Stdout)
	want(t, "file system of the root", mountAt(t, mounts, "/").Type, "overlay")
	wantFile(t, env.File("upper/etc/new"), "new\n")
}

// TestRootOnReadonlyFilesystem: a root on a file system that cannot be written
// works when all mount points exist.
func TestRootOnReadonlyFilesystem(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Shell("touch /etc/new 2>&1; touch /dev/shm/x && echo written"))
	dir := bundle.Rootfs()
	check(t, unix.Mount(dir, dir, "", unix.MS_BIND, ""))
	env.Unmount(dir)
	check(t, unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	got := env.Run(bundle).WantCode(t, 0).Stdout
	if !strings.Contains(got, "Read-only file system") || !strings.HasSuffix(got, "written\n") {
		t.Errorf("got %q", got)
	}
}

// TestRootPropagation: the propagation of the container's root mount.
func TestRootPropagation(t *testing.T) {
	t.Parallel()
	for value, shown := range map[string]string{"shared": "shared", "slave": "slave", "private": "private",
		"unbindable": "unbindable", "rshared": "shared", "rslave": "slave", "rprivate": "private"} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			mounts := mountsInside(env, func(c *specs.Spec) { c.Linux.RootfsPropagation = value })
			want(t, "propagation", mountAt(t, mounts, "/").Propagation(), shown)
		})
	}
}

// TestRootPropagationDefault: by default nothing the container mounts can
// reach the host.
func TestRootPropagationDefault(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for _, m := range mountsInside(env) {
		if m.Propagation() == "shared" {
			t.Errorf("shared: %v", m)
		}
	}
}

// TestNoPivot: --no-pivot gives the same view by other means, and does not
// leave a host proc or sysfs below, which would let the container mount its own.
func TestNoPivot(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Shell("ls / | tr '\\n' ' '; cat /proc/self/mountinfo >/tmp/mountinfo"))
	r := env.Run(bundle, "--no-pivot").WantCode(t, 0)
	want(t, "root directory", r.Stdout, "bin dev etc mnt proc root sys tmp ")
	mounts := view.ParseMounts(read(t, bundle.Path("tmp/mountinfo")))
	want(t, "/proc", mountAt(t, mounts, "/proc").Type, "proc")

	hungry := env.Bundle(harness.Shell("mkdir /tmp/p; unshare -r -m -p -f mount -t proc proc /tmp/p 2>&1; true"),
		harness.Capabilities("CAP_SYS_ADMIN"))
	got := env.Run(hungry, "--no-pivot").WantCode(t, 0).Stdout
	if !strings.Contains(strings.ToLower(got), "denied") && !strings.Contains(got, "not permitted") {
		t.Errorf("mounting proc inside: %q", got)
	}
}

// TestMaskedPaths: files read as empty and cannot be written, directories are
// empty and read-only, missing ones do not matter.
func TestMaskedPaths(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(func(c *specs.Spec) {
		c.Linux.MaskedPaths = []string{"/etc/secret", "/etc/secrets", "/proc/kcore", "/sys/firmware", "/nosuch/path", "/dev/full"}
	}, harness.Shell(`cat /etc/secret; echo x >/etc/secret; ls /etc/secrets; touch /etc/secrets/x 2>&1
		head -c 1 /proc/kcore; ls /sys/firmware; stat -c %t:%T /dev/full; echo end`))
	write(t, bundle.Path("etc/secret"), "secret")
	check(t, os.Mkdir(bundle.Path("etc/secrets"), 0o755))
	write(t, bundle.Path("etc/secrets/file"), "secret")
	r := env.Run(bundle).WantCode(t, 0)
	want(t, "output", r.Stdout, "touch: /etc/secrets/x: Read-only file system\n1:3\nend\n")
	wantFile(t, bundle.Path("etc/secret"), "secret")
}

// TestMaskSource: an image that replaces /dev/null does not turn a mask into
// a window (CVE-2025-31133): masked, or not started.
func TestMaskSource(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	check(t, os.MkdirAll(env.File("dev"), 0o755))
	check(t, os.Symlink("/etc/passwd", env.File("dev/null")))
	bundle := env.Bundle(harness.Shell("cat /proc/kcore | head -c 10"), harness.WithoutMount("/dev"), harness.WithoutMount("/dev/pts"),
		harness.WithoutMount("/dev/shm"), harness.WithoutMount("/dev/mqueue"), harness.Mounted(bind(env.File("dev"), "/dev")))
	if r := env.Run(bundle); r.Stdout != "" {
		t.Errorf("the mask is a window: %s", r)
	}
}

// TestReadonlyPaths: what can be read can still be read.
func TestReadonlyPaths(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(func(c *specs.Spec) {
		c.Linux.ReadonlyPaths = []string{"/etc/fixed", "/etc/dir", "/proc/sys", "/nosuch"}
	},
		harness.Shell(`cat /etc/fixed; { echo x >/etc/fixed; } 2>&1; touch /etc/dir/x 2>&1
			{ echo x >/proc/sys/kernel/domainname; } 2>&1; echo ok >/etc/free; echo end`))
	write(t, bundle.Path("etc/fixed"), "content\n")
	check(t, os.Mkdir(bundle.Path("etc/dir"), 0o755))
	out := env.Run(bundle).WantCode(t, 0).Stdout
	want(t, "refusals", strings.Count(out, "Read-only file system"), 3)
	if !strings.HasPrefix(out, "content\n") || !strings.HasSuffix(out, "end\n") {
		t.Errorf("got %q", out)
	}
}

// TestReadonlyPathKeepsFlags: a path below a noexec mount stays noexec.
func TestReadonlyPathKeepsFlags(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	m := mountAt(t, mountsInside(env, harness.Mounted(tmpfs("/mnt", "nosuid", "nodev", "noexec")),
		func(c *specs.Spec) { c.Linux.ReadonlyPaths = []string{"/mnt"} }), "/mnt")
	for _, option := range []string{"ro", "nosuid", "nodev", "noexec"} {
		if !slices.Contains(m.Options, option) {
			t.Errorf("not %s: %v", option, m)
		}
	}
}
