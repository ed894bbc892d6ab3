package tests

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// TestDefaultDevices: config-linux.md#default-devices, usable by everyone.
func TestDefaultDevices(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]harness.Edit{"root": func(*specs.Spec) {}, "user namespace": harness.UserNamespace} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			got := env.Stdout(edit, harness.Shell(`cd /dev
				for d in null zero full random urandom tty; do stat -c '%n %F %t:%T %a' $d; done
				echo gone >null && head -c 4 zero | od -An -tx1 && head -c 1 urandom | wc -c
				echo x 2>&1 >full || echo full is full`))
			expected := `null character special file 1:3 666
zero character special file 1:5 666
full character special file 1:7 666
random character special file 1:8 666
urandom character special file 1:9 666
tty character special file 5:0 666
 00 00 00 00
1
`
			if !strings.HasPrefix(got, expected) || !strings.HasSuffix(got, "full is full") {
				t.Errorf("got %q, want %q", got, expected)
			}
		})
	}
}

// TestDeviceSymlinks: runtime-linux.md#dev-symbolic-links and /dev/ptmx.
func TestDeviceSymlinks(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	got := env.Stdout(harness.Shell("cd /dev; for l in fd stdin stdout stderr; do readlink $l; done; stat -L -c %t:%T ptmx"))
	want(t, "links", got, "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\n5:2")
}

// TestDevicesOfTheImage: without a mount on /dev the nodes and links are made
// in the image, and what is right there already stays.
func TestDevicesInTheImage(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	without := []harness.Edit{harness.WithoutMount("/dev"), harness.WithoutMount("/dev/pts"), harness.WithoutMount("/dev/shm"), harness.WithoutMount("/dev/mqueue")}
	bundle := env.Bundle(append(without, harness.Shell("stat -c %t:%T /dev/null /dev/zero; readlink /dev/fd"))...)
	check(t, unix.Mknod(bundle.Path("dev/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	want(t, "output", env.Run(bundle).WantCode(t, 0).Stdout, "1:3\n1:5\n/proc/self/fd\n")
}

// TestSpecDevices: linux.devices with type, numbers, mode and owner, in
// directories that are made.
func TestSpecDevices(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	mode := func(m os.FileMode) *os.FileMode { return &m }
	devices := []specs.LinuxDevice{
		{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229, FileMode: mode(0o640), UID: harness.Pointer(uint32(7)), GID: harness.Pointer(uint32(8))},
		{Path: "/dev/sub/dir/block", Type: "b", Major: 7, Minor: 3, FileMode: mode(0o600)},
		{Path: "/dev/pipe", Type: "p", FileMode: mode(0o622)},
		{Path: "/dev/unbuffered", Type: "u", Major: 1, Minor: 5, FileMode: mode(0o666)},
		{Path: "/opt/null", Type: "c", Major: 1, Minor: 3, FileMode: mode(0o777)},
	}
	got := env.Stdout(func(c *specs.Spec) { c.Linux.Devices = devices }, harness.Shell(
		"stat -c '%n %F %t:%T %a %u:%g' /dev/fuse /dev/sub/dir/block /dev/pipe /dev/unbuffered /opt/null"))
	want(t, "devices", got, `/dev/fuse character special file a:e5 640 7:8
/dev/sub/dir/block block special file 7:3 600 0:0
/dev/pipe fifo 0:0 622 0:0
/dev/unbuffered character special file 1:5 666 0:0
/opt/null character special file 1:3 777 0:0`)
}

// TestSpecDeviceMode: without fileMode there is some access, and the umask of
// the caller plays no part.
func TestSpecDeviceMode(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	got := env.Stdout(func(c *specs.Spec) {
		c.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "c", Major: 1, Minor: 3, FileMode: harness.Pointer(os.FileMode(0o666))}}
		c.Process.User.Umask = harness.Pointer(uint32(0o077))
	}, harness.Shell("stat -c %a /dev/x /dev/null"))
	want(t, "modes", got, "666\n666")
}

// TestSpecDeviceMayNotBeMade: rules say what the container may do with a
// device, also when that does not include to make it. Engines give
// "--device /dev/fuse:/dev/other:rw" so, behind rules that deny it at first.
func TestSpecDeviceMayNotBeMade(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	got := env.Stdout(func(c *specs.Spec) {
		c.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/other", Type: "c", Major: 10, Minor: 229}}
		c.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{
			allow(false, "", -1, -1, "rwm"), allow(false, "c", 10, 229, "rwm"), allow(true, "c", 10, 229, "rw"),
		}}
	}, harness.Shell(": <>/dev/other && stat -c '%F %t:%T' /dev/other"))
	want(t, "device", got, "character special file a:e5")
}

// TestSpecDeviceInUserNamespace: mknod is denied there, so the host's node is
// bound.
func TestSpecDeviceInUserNamespace(t *testing.T) {
	t.Parallel()
	require.Userns(t)
	env := harness.New(t)
	got := env.Stdout(harness.UserNamespace, func(c *specs.Spec) {
		c.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229}}
	}, harness.Shell("stat -c '%F %t:%T' /dev/fuse"))
	want(t, "device", got, "character special file a:e5")
}

