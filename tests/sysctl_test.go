package tests

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
)

func sysctl(values map[string]string) harness.Edit {
	return func(c *specs.Spec) { c.Linux.Sysctl = values }
}

// TestSysctl: kernel parameters that belong to a namespace of the container.
func TestSysctl(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"net.ipv4.ip_forward": "1", "net.ipv4.ip_local_port_range": "2000\t3000", "net/ipv4/conf/lo/forwarding": "1",
		"kernel.msgmax": "4096", "kernel.shmmni": "1000", "kernel.sem": "100\t20000\t50\t90", "fs.mqueue.msg_max": "9",
	}
	for name, value := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			got := env.Stdout(sysctl(map[string]string{name: value}), harness.Args("cat", "/proc/sys/"+slashes(name)))
			want(t, name, got, value)
		})
	}
}

// slashes turns a sysctl name into its path below /proc/sys.
func slashes(name string) string {
	path := []byte(name)
	for i, c := range path {
		if c == '.' {
			path[i] = '/'
		}
	}
	return string(path)
}

// TestSysctlOfTheHost: whatever is not in a namespace of the container is
// refused, and not touched.
func TestSysctlOfTheHost(t *testing.T) {
	t.Parallel()
	hostNetwork := harness.WithoutNamespace(specs.NetworkNamespace)
	hostIPC := harness.WithoutNamespace(specs.IPCNamespace)
	none := func(*specs.Spec) {}
	cases := []struct {
		name, value string
		edit        harness.Edit
	}{
		{"kernel.core_pattern", "evil", none},
		{"kernel/core_pattern", "evil", none},
		{"vm.overcommit_memory", "1", none},
		{"kernel.hostname", "evil", none},
		{"net.ipv4.ip_forward", "1", hostNetwork},
		{"net.ipv4.ip_forward", "1", harness.Namespace(specs.NetworkNamespace, "/proc/self/ns/net")},
		{"net.ipv4.ip_forward", "1", harness.Namespace(specs.NetworkNamespace, "/proc/1/ns/net")},
		{"kernel.msgmax", "4096", hostIPC},
		{"fs.mqueue.msg_max", "9", hostIPC},
		{"net.../kernel.core_pattern", "evil", none},
		{"net/../kernel/core_pattern", "evil", none},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			pattern := read(t, "/proc/sys/kernel/core_pattern")
			env.Run(env.Bundle(sysctl(map[string]string{c.name: c.value}), c.edit)).WantError(t, 1, "linux.sysctl", c.name)
			wantFile(t, "/proc/sys/kernel/core_pattern", pattern)
		})
	}
}

// TestSysctlErrors: a misspelt name and a value the kernel does not take.
func TestSysctlErrors(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	env.Run(env.Bundle(sysctl(map[string]string{"net.ipv4.ip_forwardd": "1"}))).
		WantError(t, 1, "linux.sysctl", "net.ipv4.ip_forwardd", "no such")
	env.Run(env.Bundle(sysctl(map[string]string{"net.ipv4.ip_forward": "banana"}))).
		WantError(t, 1, "linux.sysctl", "net.ipv4.ip_forward", "invalid argument")
}

// TestSysctlJoinedNamespace: the parameters of a namespace that is joined, as
// in a pod, are the container's to set.
func TestSysctlJoinedNamespace(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	holder := env.Holder(unix.CLONE_NEWNET)
	got := env.Stdout(harness.Namespace(specs.NetworkNamespace, harness.NamespacePath(holder, "net")),
		sysctl(map[string]string{"net.ipv4.ip_forward": "1"}), harness.Args("cat", "/proc/sys/net/ipv4/ip_forward"))
	want(t, "net.ipv4.ip_forward", got, "1")
}
