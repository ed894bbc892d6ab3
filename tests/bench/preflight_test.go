package main

import (
	"strings"
	"testing"
)

// probed is what a good container prints.
const probed = `hostname=bench pid=1 id=0:0 nofile=1024
CapPrm:	0000000020000420
CapEff:	0000000020000420
CapBnd:	0000000020000420
NoNewPrivs:	1
Seccomp:	0
lo=0x9 if=/sys/class/net/lo
2:memory:/top/x
1:cpu:/top/x
0::/
84 57 254:0 /rootfs / ro,relatime - ext4 /dev/vda rw
85 84 0:41 / /proc rw,relatime - proc proc rw
82 84 0:39 / /dev rw,nosuid - tmpfs tmpfs rw
86 82 0:42 / /dev/pts rw,nosuid - devpts devpts rw
87 82 0:43 / /dev/shm rw,nosuid - tmpfs shm rw
88 82 0:40 / /dev/mqueue rw,nosuid - mqueue mqueue rw
89 84 0:44 / /sys ro,nosuid - sysfs sysfs ro
90 89 0:45 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw
91 90 0:29 /top/x /sys/fs/cgroup/cpu ro,nosuid - cgroup cgroup rw,cpu
107 85 0:41 /sys /proc/sys ro,relatime - proc proc rw
`

func TestCheckFacts(t *testing.T) {
	if err := checkFacts(probed, false); err != nil {
		t.Fatal(err)
	}
	if checkFacts(probed, true) == nil {
		t.Error("a container without seccomp passes for one with")
	}
	for name, change := range map[string][2]string{
		"capability kept":  {"CapBnd:	0000000020000420", "CapBnd:	000001ffffffffff"},
		"root writable":    {" / ro,", " / rw,"},
		"no mqueue":        {"/dev/mqueue", "/dev/other"},
		"cgroup writable":  {"/sys/fs/cgroup/cpu ro,", "/sys/fs/cgroup/cpu rw,"},
		"new privileges":   {"NoNewPrivs:	1", "NoNewPrivs:	0"},
		"host's network":   {"if=/sys/class/net/lo", "if=/sys/class/net/eth0 /sys/class/net/lo"},
		"unmasked":         {"lo=0x9", "unmasked=/proc/keys\nlo=0x9"},
		"missing a device": {"lo=0x9", "missing=tty\nlo=0x9"},
	} {
		if checkFacts(strings.Replace(probed, change[0], change[1], 1), false) == nil {
			t.Errorf("%s: passes", name)
		}
	}
}

func TestInCgroup(t *testing.T) {
	if err := inCgroup(probed, "top/x", 2, false); err != nil {
		t.Error(err)
	}
	if inCgroup(probed, "top/x", 3, false) == nil {
		t.Error("one hierarchy of three was not joined, and it passes")
	}
	if inCgroup(probed, "top/y", 2, false) == nil {
		t.Error("another cgroup passes")
	}
}
