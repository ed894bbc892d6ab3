package systemd

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/tracer"
	"ociruntime/tests/view"
)

// TestRootlessScope: the whole life of a container in a scope, with its limits
// in the files of the cgroup and in the unit, where they outlive a daemon-reload.
func TestRootlessScope(t *testing.T) { // not in parallel: systemd answers nobody while it reloads
	h := newHost(t)
	limits := resources(func(r *specs.LinuxResources) {
		r.Memory = &specs.LinuxMemory{Limit: harness.Pointer(int64(64 << 20))}
		r.CPU = &specs.LinuxCPU{Quota: harness.Pointer(int64(50000)), Period: harness.Pointer(uint64(100000))}
		r.Pids = &specs.LinuxPids{Limit: harness.Pointer(int64(20))}
	})
	if h.user && !view.HasControllerV2("memory") {
		limits = func(*specs.Spec) {} // nobody has handed him a controller
	}
	c := h.create(harness.Forever, limits)
	c.wantInScope(strconv.Itoa(c.Pid))
	h.wantShown("created", c.unit, map[string]string{"ActiveState": "active", "Delegate": "yes", "Description": "container " + c.ID})
	limited := func(when, memory, pids string) {
		t.Helper()
		if h.user && !view.HasControllerV2("memory") {
			return
		}
		property := "MemoryMax"
		if view.HasControllerV1("memory") {
			property = "MemoryLimit"
		}
		h.wantShown(when, c.unit, map[string]string{property: memory, "TasksMax": pids, "CPUQuotaPerSecUSec": "500ms"})
		c.wantSetting(when, "memory", "memory.limit_in_bytes", "memory.max", memory)
		c.wantSetting(when, "pids", "pids.max", "pids.max", pids)
		if view.HasControllerV2("cpu") {
			c.wantSetting(when, "cpu", "", "cpu.max", "50000 100000")
		} else {
			c.wantSetting(when, "cpu", "cpu.cfs_quota_us", "", "50000")
		}
	}
	limited("created", "67108864", "20")
	c.Start().WaitStdout("ready")

	_, pid := c.ExecDetached(nil, "sleep", "1000")
	c.wantInScope(strconv.Itoa(pid))
	h.want("exit code of exec", c.ExecShell("exit 7").Code, 7)

	if h.limited("memory") {
		h.Call("update", c.ID, "--memory", "48M", "--pids-limit", "30").WantQuiet(t)
		limited("updated", "50331648", "30")
		h.daemonReload()
		limited("after daemon-reload", "50331648", "30")
		h.Call("update", c.ID, "--pids-limit", "40", "--memory", "4k", "--memory-swap", "4k").WantError(t, 1, "memory", "in use")
		limited("after a refused update", "50331648", "30") // and the unit does not say otherwise
	}

	c.Kill("KILL")
	c.WaitPid(pid)
	c.Wait()
	c.WantStatus("stopped")
	c.Delete()
	h.wantGone(c.unit)
}

// TestRootlessScopeBandwidth: systemd knows CPU time by the second and in whole
// percents; the files have what was asked for, and what an update leaves out stays.
func TestRootlessScopeBandwidth(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	if !h.limited("cpu") {
		t.Skip("nobody has handed the user a cpu controller")
	}
	c := h.create(resources(func(r *specs.LinuxResources) {
		r.CPU = &specs.LinuxCPU{Quota: harness.Pointer(int64(50000)), Period: harness.Pointer(uint64(200000))}
	}))
	wanted := func(when, quota, period, second string) {
		t.Helper()
		h.wantShown(when, c.unit, map[string]string{"CPUQuotaPerSecUSec": second})
		if view.HasControllerV2("cpu") {
			c.wantSetting(when, "cpu", "", "cpu.max", quota+" "+period)
			return
		}
		c.wantSetting(when, "cpu", "cpu.cfs_quota_us", "", quota)
		c.wantSetting(when, "cpu", "cpu.cfs_period_us", "", period)
	}
	wanted("created", "50000", "200000", "250ms")
	h.Call("update", c.ID, "--cpu-quota", "66666").WantQuiet(t)
	wanted("another quota", "66666", "200000", "340ms")
	h.Call("update", c.ID, "--cpu-period", "100000").WantQuiet(t)
	wanted("another period", "66666", "100000", "670ms")
	h.Call("update", c.ID, "--cpu-quota", "-1").WantQuiet(t)
	quota := "-1"
	if view.HasControllerV2("cpu") {
		quota = "max"
	}
	wanted("no quota", quota, "100000", "infinity")
}

