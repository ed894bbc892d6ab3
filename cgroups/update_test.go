package cgroups

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// file reads a file of the cgroup in the hierarchy of a version 1 controller.
func file(g *Group, controller, name string) string { return g.legacy(controller).now(name) }

func legacyOnly(t *testing.T) {
	if os.Getenv(viewEnv) == "v2" {
		t.Skip("this host's version 2 has neither memory, cpu nor pids; tests/vm covers them")
	}
}

func testSet(t *testing.T) {
	legacyOnly(t)
	g := newGroup(t, "set")
	must(t, g.Create(&specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Swap: ptr(int64(64 << 20))},
		CPU:    &specs.LinuxCPU{Shares: ptr(uint64(512)), Quota: ptr(int64(50000))},
	}))
	defer func() { must(t, g.Remove(second)) }()

	// Raising both crosses the old memory+swap limit; zeros leave alone.
	must(t, g.Set(&specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(128 << 20)), Swap: ptr(int64(192 << 20)), Reservation: ptr(int64(0))},
		CPU:    &specs.LinuxCPU{Shares: ptr(uint64(0)), Quota: ptr(int64(20000)), Period: ptr(uint64(50000))},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(9))},
	}))
	want := map[string]string{
		"memory/memory.limit_in_bytes":       "134217728",
		"memory/memory.memsw.limit_in_bytes": "201326592",
		"cpu/cpu.shares":                     "512",
		"cpu/cpu.cfs_quota_us":               "20000",
		"cpu/cpu.cfs_period_us":              "50000",
		"pids/pids.max":                      "9",
	}
	check := func(when string) {
		t.Helper()
		for path, want := range want {
			controller, name, _ := strings.Cut(path, "/")
			if got := file(g, controller, name); got != want {
				t.Errorf("%s: %s is %s, want %s", when, name, got, want)
			}
		}
	}
	check("after Set")

	// All or nothing: the pids limit is refused after the others were written.
	err := g.Set(&specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(32 << 20)), Swap: ptr(int64(32 << 20))},
		CPU:    &specs.LinuxCPU{Shares: ptr(uint64(100)), Quota: ptr(int64(-1)), Period: ptr(uint64(100000))},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(1) << 62)},
	})
	if err == nil || !strings.Contains(err.Error(), "linux.resources.pids.limit: write 4611686018427387904 to ") {
		t.Errorf("a pids limit of 2^62: %v", err)
	}
	check("after a refused Set")

	// Unlimited again.
	must(t, g.Set(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(-1))}, CPU: &specs.LinuxCPU{Quota: ptr(int64(-1))}}))
	if got := file(g, "cpu", "cpu.cfs_quota_us"); got != "-1" {
		t.Errorf("quota without limit: %s", got)
	}
	if got := file(g, "memory", "memory.memsw.limit_in_bytes"); len(got) < 18 {
		t.Errorf("memory+swap without limit: %s", got)
	}
}

func testSetDevices(t *testing.T) {
	fuse := func(access string) specs.LinuxDeviceCgroup {
		return entry(true, "c", 10, 229, access)
	}
	g := newGroup(t, "setdev")
	must(t, g.Create(&specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{denyAll, fuse("r")}}))
	defer func() { must(t, g.Remove(second)) }()
	expect := func(when, script string) {
		t.Helper()
		if err := inside(t, g, "exec 2>&-; "+script).Wait(); err != nil {
			t.Errorf("%s: %s: %v", when, script, err)
		}
	}
	expect("at first", "true </dev/fuse && ! true >/dev/fuse && true </dev/null")
	must(t, g.Set(&specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{denyAll, fuse("w")}}))
	expect("another access", "! true </dev/fuse && true >/dev/fuse && true </dev/null")
	later := Load(g.Location())
	defer later.Close()
	must(t, later.Set(&specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{entry(true, "", -1, -1, "rwm")}}))
	expect("everything", "true <>/dev/fuse && true </dev/kmsg")
	must(t, later.Set(&specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{denyAll}}))
	expect("only the defaults", "! true </dev/fuse && ! true </dev/kmsg && true <>/dev/null")
	must(t, later.Set(&specs.LinuxResources{Pids: nil}))
	expect("an update without device rules changes none", "! true </dev/fuse && true <>/dev/null")
	if frozen, err := later.Frozen(); frozen || err != nil {
		t.Errorf("frozen after changing devices: %v, %v", frozen, err)
	}
}

