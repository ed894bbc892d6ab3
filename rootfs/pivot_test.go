package rootfs

import (
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestNoPivot(t *testing.T) {
	c := tiny(t, "")
	c.in.NoPivot = true
	c.in.Config.Linux = &specs.Linux{MaskedPaths: []string{"/proc/timer_list"}}
	// In a user namespace below, the kernel allows a new procfs only where a
	// complete one is visible (security of --no-pivot).
	c.script = "echo /*; cat /proc/timer_list; ls -a /..; unshare -Umrpf sh -c 'mkdir -p /p; mount -t proc p /p; mount -t sysfs s /p' 2>&1"
	symlink(t, "busybox", c.root("bin/unshare"))
	out, err := c.run(t)
	want := "/bin /dev /etc /proc /sys /tmp\n.\n..\nbin\ndev\netc\nproc\nsys\ntmp\n" +
		"mount: permission denied (are you root?)\nmount: permission denied (are you root?)\n"
	if err != nil || out != want {
		t.Errorf("got %s, %v\nwant %s", out, err, want)
	}
}

func TestCoveredMount(t *testing.T) {
	for line, want := range map[string]string{
		"36 35 0:21 / /proc rw,relatime shared:1 - proc proc rw\n": "/proc",
		"36 35 0:21 / /a\\040b/sys rw - sysfs sysfs rw\n":          "/a b/sys",
		"36 35 0:21 /sys /proc/sys ro - proc proc rw\n":            "",
		"36 35 254:0 / / rw,relatime - ext4 /dev/vda rw\n":         "",
		"short\n": "",
	} {
		if got, ok := coveredMount(line); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v", line, got, ok)
		}
	}
}

func FuzzCoveredMount(f *testing.F) {
	f.Add("36 35 0:21 / /proc\\04 rw,relatime shared:1 - proc proc rw\n")
	f.Fuzz(func(t *testing.T, line string) { coveredMount(line) })
}

// Without a mount namespace nothing is mounted, and the root is only changed.
func TestNoMountNamespace(t *testing.T) {
	in := Input{Config: &specs.Spec{Root: &specs.Root{Path: "rootfs"}}, Bundle: newBundle(t)}
	r, err := New(in)
	if err != nil {
		t.Fatal(err)
	}
	c := &container{}
	var b strings.Builder
	c.record(r).List(&b)
	for _, call := range []string{"move_mount", "mount(", "mknodat", "pivot_root"} {
		if strings.Contains(b.String(), call) {
			t.Errorf("%s in\n%s", call, b.String())
		}
	}
	if !strings.Contains(b.String(), `chroot(".")`) {
		t.Error(b.String())
	}
}

func TestRelative(t *testing.T) {
	for in, want := range map[string]string{"/": "", "": "", "/a//b/../c/": "a/c", "a": "a", "/../..": "", "../x": "x"} {
		if got := relative(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if !reflect.DeepEqual([]bool{below("a/b", "a"), below("ab", "a"), below("a", "a")}, []bool{true, false, true}) {
		t.Error("below")
	}
}
