package rootfs

import (
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// withoutMountSetattr is a seccomp filter that makes the call unknown.
func withoutMountSetattr() []byte {
	var b []byte
	for _, i := range []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 0, Jf: 1, K: unix.SYS_MOUNT_SETATTR},
		{Code: unix.BPF_RET, K: 0x00050000 | uint32(unix.ENOSYS)}, // SECCOMP_RET_ERRNO
		{Code: unix.BPF_RET, K: 0x7fff0000},                       // SECCOMP_RET_ALLOW
	} {
		b = binary.LittleEndian.AppendUint16(b, i.Code)
		b = append(b, i.Jt, i.Jf)
		b = binary.LittleEndian.AppendUint32(b, i.K)
	}
	return b
}

// needMountSetattr skips what an old kernel cannot do, see classic_linux.go.
func needMountSetattr(t *testing.T) {
	t.Helper()
	if oldKernel() {
		t.Skip("needs mount_setattr, Linux 5.12")
	}
}

// The default container, on a kernel before 5.12.
func TestClassicDefault(t *testing.T) {
	_, list := hierarchies(t)
	const script = `touch /x; echo x > /proc/sys/kernel/domainname; echo 1 > /proc/uptime; cat /proc/timer_list; ls /sys/firmware; touch /sys/fs/cgroup/memory/x; `
	for _, c := range []*container{{}, {clone: unix.CLONE_NEWUSER}} {
		c.in = Input{Config: defaultConfig(), Bundle: newBundle(t), Cgroup: Cgroup{V1: list}, Userns: c.clone != 0}
		c.in.Config.Linux.ReadonlyPaths = append(c.in.Config.Linux.ReadonlyPaths, "/proc/uptime")
		c.script = script + flagsOf("/")
		chown(t, c.root(""), int(c.clone/unix.CLONE_NEWUSER)*100000)
		want, err := c.run(t)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(want, "/proc/uptime ro") {
			t.Fatal(want)
		}
		c.classic = true
		c.want(t, want)
	}
}

func TestClassicBinds(t *testing.T) {
	src := filepath.Join(t.TempDir(), "m")
	mountTmpfs(t, src, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_NOATIME)
	write(t, src+"/file", "")
	for _, userns := range []bool{false, true} {
		c := tiny(t, flagsOf("/m")+"; touch /t/x", bind(src, "/m1"), bind(src, "/m2", "ro"), bind(src+"/file", "/m3", "ro"),
			bind(src+"/file", "/dev/m4", "ro"), bind(src, "/m5", "private"),
			specs.Mount{Destination: "/t", Type: "tmpfs", Options: []string{"ro", "private"}})
		c.classic = true
		if userns {
			inUserns(t, c)
			chown(t, c.root(""), 100000)
		}
		c.want(t, `
/m1 rw,nosuid,nodev,noexec,noatime
/m2 ro,nosuid,nodev,noexec,noatime
/m3 ro,nosuid,nodev,noexec,noatime
/m5 rw,nosuid,nodev,noexec,noatime
touch: /t/x: Read-only file system`)
	}
	c := tiny(t, flagsOf("/m"), bind(src, "/m1", "exec", "strictatime"))
	c.classic = true
	c.want(t, "/m1 rw,nosuid,nodev")
}

func TestClassicPropagation(t *testing.T) {
	src := filepath.Join(t.TempDir(), "m")
	mountTmpfs(t, src, 0)
	if err := unix.Mount("", src, "", unix.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	c := tiny(t, flagsOf("/m"), bind(src, "/m1", "private"), bind(src, "/m2", "unbindable"))
	c.classic = true
	c.want(t, "/m1 rw,relatime\n/m2 rw,relatime unbindable")
}

func TestClassicRefuses(t *testing.T) {
	c := tiny(t, "", bind("/", "/m", "rro"))
	c.classic = true
	c.refused(t, "mounts[2].options: needs Linux 5.12 (recursive options are for mount_setattr(2))")
	c = tiny(t, "", bind("/", "/m", "idmap=uids=0-0-1;gids=0-0-1"))
	c.classic = true
	c.refused(t, `mounts[2].options: option "idmap": needs Linux 5.12`)
}

func TestOlderThan(t *testing.T) {
	for release, want := range map[string]bool{
		"5.10.0-28-amd64": true, "5.11": true, "5.12.0": false, "5.12-rc1": false, "6.1.0": false, "4.18.0-553.el8": true, "10.2": false, "": false, "x.y": false,
	} {
		if got := olderThan(release, 5, 12); got != want {
			t.Errorf("%q: got %v", release, got)
		}
	}
}