// TestRootlessScopePause: frozen, thawed, and killed while frozen.
func TestRootlessScopePause(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	if h.user && view.HasControllerV1("freezer") {
		t.Skip("a user has no freezer on version 1")
	}
	c := h.running()
	c.Call("pause").WantQuiet(t)
	c.WantStatus("paused")
	h.Call("exec", c.ID, "true").WantError(t, 255, "paused")
	c.Call("resume").WantQuiet(t)
	h.want("exec after resume", c.Exec("true").Code, 0)
	c.Call("pause").WantQuiet(t)
	c.Kill("KILL")
	c.Wait()
	c.Delete()
	h.wantGone(c.unit)
}

// TestRootlessScopeRun: in the foreground, to the end.
func TestRootlessScopeRun(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	id := h.ID()
	r := h.command("run", h.bundle(id, harness.Shell("echo ran; exit 7")), id).Run().WantCode(t, 7)
	h.want("output", r.Stdout+r.Stderr, "ran\n")
	h.wantGone(unitOf(id))
	r = h.command("run", h.bundle(id, harness.Args("nosuchprogram")), id).Run().WantCode(t, 1)
	if !strings.Contains(r.Stderr, "nosuchprogram") {
		t.Error(r)
	}
	h.wantGone(unitOf(id))
}

// TestRootlessScopeForced: delete --force of what runs.
func TestRootlessScopeForced(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := h.running()
	c.Call("delete", "--force").WantQuiet(t)
	h.wantGone(c.unit)
}

