package rootfs

import (
	"strconv"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestGoldenDefault(t *testing.T) {
	bundle := newBundle(t)
	c := &container{in: Input{Config: defaultConfig(), Bundle: bundle, Cgroup: Cgroup{Unified: "/sys/fs/cgroup/c1"}}, console: true}
	golden(t, "default-v2.txt", c)
}

func TestDefault(t *testing.T) {
	bundle := newBundle(t)
	c := &container{in: Input{Config: defaultConfig(), Bundle: bundle}, console: true,
		script: "cat /proc/self/mountinfo; ls -l /dev; touch /x; ls /proc/acpi; cat /proc/kcore; ls -ld /dev/shm /tmp; echo 1 > /proc/sys/vm/swappiness"}
	out, err := c.run(t)
	t.Log(out, err)
}
