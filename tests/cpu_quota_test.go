package tests

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// TestCPUQuota: a container that may use half a core uses half a core: never more
// and, as far as the machine had a core to spare, not less. Its shares have it come
// first where the machine is busy.
func TestCPUQuota(t *testing.T) {
	require.Controller(t, "cpu") // not in parallel: it wants a core
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Shell("echo ready; while :; do :; done"), resources(func(r *specs.LinuxResources) {
		r.CPU = &specs.LinuxCPU{Shares: harness.Pointer(uint64(262144)), Quota: harness.Pointer(int64(50000)), Period: harness.Pointer(uint64(100000))}
	}))).Start()
	c.WaitStdout("ready")
	used, idle, began := cpuTime(t, c), idleTime(t), time.Now()
	time.Sleep(3 * time.Second)
	used, idle = cpuTime(t, c)-used, idleTime(t)-idle
	wall := time.Since(began)
	share := 100 * float64(used) / float64(wall)
	t.Logf("%.1f %% of a core in %s; the machine was idle for %s", share, wall.Round(time.Millisecond), idle)
	if share > 55 {
		t.Errorf("%.1f %% of a core, want at most 55", share)
	}
	if idle > wall && share < 45 {
		t.Errorf("%.1f %% of a core, want at least 45", share)
	}
}

// cpuTime is what the container has used.
func cpuTime(t *testing.T, c *harness.Container) time.Duration {
	t.Helper()
	if text := c.CgroupDir("cpuacct"); text != c.CgroupDir("") {
		n, err := strconv.ParseInt(strings.TrimSpace(read(t, text+"/cpuacct.usage")), 10, 64)
		check(t, err)
		return time.Duration(n)
	}
	for line := range strings.Lines(read(t, c.CgroupDir("")+"/cpu.stat")) {
		if f := strings.Fields(line); f[0] == "usage_usec" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			check(t, err)
			return time.Duration(n) * time.Microsecond
		}
	}
	t.Fatal("no usage_usec")
	return 0
}

// idleTime is how long the CPUs of the machine together have had nothing to do:
// the fourth number of /proc/stat, in hundredths of a second, proc(5).
func idleTime(t *testing.T) time.Duration {
	t.Helper()
	text, err := os.ReadFile("/proc/stat")
	check(t, err)
	n, err := strconv.ParseInt(strings.Fields(string(text))[4], 10, 64)
	check(t, err)
	return time.Duration(n) * 10 * time.Millisecond
}
