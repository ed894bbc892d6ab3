package tests

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// TestCgroupOwnership: config-linux.md#cgroup-ownership. A container that has a
// cgroup namespace and may write to its cgroup gets it, for the user of its
// process, with the files of delegation and no other.
func TestCgroupOwnership(t *testing.T) {
	t.Parallel()
	require.CgroupV2(t)
	require.Userns(t)
	writable := func(c *specs.Spec) {
		harness.WithoutMount("/sys/fs/cgroup")(c)
		harness.Mounted(specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev"}})(c)
	}
	user := func(c *specs.Spec) { c.Process.User = specs.User{UID: 1000, GID: 1000} }
	show := harness.Shell(`cd /sys/fs/cgroup; stat -c %u . cgroup.procs cgroup.subtree_control cgroup.threads cgroup.max.depth; mkdir mine 2>/dev/null && rmdir mine && echo mine`)
	namespaced := harness.Namespace(specs.CgroupNamespace, "")
	for name, c := range map[string]struct {
		edits []harness.Edit
		want  string
	}{
		"delegated":      {[]harness.Edit{namespaced, writable}, "1000 1000 1000 1000 65534 mine"},
		"read-only":      {[]harness.Edit{namespaced}, "65534 65534 65534 65534 65534"},
		"host's cgroups": {[]harness.Edit{harness.WithoutNamespace(specs.CgroupNamespace), writable}, "65534 65534 65534 65534 65534"},
	} {
		t.Run(name, func(t *testing.T) {
			env := harness.New(t)
			b := mappedRoot(t, env.Bundle(append([]harness.Edit{harness.UserNamespace, user, show}, c.edits...)...))
			want(t, "owners", fields(env.Run(b).Stdout), c.want)
		})
	}
}
