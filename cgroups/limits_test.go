package cgroups

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func ptr[T any](v T) *T { return &v }

// testLimits writes limits and reads them back.
func testLimits(t *testing.T) {
	needs(t, "memory", "cpu", "cpuset", "pids")
	g := newGroup(t, "limits")
	must(t, g.Create(&specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Swap: ptr(int64(96 << 20)), Reservation: ptr(int64(32 << 20))},
		CPU:    &specs.LinuxCPU{Shares: ptr(uint64(512)), Quota: ptr(int64(50000)), Period: ptr(uint64(100000)), Cpus: "0", Mems: "0"},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(7))},
	}))
	values(t, "after Create", g, [][5]string{
		{"memory", "memory.limit_in_bytes", "67108864", "memory.max", "67108864"},
		{"memory", "memory.memsw.limit_in_bytes", "100663296", "memory.swap.max", "33554432"},
		{"memory", "memory.soft_limit_in_bytes", "33554432", "memory.low", "33554432"},
		{"cpu", "cpu.shares", "512", "cpu.weight", "59"},
		{"cpu", "cpu.cfs_quota_us", "50000", "cpu.max", "50000 100000"},
		{"cpuset", "cpuset.cpus", "0", "cpuset.cpus", "0"},
		{"cpuset", "cpuset.mems", "0", "cpuset.mems", "0"},
		{"pids", "pids.max", "7", "pids.max", "7"},
	})
	must(t, g.Remove(second))
}

// testNoController asks for one that this machine's kernel, or view, lacks.
func testNoController(t *testing.T) {
	h, err := Detect()
	must(t, err)
	h.Close()
	g := newGroup(t, "missing")
	if u := g.unified(); g.legacy("rdma") != nil || u != nil && hasField(u.at("/", "cgroup.controllers"), "rdma") {
		t.Skip("this view has all controllers")
	}
	r := &specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{"mlx4_0": {HcaHandles: ptr(uint32(1))}}}
	err = g.Create(r)
	if !errors.Is(err, ErrNoController) || h.Mode != V1 && !strings.Contains(err.Error(), "offers only: ") {
		t.Errorf("a controller that is not there: %v", err)
	}
	r = &specs.LinuxResources{Unified: map[string]string{"rdma.max": "mlx4_0 hca_handle=1"}}
	err = newGroup(t, "missing").Create(r)
	if !errors.Is(err, ErrNoController) || !strings.HasPrefix(err.Error(), "linux.resources.unified: ") {
		t.Errorf("a controller of unified that is not there: %v", err)
	}
}

// testPidsZero: a limit of zero lets the first process in, and no other.
func testPidsZero(t *testing.T) {
	needs(t, "pids")
	g := newGroup(t, "zero")
	must(t, g.Create(&specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(0))}}))
	c := inside(t, g, `kill -STOP $$; exec 2>&-; true & wait; exit 0`)
	must(t, g.Settle())
	if got := g.home("pids").now("pids.max"); got != "0" {
		t.Errorf("pids.max is %s", got)
	}
	for !stopped(t, c.Process.Pid) {
		time.Sleep(time.Millisecond)
	}
	must(t, c.Process.Signal(syscall.SIGCONT))
	if err := c.Wait(); err == nil {
		t.Error("a process was started against a limit of zero")
	}
	must(t, g.Remove(second))
}

func stopped(t *testing.T, pid int) bool {
	text, err := os.ReadFile("/proc/" + itoa(int64(pid)) + "/stat")
	must(t, err)
	return strings.Contains(string(text), ") T ")
}

// testDevices checks the policy by what a member may really do.
func testDevices(t *testing.T) {
	cases := []struct {
		name   string
		rules  []specs.LinuxDeviceCgroup
		script string
	}{
		{"default allows null and making nodes, nothing else", []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}},
			"true </dev/null && ! true </dev/fuse && ! true </dev/kmsg"},
		{"allow read only", []specs.LinuxDeviceCgroup{{Allow: false}, {Allow: true, Type: "c", Major: ptr(int64(10)), Minor: ptr(int64(229)), Access: "r"}},
			"true </dev/fuse && ! true >/dev/fuse && ! true <>/dev/fuse"},
		{"reading and writing allowed apart", []specs.LinuxDeviceCgroup{
			{Allow: true, Type: "c", Major: ptr(int64(10)), Minor: ptr(int64(229)), Access: "r"},
			{Allow: true, Type: "c", Major: ptr(int64(10)), Minor: ptr(int64(229)), Access: "w"}},
			"true <>/dev/fuse"},
		{"explicit deny of a default", []specs.LinuxDeviceCgroup{{Allow: false}, {Allow: false, Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(3))}},
			"true </dev/zero && ! true </dev/null"},
		{"allow all", []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}, "true </dev/fuse"},
		{"allow all but one", []specs.LinuxDeviceCgroup{{Allow: true}, {Type: "c", Major: ptr(int64(10)), Minor: ptr(int64(229)), Access: "w"}},
			"true </dev/fuse && ! true >/dev/fuse"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := newGroup(t, "devices")
			must(t, g.Create(&specs.LinuxResources{Devices: c.rules}))
			member := inside(t, g, "exec 2>&-; "+c.script)
			if err := member.Wait(); err != nil {
				t.Errorf("%s: %v", c.script, err)
			}
			must(t, g.Remove(second))
		})
	}
}

func testHugetlb(t *testing.T) {
	needs(t, "hugetlb")
	g := newGroup(t, "huge")
	size, _, _ := strings.Cut(pageSizes(), ", ")
	r := &specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: size, Limit: 64 << 20}}}
	must(t, g.Create(r))
	base := "hugetlb." + size
	values(t, "after Create", g, [][5]string{
		{"hugetlb", base + ".limit_in_bytes", "67108864", base + ".max", "67108864"},
		{"hugetlb", base + ".rsvd.limit_in_bytes", "67108864", base + ".rsvd.max", "67108864"},
	})
	r.HugepageLimits[0].Pagesize = "3KB"
	if err := g.Set(r); err == nil || !strings.Contains(err.Error(), "page sizes of this kernel: ") {
		t.Errorf("a page size that does not exist: %v", err)
	}
	must(t, g.Remove(second))
}

func testUnified(t *testing.T) {
	g := newGroup(t, "unified")
	r := &specs.LinuxResources{Unified: map[string]string{"cgroup.max.descendants": "3"}}
	if os.Getenv(viewEnv) == "v1" {
		if err := g.Create(r); !errors.Is(err, ErrNoController) || !strings.Contains(err.Error(), "linux.resources.unified: ") {
			t.Errorf("unified on version 1: %v", err)
		}
		return
	}
	must(t, g.Create(r))
	if got := g.unified().now("cgroup.max.descendants"); got != "3" {
		t.Errorf("cgroup.max.descendants is %q", got)
	}
	must(t, g.Set(&specs.LinuxResources{Unified: map[string]string{"cgroup.max.descendants": "4"}}))
	if got := g.unified().now("cgroup.max.descendants"); got != "4" {
		t.Errorf("after an update cgroup.max.descendants is %q", got)
	}
	must(t, g.Remove(second))
	r.Unified["bogus.limit"] = "1"
	if err := newGroup(t, "unified").Create(r); !errors.Is(err, ErrNoController) {
		t.Errorf("an unknown controller: %v", err)
	}
	delete(r.Unified, "bogus.limit")
	r.Unified["cgroup.bogus"] = "1"
	if err := newGroup(t, "unified").Create(r); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an unknown file: %v", err)
	}
}
