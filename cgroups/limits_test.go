package cgroups

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func ptr[T any](v T) *T { return &v }

// testLimits sets what this machine's view has controllers for, and reads it back.
func testLimits(t *testing.T) {
	g := newGroup(t, "limits")
	r := &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Swap: ptr(int64(96 << 20)), Reservation: ptr(int64(32 << 20))},
		CPU:    &specs.LinuxCPU{Shares: ptr(uint64(512)), Quota: ptr(int64(50000)), Period: ptr(uint64(100000)), Cpus: "0", Mems: "0"},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(7))},
	}
	if os.Getenv(viewEnv) == "v2" { // on this kind of host version 2 owns what version 1 left over
		err := g.Create(r)
		if err != nil && !errors.Is(err, ErrNoController) {
			t.Fatal(err)
		}
		if err != nil && !strings.Contains(err.Error(), "offers only: ") {
			t.Errorf("missing controller: %v", err)
		}
		if err == nil {
			must(t, g.Remove(second))
		}
		return
	}
	must(t, g.Create(r))
	for file, want := range map[string]string{
		"memory/memory.limit_in_bytes":       "67108864",
		"memory/memory.memsw.limit_in_bytes": "100663296",
		"memory/memory.soft_limit_in_bytes":  "33554432",
		"cpu/cpu.shares":                     "512",
		"cpu/cpu.cfs_quota_us":               "50000",
		"cpuset/cpuset.cpus":                 "0",
		"cpuset/cpuset.mems":                 "0",
		"pids/pids.max":                      "7",
	} {
		controller, name, _ := strings.Cut(file, "/")
		if got := g.legacy(controller).now(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	must(t, g.Remove(second))
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

// testHugetlb: on this kind of host the hugetlb controller belongs to version 2,
// which a hybrid view shows beside version 1.
func testHugetlb(t *testing.T) {
	g := newGroup(t, "huge")
	size, _, _ := strings.Cut(pageSizes(), ", ")
	if size == "" || size == "none" {
		t.Skip("the kernel has no huge pages")
	}
	r := &specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: size, Limit: 64 << 20}}}
	if os.Getenv(viewEnv) == "v1" {
		if err := g.Create(r); !errors.Is(err, ErrNoController) {
			t.Errorf("a controller that is mounted nowhere: %v", err)
		}
		return
	}
	must(t, g.Create(r))
	for _, file := range []string{"hugetlb." + size + ".max", "hugetlb." + size + ".rsvd.max"} {
		if got := g.unified().now(file); got != "67108864" {
			t.Errorf("%s is %q", file, got)
		}
	}
	must(t, g.Set(&specs.LinuxResources{Unified: map[string]string{"hugetlb." + size + ".max": "33554432"}}))
	if got := g.unified().now("hugetlb." + size + ".max"); got != "33554432" {
		t.Errorf("after a unified update: %q", got)
	}
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
