package rootfs

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func itoa(n int) string { return strconv.Itoa(n) }

// tiny is a container with a /dev and a /proc, and the given mounts after them.
func tiny(t *testing.T, script string, mounts ...specs.Mount) *container {
	t.Helper()
	config := &specs.Spec{
		Root: &specs.Root{Path: "rootfs"},
		Mounts: append([]specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "mode=755"}},
		}, mounts...),
	}
	return &container{in: Input{Config: config, Bundle: newBundle(t)}, script: script}
}

func (c *container) root(path string) string { return filepath.Join(c.in.Bundle, "rootfs", path) }

// want runs c and compares what it prints.
func (c *container) want(t *testing.T, want string) {
	t.Helper()
	got, err := c.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

// refused runs c, which must fail with this error.
func (c *container) refused(t *testing.T, want string) {
	t.Helper()
	out, err := c.run(t)
	if err == nil {
		t.Fatalf("no error; it printed %s", out)
	}
	got := strings.ReplaceAll(err.Error(), c.in.Bundle, "BUNDLE")
	if got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
}

func TestGoldenDefault(t *testing.T) {
	golden(t, "default-v2.txt", &container{console: true,
		in: Input{Config: defaultConfig(), Bundle: newBundle(t), Cgroup: Cgroup{Unified: "/sys/fs/cgroup/c1"}}})
}

func TestDefaultMounts(t *testing.T) {
	c := &container{in: Input{Config: defaultConfig(), Bundle: newBundle(t)},
		script: `while read -r _ _ _ _ at flags _ _ source _; do case $at in /proc/*|/sys/firmware);; *) echo $at $flags $source;; esac; done < /proc/self/mountinfo`}
	out, err := c.run(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"/ ro,relatime ",
		"/proc rw,relatime proc",
		"/dev rw,nosuid tmpfs",
		"/dev/pts rw,nosuid,noexec,relatime devpts",
		"/dev/shm rw,nosuid,nodev,noexec,relatime shm",
		"/dev/mqueue rw,nosuid,nodev,noexec,relatime mqueue",
		"/sys ro,nosuid,nodev,noexec,relatime sysfs",
		"/sys/fs/cgroup ro,nosuid,nodev,noexec,relatime cgroup",
	} {
		if !strings.Contains(out, line) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
	if n := strings.Count(out, "\n"); n != 8 {
		t.Errorf("%d mounts, want 8:\n%s", n, out)
	}
}

func TestDefaultPaths(t *testing.T) {
	c := &container{in: Input{Config: defaultConfig(), Bundle: newBundle(t)}, script: `
		touch /x; echo x > /proc/sys/kernel/domainname
		cat /proc/timer_list; ls /sys/firmware; touch /sys/firmware/x; touch /dev/x && echo dev writable
		cd /dev; for f in null zero full random urandom tty; do stat -c '%n %F %t:%T %a %u' $f; done
		for f in fd stdin stdout stderr ptmx; do readlink $f; done; pwd`}
	c.want(t, `
touch: /x: Read-only file system
sh: can't create /proc/sys/kernel/domainname: Read-only file system
touch: /sys/firmware/x: Read-only file system
dev writable
null character special file 1:3 666 0
zero character special file 1:5 666 0
full character special file 1:7 666 0
random character special file 1:8 666 0
urandom character special file 1:9 666 0
tty character special file 5:0 666 0
/proc/self/fd
/proc/self/fd/0
/proc/self/fd/1
/proc/self/fd/2
pts/ptmx
/dev`)
}

// The host's root is gone, and nothing in the container's tree remains of it.
func TestPivotLeavesNothing(t *testing.T) {
	c := tiny(t, `ls -a /..; grep -c . /proc/self/mountinfo; ls /proc/self/fd`)
	c.want(t, ".\n..\nbin\ndev\netc\nproc\nsys\ntmp\n3\n0\n1\n2\n3\n")
}

func TestRequires(t *testing.T) {
	for want, change := range map[string]func(*Input){
		"root.path: is required":                                       func(in *Input) { in.Config.Root = nil },
		`root.path: open "BUNDLE/none": no such file or directory`:     func(in *Input) { in.Config.Root.Path = "none" },
		`root.path: open "BUNDLE/rootfs/bin/busybox": not a directory`: func(in *Input) { in.Config.Root.Path = "rootfs/bin/busybox" },
		`linux.maskedPaths[1]: "proc/x": is not an absolute path`:      func(in *Input) { in.Config.Linux.MaskedPaths = []string{"/a", "proc/x"} },
		`linux.readonlyPaths[0]: "proc/x": is not an absolute path`:    func(in *Input) { in.Config.Linux.ReadonlyPaths = []string{"proc/x"} },
		`mounts[0].destination: is empty`:                              func(in *Input) { in.Config.Mounts[0].Destination = "" },
		`mounts[1].type: is required (or option "bind" or "rbind")`:    func(in *Input) { in.Config.Mounts[1].Type = "" },
		`mounts[0]: mount field contains null byte`:                    func(in *Input) { in.Config.Mounts[0].Destination = "/a\x00b" },
		`mounts[0].options[0]: unknown option "nosiud" for a bind mount (did you mean "nosuid"?)`: func(in *Input) {
			in.Config.Mounts[0] = specs.Mount{Destination: "/x", Type: "bind", Source: "/", Options: []string{"nosiud"}}
		},
		`mounts[0].source: open "/nope/src": no such file or directory (on the host, to be bound on /mnt)`: func(in *Input) {
			in.Config.Mounts[0] = specs.Mount{Destination: "/mnt", Type: "bind", Source: "/nope/src"}
		},
		`mounts[0]: uidMappings and gidMappings come together or not at all`: func(in *Input) {
			in.Config.Mounts[0].UIDMappings = []specs.LinuxIDMapping{{Size: 1}}
		},
		`mounts[0]: option "tmpcopyup": is for mounts of type tmpfs only`: func(in *Input) {
			in.Config.Mounts[0].Options = []string{"tmpcopyup"}
		},
		`process.terminal: needs a mount of type devpts on /dev/pts`: func(in *Input) {
			in.Console = true
			in.Config.Mounts = in.Config.Mounts[:2]
		},
		`linux.devices[0].type: "x": is none of c, u, b, p`: func(in *Input) {
			in.Config.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "x"}}
		},
		`linux.devices[0].path: "dev/x": is not the absolute path of a device`: func(in *Input) {
			in.Config.Linux.Devices = []specs.LinuxDevice{{Path: "dev/x", Type: "c"}}
		},
		`linux.rootfsPropagation: "rbind": is none of shared, slave, private, unbindable, or these with an r before them`: func(in *Input) {
			in.Config.Linux.RootfsPropagation = "rbind"
		},
		`mounts: needs a mount namespace: this runtime never mounts in the host's (add {"type": "mount"} to linux.namespaces)`: func(in *Input) {
			in.MountNS = false
		},
	} {
		bundle := newBundle(t)
		in := Input{Config: defaultConfig(), Bundle: bundle, MountNS: true}
		change(&in)
		_, err := New(in)
		if err == nil || strings.ReplaceAll(err.Error(), bundle, "BUNDLE") != want {
			t.Errorf("\ngot  %v\nwant %s", err, want)
		}
	}
}

