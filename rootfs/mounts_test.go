package rootfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// flagsOf is a script that prints the flags of the mounts at or below dir.
func flagsOf(dir string) string {
	return `while read -r _ _ _ _ at flags rest; do case $at in ` + dir + `*) rest=" $rest"; echo $at $flags ${rest%% - *};; esac; done < /proc/self/mountinfo | sort`
}

// source makes a directory outside the bundle, with a file.
func source(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "text of the host\n")
	return dir
}

// mountTmpfs mounts a tmpfs in the tests' own mount namespace.
func mountTmpfs(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	needRoot(t)
	mkdir(t, dir)
	if err := unix.Mount("test", dir, "tmpfs", flags, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

func bind(src, dest string, options ...string) specs.Mount {
	return specs.Mount{Destination: dest, Type: "bind", Source: src, Options: append([]string{"bind"}, options...)}
}

func TestBindDirectory(t *testing.T) {
	src := source(t)
	c := tiny(t, "cat /a/b/c/file; touch /a/b/c/new; stat -c %F /a/b", bind(src, "/a/b/c"))
	c.want(t, "text of the host\ndirectory")
	if _, err := os.Stat(filepath.Join(src, "new")); err != nil {
		t.Error("not written through: ", err)
	}
}

func TestBindFile(t *testing.T) {
	src := source(t)
	c := tiny(t, "cat /etc/x/file; stat -c '%F %s' /etc/x; stat -c %F /etc/x/file", bind(src+"/file", "/etc/x/file", "ro"))
	c.want(t, "text of the host\ndirectory 4096\nregular file")
	st, err := os.Stat(c.root("etc/x/file"))
	if err != nil || st.Size() != 0 {
		t.Errorf("the mountpoint: %v, %v", st, err)
	}
}

// A bind without "bind" in its options, a relative source, and a destination that is not
// absolute (deprecated): all taken as other runtimes do.
func TestBindLenient(t *testing.T) {
	c := tiny(t, "cat /data/f")
	write(t, filepath.Join(c.in.Bundle, "data/f"), "ok\n")
	c.in.Config.Mounts = append(c.in.Config.Mounts, specs.Mount{Destination: "data", Type: "bind", Source: "data"})
	c.want(t, "ok")
}

// Words that mean nothing to a bind mount are ignored, unless misspelt (see TestRequires).
func TestBindUnknownOption(t *testing.T) {
	c := tiny(t, "cat /m/file", bind(source(t), "/m", "nocopy", "z", "U", "size=1k"))
	c.want(t, "text of the host")
}

// A root that is an overlay, as engines make it.
func TestOverlayRoot(t *testing.T) {
	c := tiny(t, "touch /x /new/y && echo /*", bind(source(t), "/new"), specs.Mount{Destination: "/missing/dir", Type: "tmpfs"})
	needRoot(t)
	dir := t.TempDir()
	for _, name := range []string{"upper", "work", "merged"} {
		mkdir(t, filepath.Join(dir, name))
	}
	merged := filepath.Join(dir, "merged")
	data := "lowerdir=" + c.root("") + ",upperdir=" + dir + "/upper,workdir=" + dir + "/work"
	if err := unix.Mount("overlay", merged, "overlay", 0, data); err != nil {
		t.Skip("no overlay: ", err)
	}
	defer func() { _ = unix.Unmount(merged, unix.MNT_DETACH) }()
	c.in.Config.Root.Path = merged
	c.want(t, "/bin /dev /etc /missing /new /proc /sys /tmp /x")
}

func TestBindInFreshTmpfs(t *testing.T) {
	src := source(t)
	c := tiny(t, "cat /dev/file /dev/dir/file /dev/dir/more/file",
		bind(src+"/file", "/dev/file"), bind(src, "/dev/dir"), bind(src, "/dev/dir/more"))
	c.want(t, strings.Repeat("text of the host\n", 3))
	if entries, _ := os.ReadDir(c.root("dev")); len(entries) > 0 {
		t.Errorf("made in the image: %v", entries)
	}
}

func TestBindOverDevice(t *testing.T) {
	c := tiny(t, "stat -c '%t:%T' /dev/random", bind("/dev/zero", "/dev/random"))
	c.want(t, "1:5")
}

// Only what the options name is changed: flags that the source has stay.
func TestBindKeepsFlags(t *testing.T) {
	src := filepath.Join(t.TempDir(), "m")
	mountTmpfs(t, src, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_NOATIME)
	c := tiny(t, flagsOf("/m"), bind(src, "/m1"), bind(src, "/m2", "ro"), bind(src, "/m3", "exec", "strictatime"))
	c.want(t, `
/m1 rw,nosuid,nodev,noexec,noatime
/m2 ro,nosuid,nodev,noexec,noatime
/m3 rw,nosuid,nodev`)
}

func TestRecursiveAttributes(t *testing.T) {
	needMountSetattr(t)
	src := filepath.Join(t.TempDir(), "m")
	mountTmpfs(t, src, 0)
	mountTmpfs(t, src+"/sub", unix.MS_NOEXEC)
	rbind := func(dest string, options ...string) specs.Mount {
		return specs.Mount{Destination: dest, Source: src, Options: append([]string{"rbind"}, options...)}
	}
	c := tiny(t, flagsOf("/m"),
		bind(src, "/ma"), rbind("/mb"), rbind("/mc", "ro"), rbind("/md", "rro"),
		rbind("/me", "rnosuid", "rnodev", "rexec", "rnoatime", "rnodiratime", "rnosymfollow"),
		rbind("/mf", "rro", "rw"), rbind("/mg", "rstrictatime"))
	c.want(t, `
/ma rw,relatime
/mb rw,relatime
/mb/sub rw,noexec,relatime
/mc ro,relatime
/mc/sub rw,noexec,relatime
/md ro,relatime
/md/sub ro,noexec,relatime
/me rw,nosuid,nodev,noatime,nodiratime,nosymfollow
/me/sub rw,nosuid,nodev,noatime,nodiratime,nosymfollow
/mf rw,relatime
/mf/sub ro,noexec,relatime
/mg rw
/mg/sub rw,noexec`)
}

// "ro" on a recursive bind of /sys covers the cgroup file systems below it.
func TestSysReadonly(t *testing.T) {
	needMountSetattr(t)
	sys := filepath.Join(t.TempDir(), "sys")
	mountTmpfs(t, sys, 0)
	mountTmpfs(t, sys+"/fs/cgroup", 0)
	c := tiny(t, flagsOf("/sys"), specs.Mount{Destination: "/sys", Type: "none", Source: sys, Options: []string{"rbind", "ro", "nosuid"}})
	c.want(t, "/sys ro,nosuid,relatime\n/sys/fs/cgroup ro,relatime")
}

func TestPropagation(t *testing.T) {
	src := filepath.Join(t.TempDir(), "m")
	mountTmpfs(t, src, 0)
	if err := unix.Mount("", src, "", unix.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	mounts := []specs.Mount{bind(src, "/m0"), bind(src, "/m1", "private"), bind(src, "/m2", "rslave"), bind(src, "/m3", "shared"), bind(src, "/m4", "unbindable")}
	shape := func(out string) string { // numbers of peer groups differ from run to run
		var b strings.Builder
		for _, c := range out {
			if c < '0' || c > '9' {
				b.WriteRune(c)
			}
		}
		return b.String()
	}
	c := tiny(t, flagsOf("/m"), mounts...)
	out, err := c.run(t)
	want := "/m rw,relatime master:\n/m rw,relatime\n/m rw,relatime master:\n/m rw,relatime shared: master:\n/m rw,relatime unbindable\n"
	if err != nil || shape(out) != want {
		t.Errorf("default: got %s, %v", out, err)
	}
	// With a shared root, sources stay peers of the host's mounts.
	c = tiny(t, flagsOf("/m"), mounts...)
	c.in.Config.Linux = &specs.Linux{RootfsPropagation: "shared"}
	out, err = c.run(t)
	want = "/m rw,relatime shared:\n/m rw,relatime\n/m rw,relatime master:\n/m rw,relatime shared:\n/m rw,relatime unbindable\n"
	if err != nil || shape(out) != want {
		t.Errorf("shared root: got %s, %v", out, err)
	}
}

func TestRootfsPropagation(t *testing.T) {
	for value, want := range map[string]string{"": "", "shared": "shared:", "rshared": "shared:", "slave": "", "private": "", "unbindable": "unbindable"} {
		c := tiny(t, `read -r _ _ _ _ _ _ rest < /proc/self/mountinfo; rest=" $rest"; echo ${rest%% - *}`)
		c.in.Config.Linux = &specs.Linux{RootfsPropagation: value}
		out, err := c.run(t)
		out = strings.TrimRight(strings.TrimSpace(out), "0123456789")
		if err != nil || out != want {
			t.Errorf("%q: got %q, %v", value, out, err)
		}
	}
}

// Nothing that is mounted reaches the namespace of the runtime, even if all of
// it is shared and the container's root as well.
func TestHostSeesNothing(t *testing.T) {
	for _, propagation := range []string{"", "shared", "rshared", "private", "slave"} {
		c := tiny(t, "echo ok", specs.Mount{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs"})
		c.in.Config.Linux = &specs.Linux{RootfsPropagation: propagation, MaskedPaths: []string{"/proc/keys"}}
		mountTmpfs(t, filepath.Join(c.in.Bundle, "top"), 0)
		root := filepath.Join(c.in.Bundle, "top/rootfs")
		mkdir(t, root)
		if err := unix.Mount(c.root(""), root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{filepath.Join(c.in.Bundle, "top"), root} {
			if err := unix.Mount("", dir, "", unix.MS_SHARED, ""); err != nil {
				t.Fatal(err)
			}
		}
		c.in.Config.Root.Path = "top/rootfs"
		before, _ := os.ReadFile("/proc/self/mountinfo")
		during := ""
		c.hook = func(int) { b, _ := os.ReadFile("/proc/self/mountinfo"); during = string(b) }
		c.want(t, "ok")
		after, _ := os.ReadFile("/proc/self/mountinfo")
		if string(before) != during || string(before) != string(after) {
			t.Errorf("%q: the runtime's mounts changed:\n%s\n%s\n%s", propagation, before, during, after)
		}
	}
}

// The hooks before pivot_root see the mounts below the root's path on the host.
func TestHooksSeeMounts(t *testing.T) {
	c := tiny(t, "echo ok", specs.Mount{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs"})
	seen := ""
	c.hook = func(pid int) {
		b, _ := os.ReadFile("/proc/" + itoa(pid) + "/mountinfo")
		seen = string(b)
	}
	c.want(t, "ok")
	for _, at := range []string{"", "/proc", "/dev", "/tmp"} {
		if !strings.Contains(seen, " "+c.root("")+at+" ") {
			t.Errorf("no mount at rootfs%s in\n%s", at, seen)
		}
	}
}

func TestTmpfsMode(t *testing.T) {
	c := tiny(t, "stat -c '%n %a' /tmp /new /set /dev/new",
		specs.Mount{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs"},
		specs.Mount{Destination: "/new", Type: "tmpfs", Source: "tmpfs"},
		specs.Mount{Destination: "/set", Type: "tmpfs", Source: "tmpfs", Options: []string{"mode=700"}},
		specs.Mount{Destination: "/dev/new", Type: "tmpfs", Source: "tmpfs"})
	if err := os.Chmod(c.root("tmp"), 0o710); err != nil {
		t.Fatal(err)
	}
	c.want(t, "/tmp 710\n/new 1777\n/set 700\n/dev/new 1777")
}

// A read-only tmpfs still gets the mounts that lie in it.
func TestReadonlyTmpfs(t *testing.T) {
	src := source(t)
	c := tiny(t, "cat /t/sub/file; touch /t/x; ls /dev/null; touch /dev/x",
		specs.Mount{Destination: "/t", Type: "tmpfs", Source: "tmpfs", Options: []string{"ro"}}, bind(src, "/t/sub"))
	c.in.Config.Mounts[1].Options = []string{"ro", "mode=755"}
	c.want(t, "text of the host\ntouch: /t/x: Read-only file system\n/dev/null\ntouch: /dev/x: Read-only file system")
}

func TestRemount(t *testing.T) {
	c := tiny(t, flagsOf("/m")+"; grep -o size=8k /proc/mounts",
		specs.Mount{Destination: "/m", Type: "tmpfs", Source: "tmpfs", Options: []string{"size=4k", "nosuid"}},
		specs.Mount{Destination: "/m", Options: []string{"remount", "bind", "noexec"}},
		specs.Mount{Destination: "/m", Type: "tmpfs", Options: []string{"remount", "size=8k", "nodev"}})
	c.want(t, "/m rw,nosuid,nodev,noexec,relatime\nsize=8k")
}

func TestRootAsDestination(t *testing.T) {
	src := source(t)
	mkdir(t, src+"/bin")
	data, _ := os.ReadFile(busybox)
	if err := os.WriteFile(src+"/bin/sh", data, 0o755); err != nil {
		t.Fatal(err)
	}
	c := tiny(t, "read l < /file; echo $l; echo /*")
	c.in.Config.Mounts = []specs.Mount{bind(src, "/")}
	c.want(t, "text of the host\n/bin /dev /file")
}

// The mounts that later steps work on may have long options as well.
func TestLongAnchors(t *testing.T) {
	c := tiny(t, "stat -c %t:%T /dev/null /dev/console; cat /proc/timer_list; touch /dev/x /t/x; cat /dev/d/file", devpts,
		bind(source(t), "/dev/d"), specs.Mount{Destination: "/t", Type: "tmpfs", Options: []string{"ro"}})
	c.console = true
	for i := range c.in.Config.Mounts {
		if m := &c.in.Config.Mounts[i]; m.Type != "bind" {
			m.Source = strings.Repeat("x", 300)
		}
	}
	c.in.Config.Linux = &specs.Linux{MaskedPaths: []string{"/proc/timer_list"}, ReadonlyPaths: []string{"/proc/sys"}}
	c.want(t, "1:3\n88:0\ntouch: /t/x: Read-only file system\ntext of the host")
}

// A tmpfs for a root, filled by binds.
func TestTmpfsRoot(t *testing.T) {
	c := tiny(t, "echo /*; cat /proc/timer_list; touch /x")
	bin := bind(c.root("bin"), "/bin", "ro")
	c.in.Config.Mounts = append([]specs.Mount{{Destination: "/", Type: "tmpfs", Source: "tmpfs", Options: []string{"mode=755"}}, bin}, c.in.Config.Mounts...)
	c.in.Config.Root.Readonly = true
	c.in.Config.Linux = &specs.Linux{MaskedPaths: []string{"/proc/timer_list", "/proc/acpi"}}
	c.want(t, "/bin /dev /proc\ntouch: /x: Read-only file system")
}

// A root that is the host's own, as in toolboxes; its mounts come along.
func TestHostRoot(t *testing.T) {
	c := tiny(t, "test -e "+busybox+" && stat -f -c %t /proc && grep -c ' /dev tmpfs' /proc/self/mounts; grep -c . /proc/self/mounts")
	c.in.Config.Root.Path = "/"
	c.in.Config.Mounts[1].Source = "mine"
	out, err := c.run(t)
	if err != nil || !strings.HasPrefix(out, "9fa0\n") {
		t.Errorf("%s, %v", out, err)
	}
	c = tiny(t, "test -e /host/etc/passwd && echo ok; grep -c '/host.*/host' /proc/self/mounts",
		specs.Mount{Destination: "/host", Source: "/", Options: []string{"rbind", "rslave", "ro"}})
	c.want(t, "ok\n0")
}

// Mountpoints that are missing are made inside the root, wherever its links lead.
func TestLinksStayInside(t *testing.T) {
	src := source(t)
	outside := t.TempDir()
	c := tiny(t, "cat /abs/file /up/new/file /var/run/deep/er/file /run/deep/er/file | sort | uniq -c",
		bind(src, "/abs"), bind(src, "/up/new"), bind(src, "/var/run/deep/er"))
	mkdir(t, c.root(outside))
	mkdir(t, c.root("run"))
	for _, name := range []string{"sort", "uniq"} {
		_ = os.Symlink("busybox", c.root("bin/"+name))
	}
	symlink(t, outside, c.root("abs"))
	symlink(t, "../../../../../../../../../../"+outside, c.root("up"))
	symlink(t, "../run", c.root("var/run"))
	c.want(t, "      4 text of the host")
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("made on the host: %v", entries)
	}
}

func TestNofollow(t *testing.T) {
	src := source(t)
	symlink(t, "file", src+"/link")
	c := tiny(t, "readlink /a; readlink /b; cat /c; readlink /d",
		bind(src+"/link", "/a", "copy-symlink"), bind(src+"/link", "/dev/../b", "copy-symlink"),
		bind(src+"/link", "/c", "copy-symlink", "src-nofollow"), bind(src+"/link", "/d", "src-nofollow", "dest-nofollow"))
	write(t, c.root("file"), "of the image\n")
	symlink(t, "file", c.root("b"))
	symlink(t, "elsewhere", c.root("d"))
	c.want(t, "file\nfile\nof the image\nfile")
}

func TestCopySymlinkMismatch(t *testing.T) {
	src := source(t)
	symlink(t, "file", src+"/link")
	c := tiny(t, "", bind(src+"/link", "/a", "copy-symlink"))
	symlink(t, "fill", c.root("a"))
	c.refused(t, "mounts[2].destination: exists already and is not the link to copy")
}

// A volume over the path at which an earlier one lies hides it.
func TestOrder(t *testing.T) {
	one, two := source(t), source(t)
	write(t, one+"/one", "")
	write(t, two+"/two", "")
	c := tiny(t, "cd /v; echo *; cd /dev/v; echo *", bind(one, "/v"), bind(two, "/v"), bind(one, "/dev/v"), bind(two, "/dev/v"))
	c.want(t, "file two\nfile two")
}

func TestManyMounts(t *testing.T) {
	src := source(t)
	var mounts []specs.Mount
	for i := range 150 {
		mounts = append(mounts, bind(src, "/many/"+itoa(i)), specs.Mount{Destination: "/tmpfs/" + itoa(i), Type: "tmpfs", Source: "t", Options: []string{"ro"}})
	}
	c := tiny(t, "grep -c . /proc/self/mountinfo", mounts...)
	c.want(t, "303")
}

func TestLongOptions(t *testing.T) {
	dir := t.TempDir()
	var lower []string
	for i := range 12 {
		layer := filepath.Join(dir, "a-layer-with-a-name-that-is-long-"+itoa(i))
		write(t, filepath.Join(layer, "layer"+itoa(i)), "")
		lower = append(lower, layer)
	}
	overlay := specs.Mount{Type: "overlay", Source: "overlay", Options: []string{"lowerdir=" + strings.Join(lower, ":"), "nosuid", "private"}}
	overlay.Destination = "/o"
	inDev := overlay
	inDev.Destination = "/dev/o"
	c := tiny(t, "cd /o; echo *; cd /dev/o; echo *; cat /tmp/file; "+flagsOf("/o"), overlay, inDev, bind(source(t), "/tmp"))
	list := "layer0 layer1 layer10 layer11 layer2 layer3 layer4 layer5 layer6 layer7 layer8 layer9\n"
	c.want(t, list+list+"text of the host\n/o rw,nosuid,relatime")
}
