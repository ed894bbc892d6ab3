package rootfs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// inUserns makes c run in a user namespace of host ids from 100000 on.
func inUserns(t *testing.T, c *container) *container {
	t.Helper()
	c.in.Userns = true
	c.clone = unix.CLONE_NEWUSER
	return c
}

func TestUserns(t *testing.T) {
	src := source(t)
	if err := os.Chmod(src, 0o700); err != nil { // not for the container's root to enter
		t.Fatal(err)
	}
	c := inUserns(t, tiny(t, `cat /file; touch /dev/x; echo x > /dev/null; stat -c '%n %t:%T' /dev/zero; stat -c '%n %u' /dev/x /dev/zero; cat /proc/self/comm`,
		bind(src+"/file", "/file", "ro")))
	c.in.Config.Linux = &specs.Linux{MaskedPaths: []string{"/proc/keys", "/proc/acpi"}, ReadonlyPaths: []string{"/proc/sys"}}
	write(t, c.root("file"), "")
	for _, dir := range []string{c.in.Bundle, c.root("")} {
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	chown(t, c.root(""), 100000)
	c.want(t, "text of the host\n/dev/zero 1:5\n/dev/x 0\n/dev/zero 65534\ncat")
}

func chown(t *testing.T, root string, id int) {
	t.Helper()
	needRoot(t)
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, id, id)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A source with flags that a user namespace may not clear.
func TestUsernsLockedFlags(t *testing.T) {
	src := filepath.Join(t.TempDir(), "m")
	mountTmpfs(t, src, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC)
	c := inUserns(t, tiny(t, flagsOf("/m"), bind(src, "/m1"), bind(src, "/m2", "ro"), bind(src, "/m3", "rw", "nosuid")))
	chown(t, c.root(""), 100000)
	c.want(t, "/m1 rw,nosuid,nodev,noexec,relatime\n/m2 ro,nosuid,nodev,noexec,relatime\n/m3 rw,nosuid,nodev,noexec,relatime")
	// The same without a privileged parent: the stage takes the sources itself.
	c.in.Rootless = true
	for _, dir := range []string{filepath.Dir(c.in.Bundle), c.in.Bundle, filepath.Dir(filepath.Dir(src)), filepath.Dir(src)} {
		_ = os.Chmod(dir, 0o755)
	}
	c.want(t, "/m1 rw,nosuid,nodev,noexec,relatime\n/m2 ro,nosuid,nodev,noexec,relatime\n/m3 rw,nosuid,nodev,noexec,relatime")
	c.in.Config.Mounts[4].Options = []string{"bind", "exec"}
	needMountSetattr(t)
	c.refused(t, `mounts[4].options: mount_setattr: operation not permitted (a user namespace may not change the flags that the mount of `+src+` came with: nosuid,nodev,noexec,relatime)`)
}

// A procfs that is covered in part keeps user namespaces from having another.
func TestUsernsCoveredProc(t *testing.T) {
	needRoot(t)
	c := inUserns(t, tiny(t, ""))
	chown(t, c.root(""), 100000)
	if err := unix.Mount("/dev/null", "/proc/keys", "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Unmount("/proc/keys", unix.MNT_DETACH) }()
	c.refused(t, `mounts[0]: fsmount: operation not permitted (the kernel refuses a new procfs here because the outer /proc is partly covered: /proc/keys)`)
}

func TestIDMap(t *testing.T) {
	needMountSetattr(t)
	one := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 5000, Size: 10}}
	src := source(t)
	mapped := bind(src, "/m1")
	mapped.UIDMappings, mapped.GIDMappings = one, one
	c := tiny(t, "stat -c %u:%g /m0/file /m1/file /m2/file /m3/file", bind(src, "/m0"), mapped, bind(src, "/m2", "idmap=uids=0-7-1;gids=0-8-1"),
		specs.Mount{Destination: "/m3", Source: src, Options: []string{"rbind", "ridmap=uids=0-7-1;gids=0-9-1"}})
	c.want(t, "0:0\n5000:5000\n7:8\n7:9")

	c = inUserns(t, tiny(t, "stat -c %u:%g /m0/file /m1/file", bind(src, "/m0"), bind(src, "/m1", "idmap")))
	chown(t, c.root(""), 100000)
	c.want(t, "65534:65534\n0:0")

	c = tiny(t, "", bind(src, "/m", "idmap"))
	c.refused(t, `mounts[2]: option "idmap": needs uidMappings and gidMappings, as the container has no user namespace of its own`)
	mapped.Source = "/proc"
	c = tiny(t, "", mapped)
	c.refused(t, `mounts[2]: id-map "/proc": invalid argument (its file system, proc, does not support it)`)
}

func TestCopyUp(t *testing.T) {
	for _, userns := range []bool{false, true} {
		c := tiny(t, "cd /t; find . | sort; cat a/f; readlink l; stat -c '%n %a %u:%g' . a a/f s; touch /t/new /dev/t/x && find /dev/t",
			specs.Mount{Destination: "/t", Type: "tmpfs", Source: "tmpfs", Options: []string{"tmpcopyup"}},
			specs.Mount{Destination: "/dev/t", Type: "tmpfs", Source: "tmpfs", Options: []string{"tmpcopyup", "mode=700"}})
		write(t, c.root("t/a/f"), "of the image\n")
		write(t, c.root("t/s"), "")
		symlink(t, "/etc/passwd", c.root("t/l"))
		uid := 0
		if userns {
			inUserns(t, c)
			uid = 100000
		}
		chown(t, c.root(""), uid)
		must(t, os.Chmod(c.root("t"), 0o751), os.Lchown(c.root("t/a"), uid+3, uid+4), os.Lchown(c.root("t/s"), uid+5, uid), unix.Chmod(c.root("t/s"), 0o4755), os.Chmod(c.root("t/a"), 0o700))
		c.want(t, `.
./a
./a/f
./l
./s
of the image
/etc/passwd
. 751 0:0
a 700 3:4
a/f 644 0:0
s 4755 5:0
/dev/t
/dev/t/x`)
		if entries, _ := os.ReadDir(c.root("t")); len(entries) != 3 {
			t.Errorf("the image has changed: %v", entries)
		}
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}