// TestSpecDeviceConflict: "If a file already exists at path that does not match
// the requested device, the runtime MUST generate an error."
func TestSpecDeviceConflict(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	device := func(c *specs.Spec) {
		c.Linux.Devices = []specs.LinuxDevice{{Path: "/etc/taken", Type: "c", Major: 1, Minor: 3}}
	}
	bundle := env.Bundle(device)
	write(t, bundle.Path("etc/taken"), "a file")
	env.Run(bundle).WantError(t, 1, "linux.devices[0]", "/etc/taken")
	wantFile(t, bundle.Path("etc/taken"), "a file")

	same := env.Bundle(device)
	check(t, unix.Mknod(same.Path("etc/taken"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))))
	env.Run(same).WantQuiet(t)
}

// allow is a rule of linux.resources.devices.
func allow(access bool, kind string, major, minor int64, what string) specs.LinuxDeviceCgroup {
	rule := specs.LinuxDeviceCgroup{Allow: access, Type: kind, Access: what}
	if major >= 0 {
		rule.Major = &major
	}
	if minor >= 0 {
		rule.Minor = &minor
	}
	return rule
}

// TestDeviceRules: what the cgroup allows and denies, on v1 and by eBPF on v2.
// /dev/fuse opens without further privilege, so the answer is the cgroup's.
func TestDeviceRules(t *testing.T) {
	t.Parallel()
	deny := allow(false, "", -1, -1, "rwm")
	cases := []struct {
		name  string
		rules []specs.LinuxDeviceCgroup
		opens string // the result of reading, writing and both
	}{
		{"denied by default", []specs.LinuxDeviceCgroup{deny}, "- - -"},
		{"allowed", []specs.LinuxDeviceCgroup{deny, allow(true, "c", 10, 229, "rwm")}, "r w rw"},
		{"read only", []specs.LinuxDeviceCgroup{deny, allow(true, "c", 10, 229, "r")}, "r - -"},
		{"write only", []specs.LinuxDeviceCgroup{deny, allow(true, "c", 10, 229, "w")}, "- w -"},
		{"any minor", []specs.LinuxDeviceCgroup{deny, allow(true, "c", 10, -1, "rw")}, "r w rw"},
		{"any device", []specs.LinuxDeviceCgroup{deny, allow(true, "a", -1, -1, "rwm")}, "r w rw"},
		{"another device", []specs.LinuxDeviceCgroup{deny, allow(true, "c", 10, 200, "rwm")}, "- - -"},
		{"a block device", []specs.LinuxDeviceCgroup{deny, allow(true, "b", 10, 229, "rwm")}, "- - -"},
		{"allowed, then denied", []specs.LinuxDeviceCgroup{deny, allow(true, "c", 10, 229, "rwm"), allow(false, "c", 10, 229, "w")}, "r - -"},
		{"all allowed, one denied", []specs.LinuxDeviceCgroup{allow(true, "a", -1, -1, "rwm"), allow(false, "c", 10, 229, "rwm")}, "- - -"},
		{"no default devices", []specs.LinuxDeviceCgroup{deny, allow(true, "c", 10, 229, "rwm"), deny}, "- - -"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			got := env.Stdout(func(s *specs.Spec) {
				s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229}}
				s.Linux.Resources.Devices = c.rules
			}, harness.Shell(`r=-; w=-; rw=-
				(: </dev/fuse) 2>/dev/null && r=r; (: >/dev/fuse) 2>/dev/null && w=w; (: <>/dev/fuse) 2>/dev/null && rw=rw
				echo $r $w $rw`))
			want(t, "access", got, c.opens)
		})
	}
}

// TestDeviceRulesMknod: m is for making nodes, which is allowed for all devices
// unless a rule denies it: a node alone opens nothing.
func TestDeviceRulesMknod(t *testing.T) {
	t.Parallel()
	deny := allow(false, "", -1, -1, "rwm")
	for name, c := range map[string]struct {
		rules    []specs.LinuxDeviceCgroup
		expected string
	}{
		"default": {[]specs.LinuxDeviceCgroup{deny}, "made"},
		"denied":  {[]specs.LinuxDeviceCgroup{deny, allow(false, "b", 7, 0, "m")}, "denied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			got := env.Stdout(harness.Capabilities("CAP_MKNOD"), func(s *specs.Spec) { s.Linux.Resources.Devices = c.rules },
				harness.Shell("mknod /tmp/x b 7 0 2>/dev/null && echo made || echo denied"))
			want(t, "mknod b 7 0", got, c.expected)
		})
	}
}

// TestDefaultDevicesAllowed: however strict the rules, the default devices can
// be used.
func TestDefaultDevicesAllowed(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	got := env.Stdout(harness.Shell("echo x >/dev/null && head -c 1 /dev/zero | wc -c && head -c 1 /dev/urandom | wc -c && (: <>/dev/ptmx) && echo all"))
	want(t, "output", got, "1\n1\nall")
}
