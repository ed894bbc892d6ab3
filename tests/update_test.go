package tests

import (
	"os"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// stdin gives a call this text to read.
func stdin(t *testing.T, env *harness.Env, text string) *os.File {
	t.Helper()
	path := env.File("stdin")
	write(t, path, text)
	f, err := os.Open(path)
	check(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// TestUpdate: limits by flags, from a file and from stdin; what is not named,
// or is zero, stays.
func TestUpdate(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"memory", "cpu", "pids"} {
		require.Controller(t, name)
	}
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Forever, resources(func(r *specs.LinuxResources) {
		r.Memory = &specs.LinuxMemory{Limit: harness.Pointer(int64(64 << 20)), Swap: harness.Pointer(int64(64 << 20))}
		r.Pids = &specs.LinuxPids{Limit: harness.Pointer(int64(17))}
	}))).Start()
	memory := func() string { return c.Setting("memory", "memory.limit_in_bytes", "memory.max") }
	pids := func() string { return c.Setting("pids", "pids.max", "pids.max") }

	env.Call("update", c.ID, "--memory", "48M", "--memory-swap=96m").WantQuiet(t)
	want(t, "memory", memory(), "50331648")
	want(t, "pids", pids(), "17")

	env.Call("update", "--pids-limit", "23", c.ID).WantQuiet(t)
	want(t, "memory", memory(), "50331648")
	want(t, "pids", pids(), "23")

	for _, flags := range [][]string{{"--resources", "-"}, {"--resources=-"}, {"-r", "-"}} {
		update := env.Command(append(append([]string{"update"}, flags...), c.ID)...)
		update.Stdin = stdin(t, env, `{"memory":{"limit":0,"reservation":0,"kernel":0},"cpu":{"shares":0,"quota":20000,"period":100000},"blockIO":{"weight":0}}`)
		update.Run().WantQuiet(t)
		want(t, "memory", memory(), "50331648")
		want(t, "quota", c.Setting("cpu", "cpu.cfs_quota_us", "cpu.max")[:5], "20000")
	}

	path := env.File("resources.json")
	write(t, path, `{"pids":{"limit":-1}}`)
	env.Call("update", "--resources", path, "--memory", "1m", c.ID).WantQuiet(t) // other flags do nothing then
	want(t, "memory", memory(), "50331648")
	want(t, "pids", pids(), "max")
}

// TestUpdateAllOrNothing: a limit that the kernel refuses undoes the others.
func TestUpdateAllOrNothing(t *testing.T) {
	t.Parallel()
	require.Controller(t, "cpu")
	require.Controller(t, "pids")
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Forever)).Start()
	quota := func() string { return c.Setting("cpu", "cpu.cfs_quota_us", "cpu.max") }
	before := quota()
	env.Call("update", "--cpu-quota", "50000", "--pids-limit", "4611686018427387904", c.ID).WantError(t, 1, "pids.limit")
	want(t, "quota", quota(), before)
}

// TestUpdateRefuses what is no number, no JSON, or no container that runs.
func TestUpdateRefuses(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Forever))
	for flag, value := range map[string]string{"cpu-share": "many", "memory": "1q", "blkio-weight": "70000", "cpu-quota": "1.5", "memory-swap": "M"} {
		env.Call("update", "--"+flag, value, c.ID).WantError(t, 1, "invalid value for "+flag, value)
	}
	env.Call("update", "--l3-cache-schema", "L3:0=f", c.ID).WantError(t, 1, "linux.intelRdt", "created without it")
	update := env.Command("update", "-r", "-", c.ID)
	update.Stdin = stdin(t, env, `{"pids":{"limit":"5"}}`)
	update.Run().WantError(t, 1, "pids.limit")
	env.Call("update", "-r", env.File("nosuch"), c.ID).WantError(t, 1, env.File("nosuch"), "no such file or directory")
	env.Call("update", "--memory", "64M", env.ID()).WantError(t, 1, "does not exist")
	c.Stop()
	env.Call("update", "--memory", "64M", c.ID).WantError(t, 1, "container not running")
}