// systemdRun starts a scope of this name by other means, and returns the call.
func (h *host) systemdRun(unit string, args ...string) *exec.Cmd {
	h.t.Helper()
	all := []string{"--quiet", "--scope", "--unit", unit}
	if h.user {
		all = append(all, "--user")
	}
	cmd := exec.Command("systemd-run", append(all, args...)...)
	h.check(cmd.Start())
	h.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func (h *host) wantState(unit, wanted string) {
	h.t.Helper()
	state := ""
	if harness.Eventually(harness.Timeout(), func() bool { state = h.show(unit, "ActiveState"); return state == wanted }) != nil {
		h.t.Fatalf("unit %s is %s, want %s", unit, state, wanted)
	}
}

// TestRootlessScopeFailed: a unit of the name that systemd remembers as failed is
// not in the way.
func TestRootlessScopeFailed(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	id := h.ID()
	h.systemdRun(unitOf(id), "-p", "RuntimeMaxSec=1", "sleep", "1000")
	h.wantState(unitOf(id), "failed")
	b := h.bundle(id, harness.Forever)
	c := &container{Container: h.Adopt(h.command("create", b, id), b), host: h, unit: unitOf(id)}
	c.wantInScope(strconv.Itoa(c.Pid))
	c.Start().WaitStdout("ready")
	c.Call("delete", "--force").WantQuiet(t)
	h.wantGone(c.unit)
}

// TestRootlessScopeActive: one that runs is somebody else's. The error names its
// processes, and they go on.
func TestRootlessScopeActive(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	id := h.ID()
	other := h.systemdRun(unitOf(id), "sleep", "1000")
	h.wantState(unitOf(id), "active")
	h.command("create", h.bundle(id), id).Run().WantError(t, 1, unitOf(id), "the systemd unit is active", strconv.Itoa(other.Process.Pid)+" (sleep)")
	h.Call("delete", "--force", id).WantQuiet(t)
	if err := unix.Kill(other.Process.Pid, 0); err != nil {
		t.Errorf("the other's process: %v", err)
	}
	h.want("the other's unit", h.show(unitOf(id), "ActiveState"), "active")
	h.check(other.Process.Kill())
	_ = other.Wait()
	h.wantGone(unitOf(id))
}

// TestRootlessScopeKilled: a create that is killed after any of its messages
// leaves nothing that delete --force does not clean up.
func TestRootlessScopeKilled(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for nth := 1; nth < 100; nth++ {
		id := h.ID()
		b := h.bundle(id)
		_, report := h.command("create", b, id).Trace(tracer.Plan{Target: tracer.Runtime, Nth: nth, Timeout: 5 * harness.Timeout(),
			Calls: []uintptr{unix.SYS_SENDMSG, unix.SYS_MKDIRAT}})
		h.Call("delete", "--force", id).WantCode(t, 0)
		h.wantGone(unitOf(id))
		if harness.Eventually(harness.Timeout(), func() bool { return len(view.CgroupsNamed(unitOf(id))) == 0 }) != nil {
			t.Errorf("killed after %s: left %q", report.Call, view.CgroupsNamed(unitOf(id)))
		}
		if !report.Hit {
			if nth < 5 {
				t.Errorf("only %d calls counted", report.Calls)
			}
			return
		}
	}
	t.Error("no end of the calls")
}

// TestScopeDevices: what the list allows stays open over a daemon-reload, and
// the rest closed.
func TestScopeDevices(t *testing.T) { // not in parallel, as TestRootlessScope
	h := newHost(t)
	if h.user {
		t.Skip("a user manager may not restrict devices")
	}
	node := func(path string, major, minor int64) specs.LinuxDevice {
		return specs.LinuxDevice{Path: path, Type: "c", Major: major, Minor: minor, FileMode: harness.Pointer(os.FileMode(0o666))}
	}
	c := h.running(func(s *specs.Spec) {
		s.Linux.Devices = []specs.LinuxDevice{node("/dev/kmsg", 1, 11), node("/dev/fuse", 10, 229)}
		s.Linux.Resources.Devices = append(s.Linux.Resources.Devices,
			specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: harness.Pointer(int64(10)), Minor: harness.Pointer(int64(229)), Access: "rw"})
	})
	for _, when := range []string{"at first", "after daemon-reload", "after update"} {
		r := c.ExecShell("true <>/dev/null && true <>/dev/fuse && echo open; true </dev/kmsg")
		if r.Stdout != "open\n" || r.Code == 0 || !strings.Contains(r.Stderr, "Operation not permitted") {
			t.Errorf("%s: %s", when, r)
		}
		if when == "at first" {
			h.daemonReload()
			continue
		}
		h.Call("update", c.ID, "--pids-limit", "100").WantQuiet(t)
	}
	h.wantShown("in the unit", c.unit, map[string]string{"DevicePolicy": "strict"})
}

// TestRootlessScopeAnnotation: org.systemd.property.* reaches the unit; what
// systemd refuses is an error, and leaves nothing.
func TestRootlessScopeAnnotation(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := h.create(func(s *specs.Spec) {
		s.Annotations = map[string]string{"org.systemd.property.Description": "'a container of mine'", "org.systemd.property.TimeoutStopSec": "7"}
	})
	h.wantShown("from annotations", c.unit, map[string]string{"Description": "a container of mine", "TimeoutStopUSec": "7s"})
	id := h.ID()
	b := h.bundle(id, func(s *specs.Spec) { s.Annotations = map[string]string{"org.systemd.property.NoSuchThing": "1"} })
	h.command("create", b, id).Run().WantError(t, 1, unitOf(id), "NoSuchThing")
	h.wantGone(unitOf(id))
}
