package rootfs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

var cgroupMount = specs.Mount{Destination: "/cg", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"}}

// hierarchies are stand-ins: a bind cares not for what it binds.
func hierarchies(t *testing.T) (dir string, list []Hierarchy) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"cpu,cpuacct", "memory", "systemd", "unified"} {
		write(t, filepath.Join(dir, name, "above"), "")
		write(t, filepath.Join(dir, name, "c1/cgroup.procs"), name+"\n")
	}
	return dir, []Hierarchy{
		{Name: "cpu,cpuacct", Links: []string{"cpu", "cpuacct"}, Dir: filepath.Join(dir, "cpu,cpuacct/c1")},
		{Name: "memory", Dir: filepath.Join(dir, "memory/c1")},
		{Name: "systemd", Dir: filepath.Join(dir, "systemd/c1")},
	}
}

func TestCgroupV1(t *testing.T) {
	dir, list := hierarchies(t)
	c := tiny(t, "cd /cg; echo *; cat */cgroup.procs; readlink cpu; touch x; touch memory/x; "+flagsOf("/cg"), cgroupMount)
	c.in.Cgroup = Cgroup{V1: list, Unified: filepath.Join(dir, "unified/c1")}
	c.want(t, `cpu cpu,cpuacct cpuacct memory systemd unified
cpu,cpuacct
cpu,cpuacct
cpu,cpuacct
memory
systemd
unified
cpu,cpuacct
touch: x: Read-only file system
touch: memory/x: Read-only file system
/cg ro,nosuid,nodev,noexec,relatime
/cg/cpu,cpuacct ro,nosuid,nodev,noexec,relatime
/cg/memory ro,nosuid,nodev,noexec,relatime
/cg/systemd ro,nosuid,nodev,noexec,relatime
/cg/unified ro,nosuid,nodev,noexec,relatime`)

	writable := cgroupMount
	writable.Options = []string{"nosuid"}
	c.in.Config.Mounts[2] = writable
	c.script = "touch /cg/memory/new && echo ok"
	c.want(t, "ok")
	c.in.Cgroup.Unscoped = true
	c.want(t, "touch: /cg/memory/new: Read-only file system")
}

func TestGoldenCgroupV1(t *testing.T) {
	c := &container{in: Input{Config: defaultConfig(), Bundle: newBundle(t), Cgroup: Cgroup{V1: []Hierarchy{
		{Name: "cpu,cpuacct", Links: []string{"cpu", "cpuacct"}, Dir: "/sys/fs/cgroup/cpu,cpuacct/c1"},
		{Name: "memory", Dir: "/sys/fs/cgroup/memory/c1"}}}}}
	golden(t, "default-v1.txt", c)
}

func TestCgroupV2(t *testing.T) {
	dir, _ := hierarchies(t)
	c := tiny(t, "cd /cg; echo *; touch x; "+flagsOf("/cg"), cgroupMount)
	c.in.Cgroup = Cgroup{Unified: filepath.Join(dir, "unified/c1")}
	c.want(t, "cgroup.procs\ntouch: x: Read-only file system\n/cg ro,nosuid,nodev,noexec,relatime")
	if entries, _ := os.ReadDir(filepath.Join(dir, "unified/c1")); len(entries) != 1 {
		t.Errorf("on the host: %v", entries)
	}
}

// Without anything to show, what lies below stays hidden.
func TestCgroupNone(t *testing.T) {
	c := tiny(t, "ls /cg; touch /cg/x", cgroupMount)
	write(t, c.root("cg/file"), "")
	c.want(t, "touch: /cg/x: Read-only file system")
	c = tiny(t, "")
	c.in.Config.Mounts = append(c.in.Config.Mounts, specs.Mount{Destination: "/cg", Type: "cgroup", Options: []string{"nosiud"}})
	c.refused(t, `mounts[2].options[0]: unknown option "nosiud" for a cgroup mount (did you mean "nosuid"?)`)
}