// The verifier of the running kernel takes whatever we assemble.
func testProgramsLoad(t *testing.T) {
	random := newRandom()
	for range 300 {
		policy := randomPolicy(random)
		fd, err := loadProgram(policy)
		if err != nil {
			t.Fatalf("%v\n%v", err, policy)
		}
		closeFD(fd)
	}
}

func testStats(t *testing.T) {
	g := newGroup(t, "stats")
	must(t, g.Create(nil))
	c := inside(t, g, "x=0; while [ $x -lt 20000 ]; do x=$((x+1)); done; echo; exec sleep 100")
	defer func() { _ = c.Process.Kill(); _ = c.Wait(); must(t, g.Remove(second)) }()
	s, err := g.Stats()
	must(t, err)
	text, err := json.Marshal(s)
	must(t, err)
	for _, key := range []string{`"cpu":{"usage":{`, `"throttling":{`, `"cpuset":{`, `"memory":{`, `"usage":{"limit":`, `"kernelTCP":`, `"pids":{`, `"blkio":{`, `"hugetlb":{`} {
		if !strings.Contains(string(text), key) {
			t.Errorf("no %s in %s", key, text)
		}
	}
	if os.Getenv(viewEnv) != "v2" && (s.Pids.Current != 1 || s.Memory.Usage.Usage == 0 || len(s.CPU.Usage.Percpu) == 0 || s.CPU.Usage.Total == 0) {
		t.Errorf("counters at zero: %s", text)
	}
	gone := newGroup(t, "neverwas")
	if _, err := gone.Stats(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stats of a cgroup that is not there: %v", err)
	}
}

func testCause(t *testing.T) {
	legacyOnly(t)
	g := newGroup(t, "cause")
	must(t, g.Create(&specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(8 << 20)), Swap: ptr(int64(8 << 20))},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(5))},
	}))
	if cause := g.Cause(); cause != (Cause{}) {
		t.Errorf("before anything happened: %+v", cause)
	}
	_ = inside(t, g, "head -c 64M /dev/zero | tail").Wait()
	_ = inside(t, g, "exec 2>&-; for i in 1 2 3 4 5 6; do sleep 1 & done; wait").Wait()
	cause := g.Cause()
	if cause.OOMKills == 0 || cause.OOMAt != g.home("memory").Dir() || cause.Limit != 8<<20 || cause.Peak < 7<<20 {
		t.Errorf("after an OOM kill: %+v", cause)
	}
	if cause.ForksRefused == 0 || cause.PidsLimit != 5 {
		t.Errorf("after a fork was refused: %+v", cause)
	}
	if text := cause.String(); !strings.HasPrefix(text, "oom: limit 8 MiB of /sys/fs/cgroup/") || !strings.Contains(text, "; pids: limit 5 refused") {
		t.Errorf("in words: %s", text)
	}
	must(t, g.Kill(second))
	must(t, g.Remove(5*second))
}

// The limit that was reached is above the container.
func testCauseAbove(t *testing.T) {
	legacyOnly(t)
	pod := newGroup(t, "pod")
	must(t, pod.Create(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(8 << 20)), Swap: ptr(int64(8 << 20))}}))
	g := newGroup(t, "pod/container")
	must(t, g.Create(nil))
	_ = inside(t, g, "head -c 64M /dev/zero | tail").Wait()
	if cause := g.Cause(); cause.OOMKills == 0 || cause.OOMAt != pod.home("memory").Dir() || cause.Limit != 8<<20 {
		t.Errorf("after an OOM kill by the pod's limit: %+v", cause)
	}
	must(t, g.Remove(second))
	must(t, pod.Remove(second))
}

