package cgroups

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestPlaces runs the tests below where the cgroup file systems are not as
// usual, each in a mount namespace of its own.
func TestPlaces(t *testing.T) {
	places := []struct {
		name string
		test func(*testing.T)
	}{
		{"nothing mounted", testNothingMounted},
		{"mounted elsewhere", testMountedElsewhere},
		{"a part mounted", testPartMounted},
	}
	if name := os.Getenv(viewEnv); name != "" {
		must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
		for _, p := range places {
			if p.name == name {
				p.test(t)
			}
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: cgroups and mount namespaces")
	}
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			c := exec.Command("/proc/self/exe", "-test.run=^TestPlaces$")
			c.Env = append(os.Environ(), viewEnv+"="+p.name)
			c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// hideCgroups puts an empty tmpfs over all cgroup mounts, with the directories
// that an umount leaves behind. Since they cannot be seen, they do not count.
func hideCgroups(t *testing.T) {
	must(t, unix.Unmount(Root, unix.MNT_DETACH))
	must(t, unix.Mount("none", Root, "tmpfs", 0, ""))
	for _, name := range []string{"memory", "pids", "unified"} {
		must(t, os.Mkdir(Root+"/"+name, 0o755))
	}
}

// Nothing is ever written into what only looks like a cgroup.
func testNothingMounted(t *testing.T) {
	hideCgroups(t)
	h, err := Detect()
	must(t, err)
	if h.Mode != None || len(h.Hierarchies) != 0 {
		t.Errorf("found %v", h)
	}
	g, err := h.New("x", "/x", Options{})
	must(t, err)
	must(t, g.Create(nil))
	must(t, g.Remove(second))
	if _, err := g.Stats(); !errors.Is(err, ErrNoCgroup) {
		t.Errorf("stats: %v", err)
	}
	for _, r := range []*specs.LinuxResources{
		{Pids: &specs.LinuxPids{Limit: ptr(int64(5))}},
		{Devices: []specs.LinuxDeviceCgroup{denyAll}},
		{Unified: map[string]string{"memory.high": "5"}},
	} {
		if err := g.Create(r); !errors.Is(err, ErrNoController) || !strings.HasPrefix(err.Error(), "linux.resources.") {
			t.Errorf("a limit that nobody keeps: %v", err)
		}
	}
	stale := Load(Location{Mode: V1, Taken: true, Places: []Place{{Controllers: "memory", Mount: Root + "/memory", Path: "/x", Made: 1}}})
	must(t, os.Mkdir(Root+"/memory/x", 0o755))
	if err := stale.Remove(second); err == nil {
		t.Error("removed a directory that is no cgroup")
	}
	left, err := filepath.Glob(Root + "/*/*")
	must(t, err)
	if len(left) != 1 {
		t.Errorf("the directories hold %v", left)
	}
}

func testMountedElsewhere(t *testing.T) {
	hideCgroups(t)
	dir := t.TempDir()
	must(t, unix.Mount("none", dir, "cgroup2", 0, ""))
	defer func() { must(t, unix.Unmount(dir, 0)) }()
	h, err := Detect()
	must(t, err)
	defer h.Close()
	if h.Mode != V2 || h.Hierarchies[0].Mount != dir {
		t.Fatalf("found %v", h)
	}
	g, err := h.New("x", testDir()+"/x", Options{})
	must(t, err)
	defer g.Close()
	must(t, g.Create(nil))
	if _, err := os.Stat(dir + testDir() + "/x/cgroup.procs"); err != nil {
		t.Error(err)
	}
	must(t, g.Remove(second))
}

// testPartMounted is the inside of a container that has no cgroup namespace:
// /proc/self/cgroup counts from a root that is not mounted.
func testPartMounted(t *testing.T) {
	whole := t.TempDir()
	must(t, unix.Mount("none", whole, "cgroup2", 0, ""))
	defer func() { must(t, unix.Unmount(whole, unix.MNT_DETACH)) }()
	text, err := os.ReadFile("/proc/self/cgroup")
	must(t, err)
	before, _ := unifiedPath(parseMembership(string(text)))
	outer := whole + testDir()
	must(t, os.MkdirAll(outer+"/deep/own", 0o755))
	defer func() {
		must(t, os.WriteFile(whole+before+"/cgroup.procs", []byte("0"), 0))
		must(t, os.Remove(outer+"/deep/own"))
		must(t, os.Remove(outer+"/deep"))
		must(t, os.Remove(outer))
	}()
	must(t, os.WriteFile(outer+"/deep/own/cgroup.procs", []byte("0"), 0))
	hideCgroups(t)
	must(t, unix.Mount(outer, Root, "", unix.MS_BIND, ""))
	h, err := Detect()
	must(t, err)
	defer h.Close()
	g, err := h.New("x", "", Options{})
	must(t, err)
	defer g.Close()
	if got := g.Location().Places[0].Dir(); got != Root+"/deep/x" {
		t.Errorf("the container's cgroup is %s", got)
	}
	must(t, g.Create(nil))
	if _, err := os.Stat(outer + "/deep/x/cgroup.procs"); err != nil {
		t.Error(err)
	}
	must(t, g.Remove(second))
}
