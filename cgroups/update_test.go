package cgroups

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// needs skips a test where a controller is in no hierarchy of the view.
func needs(t *testing.T, names ...string) {
	t.Helper()
	h, err := Detect()
	must(t, err)
	defer h.Close()
	g, err := h.New("x", testDir(), Options{})
	must(t, err)
	defer g.Close()
	for _, name := range names {
		u := g.unified()
		if g.legacy(name) == nil && (u == nil || !hasField(u.at("/", "cgroup.controllers"), name)) {
			t.Skip("no hierarchy of this view has the controller " + name)
		}
	}
}

// file reads a file of the cgroup; in version 2 it has another name.
func file(g *Group, controller, name1, name2 string) string {
	if t := g.legacy(controller); t != nil {
		return t.now(name1)
	}
	return g.unified().now(name2)
}

// values compares files: controller, version 1 name and value, version 2 name and value.
func values(t *testing.T, when string, g *Group, want [][5]string) {
	t.Helper()
	for _, w := range want {
		value := w[2]
		if g.legacy(w[0]) == nil {
			value = w[4]
		}
		if got := file(g, w[0], w[1], w[3]); got != value {
			t.Errorf("%s: %s %s/%s is %q, want %q", when, w[0], w[1], w[3], got, value)
		}
	}
}

func testSet(t *testing.T) {
	needs(t, "memory", "cpu", "pids")
	g := newGroup(t, "set")
	must(t, g.Create(&specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Swap: ptr(int64(64 << 20))},
		CPU:    &specs.LinuxCPU{Shares: ptr(uint64(512)), Quota: ptr(int64(50000))},
	}))

	// Raising both crosses the old memory+swap limit; zeros leave alone.
	must(t, g.Set(&specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(128 << 20)), Swap: ptr(int64(192 << 20)), Reservation: ptr(int64(0))},
		CPU:    &specs.LinuxCPU{Shares: ptr(uint64(0)), Quota: ptr(int64(20000)), Period: ptr(uint64(50000))},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(9))},
	}))
	want := [][5]string{
		{"memory", "memory.limit_in_bytes", "134217728", "memory.max", "134217728"},
		{"memory", "memory.memsw.limit_in_bytes", "201326592", "memory.swap.max", "67108864"},
		{"cpu", "cpu.shares", "512", "cpu.weight", "59"},
		{"cpu", "cpu.cfs_quota_us", "20000", "cpu.max", "20000 50000"},
		{"cpu", "cpu.cfs_period_us", "50000", "cpu.max", "20000 50000"},
		{"pids", "pids.max", "9", "pids.max", "9"},
	}
	values(t, "after Set", g, want)

	// All or nothing: the pids limit is refused after the others were written.
	err := g.Set(&specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(32 << 20)), Swap: ptr(int64(32 << 20))},
		CPU:    &specs.LinuxCPU{Shares: ptr(uint64(100)), Quota: ptr(int64(-1)), Period: ptr(uint64(100000))},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(1) << 62)},
	})
	if err == nil || !strings.Contains(err.Error(), "linux.resources.pids.limit: write 4611686018427387904 to ") {
		t.Errorf("a pids limit of 2^62: %v", err)
	}
	values(t, "after a refused Set", g, want)
	failed := errors.New("systemd says no")
	if err := g.SetAnd(&specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(3))}}, func() error { return failed }); err != failed {
		t.Errorf("a last step that fails: %v", err)
	}
	values(t, "after a failed last step", g, want)

	// Unlimited again.
	must(t, g.Set(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(-1))}, CPU: &specs.LinuxCPU{Quota: ptr(int64(-1))}}))
	values(t, "unlimited", g, [][5]string{
		{"memory", "memory.memsw.limit_in_bytes", noLimitV1, "memory.swap.max", "max"},
		{"memory", "memory.limit_in_bytes", noLimitV1, "memory.max", "max"},
		{"cpu", "cpu.cfs_quota_us", "-1", "cpu.max", "max 50000"},
	})
	must(t, g.Remove(second))
}

// noLimitV1 is how a version 1 memory file reads without a limit, on machines
// with pages of 4 KiB.
const noLimitV1 = "9223372036854771712"