func testSub(t *testing.T) {
	g := newGroup(t, "outer")
	must(t, g.Create(nil))
	defer func() { must(t, g.Remove(second)) }()
	inner := newGroup(t, "outer/in")
	must(t, inner.Create(nil))
	sub, err := g.Sub([]string{"in"})
	must(t, err)
	defer sub.Close()
	c := inside(t, sub, "exec sleep 100")
	if got := membersOf(t, c.Process.Pid); strings.Count(got, testDir()+"/outer/in\n") != len(g.trees) {
		t.Errorf("member of a sub cgroup is in\n%s", got)
	}
	must(t, c.Process.Kill())
	_ = c.Wait()
	for _, bad := range []string{"..", "../x", "in/../..", "memory:../x"} {
		if _, err := g.Sub([]string{bad}); err == nil || !strings.Contains(err.Error(), "bad sub cgroup path") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := g.Sub([]string{"nope"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a sub cgroup that is not there: %v", err)
	}
	if _, err := g.Sub([]string{"bogus:in"}); !errors.Is(err, ErrNoController) {
		t.Errorf("a controller that is not there: %v", err)
	}
}

func testJoinAt(t *testing.T) {
	g := newGroup(t, "top")
	must(t, g.Create(nil))
	inner := newGroup(t, "top/moved")
	must(t, inner.Create(nil))
	c := inside(t, inner, "exec sleep 100")
	join, err := g.JoinAt(c.Process.Pid)
	must(t, err)
	for _, tasks := range join.Tasks {
		if !strings.HasSuffix(tasks.Path, "/top/moved/tasks") {
			t.Errorf("joins %s", tasks.Path)
		}
	}
	if join.Dir >= 0 {
		if dir, _ := os.Readlink("/proc/self/fd/" + itoa(int64(join.Dir))); !strings.HasSuffix(dir, "/top/moved") {
			t.Errorf("joins %s", dir)
		}
	}
	join.Close()
	must(t, g.Kill(second))
	must(t, g.Remove(5*second))
	outside, err := g.JoinAt(os.Getpid()) // we are elsewhere, and the container's own is gone
	if err == nil {
		outside.Close()
		t.Error("joined a cgroup outside the container")
	}
}

func testChown(t *testing.T) {
	g := newGroup(t, "owned")
	must(t, g.Create(nil))
	defer func() { must(t, g.Remove(second)) }()
	must(t, g.Chown(12345))
	for _, place := range g.Location().Places {
		want := 0
		if g.Mode() == V2 {
			want = 12345
		}
		for name, want := range map[string]int{"": want, "/cgroup.procs": want} {
			if got := ownerOf(t, place.Dir()+name); got != want {
				t.Errorf("%s%s belongs to %d, want %d", place.Dir(), name, got, want)
			}
		}
		if g.Mode() == V2 {
			if got := ownerOf(t, place.Dir()+"/cgroup.freeze"); got != 0 {
				t.Errorf("cgroup.freeze belongs to %d", got)
			}
		}
	}
}

func testDisabled(t *testing.T) {
	g := Disabled()
	must(t, g.Create(&specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{denyAll}, Pids: &specs.LinuxPids{Limit: ptr(int64(3))}}))
	must(t, g.Settle())
	join, err := g.Join()
	if err != nil || join.Dir != -1 || len(join.Tasks) != 0 {
		t.Errorf("join: %+v, %v", join, err)
	}
	if err := g.Kill(second); !errors.Is(err, ErrNoCgroup) {
		t.Errorf("kill: %v", err)
	}
	must(t, g.Remove(second))
	if l := g.Location(); l.Mode != None || len(l.Places) != 0 {
		t.Errorf("location: %+v", l)
	}
}
