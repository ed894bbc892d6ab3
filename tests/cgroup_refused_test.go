package tests

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
	"ociruntime/tests/view"
)

// TestCgroupThreaded: next to a threaded cgroup a container's would be "domain
// invalid". The error says why, and who sits where; nothing is left.
func TestCgroupThreaded(t *testing.T) {
	t.Parallel()
	require.CgroupV2(t)
	env := harness.New(t)
	name := env.ID()
	parent := filepath.Join("/sys/fs/cgroup", name)
	threaded := filepath.Join(parent, "t")
	check(t, os.MkdirAll(threaded, 0o755))
	t.Cleanup(func() { view.RemoveCgroups(name) })
	sleeper := env.Holder(0)
	write(t, filepath.Join(parent, "cgroup.procs"), strconv.Itoa(sleeper))
	t.Cleanup(func() { write(t, "/sys/fs/cgroup/cgroup.procs", strconv.Itoa(sleeper)) })
	write(t, filepath.Join(threaded, "cgroup.type"), "threaded")
	write(t, filepath.Join(threaded, "cgroup.threads"), strconv.Itoa(sleeper))

	b := env.Bundle(func(c *specs.Spec) { c.Linux.CgroupsPath = "/" + name + "/x" })
	env.Call("create", "--bundle", b.Dir, env.ID()).WantError(t, 1, "enter cgroup", parent+"/x", `it is "domain invalid"`,
		parent+` above it is "domain threaded" and holds `+strconv.Itoa(sleeper)+" (", threaded+` below that is "threaded" and holds `+strconv.Itoa(sleeper)+" (")
	if _, err := os.Stat(parent + "/x"); !os.IsNotExist(err) {
		t.Errorf("left behind: %v", err)
	}
}