// A limit below what is in use is refused with the numbers, instead of killing.
func testBelowUsage(t *testing.T) {
	needs(t, "memory")
	g := newGroup(t, "below")
	must(t, g.Create(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(128 << 20)), Swap: ptr(int64(128 << 20))}}))
	c := inside(t, g, `x=$(head -c 20000000 /dev/zero | tr '\0' x); sleep 100`)
	for range 6000 { // until it holds them; an emulated machine takes its time
		if n, _ := parseUint(file(g, "memory", "memory.usage_in_bytes", "memory.current")); n > 20<<20 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	err := g.Set(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(8 << 20)), Swap: ptr(int64(8 << 20)), CheckBeforeUpdate: ptr(true)}})
	if !errors.Is(err, ErrBelowUsage) || !strings.Contains(err.Error(), " bytes are in use") {
		t.Errorf("with checkBeforeUpdate: %v", err)
	}
	err = g.Set(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(8 << 20)), Swap: ptr(int64(8 << 20))}})
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a limit below usage: %v", err)
	}
	if err := c.Process.Signal(syscall.Signal(0)); err != nil || g.Cause().OOMKills > 0 {
		t.Errorf("the process did not survive: %v, %+v", err, g.Cause())
	}
	values(t, "after refusals", g, [][5]string{{"memory", "memory.limit_in_bytes", "134217728", "memory.max", "134217728"}})
	must(t, g.Kill(second))
	_ = c.Wait()
	must(t, g.Remove(second))
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
	// cgroup2 counts at the end of a scheduler tick.
	for end := time.Now().Add(10 * time.Second); s.CPU.Usage.Total == 0 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		s, err = g.Stats()
		must(t, err)
	}
	text, err := json.Marshal(s)
	must(t, err)
	for _, key := range []string{`"cpu":{"usage":{`, `"throttling":{`, `"cpuset":{`, `"memory":{`, `"usage":{"limit":`, `"kernelTCP":`, `"pids":{`, `"blkio":{`, `"hugetlb":{`} {
		if !strings.Contains(string(text), key) {
			t.Errorf("no %s in %s", key, text)
		}
	}
	if s.CPU.Usage.Total == 0 {
		t.Errorf("no CPU time: %s", text)
	}
	if have := g.home("memory"); have.now("memory.stat") != "" && (s.Pids.Current != 1 || s.Memory.Usage.Usage == 0 || s.Memory.Cache == 0 && s.Memory.Raw == nil) {
		t.Errorf("counters at zero: %s", text)
	}
	gone := newGroup(t, "neverwas")
	if _, err := gone.Stats(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stats of a cgroup that is not there: %v", err)
	}
}

func testCause(t *testing.T) {
	needs(t, "memory", "pids")
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
	if cause.OOMKills == 0 || cause.OOMAt != g.home("memory").Dir() || cause.Limit != 8<<20 || cause.Peak < 7<<20 && g.mode != V2 {
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
	needs(t, "memory")
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
	checkChown(t)
	// Kernels before 4.15 do not say what delegation is made of.
	must(t, unix.Mount("none", "/sys/kernel/cgroup", "tmpfs", 0, ""))
	defer func() { must(t, unix.Unmount("/sys/kernel/cgroup", 0)) }()
	checkChown(t)
}

func checkChown(t *testing.T) {
	g := newGroup(t, "owned")
	must(t, g.Create(nil))
	must(t, g.Chown(12345))
	for _, place := range g.Location().Places {
		want := map[string]int{"": 0, "/cgroup.procs": 0}
		if g.Mode() == V2 {
			want = map[string]int{"": 12345, "/cgroup.procs": 12345, "/cgroup.threads": 12345, "/cgroup.subtree_control": 12345, "/cgroup.freeze": 0, "/cgroup.max.depth": 0}
		}
		for name, want := range want {
			if got := ownerOf(t, place.Dir()+name); got != want {
				t.Errorf("%s%s belongs to %d, want %d", place.Dir(), name, got, want)
			}
		}
	}
	must(t, g.Remove(second))
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