// TestGoldenFamilies has a listing for each way in which mounts are made.
func TestGoldenFamilies(t *testing.T) {
	fs := func(dest, fstype string, options ...string) specs.Mount {
		return specs.Mount{Destination: dest, Type: fstype, Source: fstype, Options: options}
	}
	for name, change := range map[string]func(c *container){
		"binds": func(c *container) {
			src := c.in.Bundle + "/src"
			write(t, src+"/file", "")
			symlink(t, "file", src+"/link")
			c.in.Config.Mounts = append(c.in.Config.Mounts,
				bind(src, "/a/b", "ro"), bind(src+"/file", "/a/f", "rprivate"), bind(src, "/dev/d", "nosuid", "rro", "rslave"),
				bind(src+"/link", "/l", "copy-symlink"), specs.Mount{Destination: "/a/b", Options: []string{"remount", "bind", "noexec"}})
		},
		"tmpfs": func(c *container) {
			c.in.Config.Mounts = append(c.in.Config.Mounts, fs("/t", "tmpfs"), fs("/r", "tmpfs", "ro", "mode=700", "tmpcopyup"), fs("/x", "ext4", "ro", "sync", "data=ordered"))
		},
		"userns": func(c *container) {
			c.in.Userns = true
			c.in.Config.Mounts = append(c.in.Config.Mounts, bind(c.in.Bundle, "/a"))
			c.in.Config.Linux = &specs.Linux{Devices: []specs.LinuxDevice{device("/dev/fuse", "c", 10, 229)}}
		},
		"shared": func(c *container) {
			c.in.Config.Mounts = append(c.in.Config.Mounts, bind(c.in.Bundle, "/a", "rshared"))
			c.in.Config.Linux = &specs.Linux{RootfsPropagation: "rshared"}
		},
		"devices": func(c *container) {
			c.in.Config.Mounts = c.in.Config.Mounts[:1]
			c.in.Config.Linux = &specs.Linux{Devices: []specs.LinuxDevice{device("/dev/fuse", "c", 10, 229), device("/opt/p", "p", 0, 0)}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := tiny(t, "")
			change(c)
			golden(t, name+".txt", c)
		})
	}
}
