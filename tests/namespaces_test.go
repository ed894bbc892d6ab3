package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// kinds are all namespace types, with the name in /proc/PID/ns and the flag.
var kinds = []struct {
	kind specs.LinuxNamespaceType
	file string
	flag uintptr
}{
	{specs.PIDNamespace, "pid", unix.CLONE_NEWPID},
	{specs.NetworkNamespace, "net", unix.CLONE_NEWNET},
	{specs.MountNamespace, "mnt", unix.CLONE_NEWNS},
	{specs.IPCNamespace, "ipc", unix.CLONE_NEWIPC},
	{specs.UTSNamespace, "uts", unix.CLONE_NEWUTS},
	{specs.UserNamespace, "user", unix.CLONE_NEWUSER},
	{specs.CgroupNamespace, "cgroup", unix.CLONE_NEWCGROUP},
	{specs.TimeNamespace, "time", unix.CLONE_NEWTIME},
}

// namespace returns the identity of a namespace of a process.
func namespace(t testing.TB, pid, file string) string {
	t.Helper()
	link, err := os.Readlink(filepath.Join("/proc", pid, "ns", file))
	check(t, err)
	return link
}

// addNamespace adds one, with the mappings that a user namespace needs.
func addNamespace(kind specs.LinuxNamespaceType, path string) harness.Edit {
	return func(c *specs.Spec) {
		if kind == specs.UserNamespace && path == "" {
			harness.UserNamespace(c)
			return
		}
		harness.Namespace(kind, path)(c)
	}
}

// TestNewNamespace: each type makes a new namespace, absence keeps the caller's.
func TestNewNamespace(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.file, func(t *testing.T) {
			t.Parallel()
			require.Namespace(t, k.file)
			env := harness.New(t)
			own := namespace(t, "self", k.file)
			inside := env.Stdout(addNamespace(k.kind, ""), harness.Args("readlink", "/proc/self/ns/"+k.file))
			if inside == own || !strings.HasPrefix(inside, k.file+":[") {
				t.Errorf("namespace inside %s, the caller's is %s", inside, own)
			}
			if k.kind == specs.MountNamespace {
				return // there is no container without one
			}
			without := func(c *specs.Spec) {
				harness.WithoutNamespace(k.kind)(c)
				c.Hostname = ""
			}
			want(t, "without", env.Stdout(without, harness.Args("readlink", "/proc/self/ns/"+k.file)), own)
		})
	}
}

// TestJoinNamespace: each type by the path of an existing namespace.
func TestJoinNamespace(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.file, func(t *testing.T) {
			t.Parallel()
			require.Namespace(t, k.file)
			env := harness.New(t)
			holder := env.Holder(k.flag)
			path := harness.NamespacePath(holder, k.file)
			wanted, err := os.Readlink(path)
			check(t, err)
			edits := []harness.Edit{addNamespace(k.kind, path), harness.Args("readlink", "/proc/self/ns/"+k.file)}
			want(t, "namespace", env.Stdout(edits...), wanted)
		})
	}
}

// TestJoinSeveral: as the second container of a pod does.
func TestJoinSeveral(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	first := env.Create(env.Bundle(harness.Forever)).Start()
	var edits []harness.Edit
	var expected []string
	for _, k := range kinds {
		if k.file == "pid" || k.file == "net" || k.file == "ipc" || k.file == "uts" {
			edits = append(edits, addNamespace(k.kind, first.Proc("ns/"+k.file)))
			expected = append(expected, namespace(t, filepath.Base(first.Proc("")), k.file))
		}
	}
	got := env.Stdout(append(edits, func(c *specs.Spec) { c.Hostname = "" },
		harness.Shell("for n in pid net ipc uts; do readlink /proc/self/ns/$n; done; hostname"))...)
	want(t, "namespaces", got, strings.Join(expected, "\n")+"\nbox")
}

// TestJoinOwnedByUserNamespace: user, net and uts of one holder; the user
// namespace owns the others.
func TestJoinOwnedByUserNamespace(t *testing.T) {
	t.Parallel()
	require.Userns(t)
	env := harness.New(t)
	holder := env.Holder(unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWUTS)
	got := env.Stdout(addNamespace(specs.UserNamespace, harness.NamespacePath(holder, "user")),
		addNamespace(specs.NetworkNamespace, harness.NamespacePath(holder, "net")),
		addNamespace(specs.UTSNamespace, harness.NamespacePath(holder, "uts")),
		func(c *specs.Spec) { c.Hostname = "joined" },
		harness.Shell("for n in user net uts; do readlink /proc/self/ns/$n; done; hostname; id -u"))
	var expected strings.Builder
	for _, file := range []string{"user", "net", "uts"} {
		link, err := os.Readlink(harness.NamespacePath(holder, file))
		check(t, err)
		expected.WriteString(link + "\n")
	}
	want(t, "namespaces", got, expected.String()+"joined\n0")
}

// TestJoinWrongType: "the runtime MUST generate an error if path is not
// associated with a namespace of type type"; it says what it found.
func TestJoinWrongType(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for _, k := range kinds {
		t.Run(k.file, func(t *testing.T) {
			require.Namespace(t, k.file)
			other := "net"
			if k.file == "net" {
				other = "uts"
			}
			bundle := env.Bundle(func(c *specs.Spec) { // first in the list, so the index is known
				harness.WithoutNamespace(k.kind)(c)
				c.Linux.Namespaces = append([]specs.LinuxNamespace{{Type: k.kind, Path: "/proc/self/ns/" + other}}, c.Linux.Namespaces...)
			})
			env.Run(bundle).WantError(t, 1, "linux.namespaces[0].path", "/proc/self/ns/"+other, "is a "+other+" namespace")
		})
	}
}

// TestJoinBadPath: not there, and not a namespace at all.
func TestJoinBadPath(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for path, part := range map[string]string{"/nosuch/ns": "no such file or directory", "/etc/passwd": "namespace", "proc/self/ns/net": "absolute"} {
		bundle := env.Bundle(func(c *specs.Spec) {
			harness.WithoutNamespace(specs.NetworkNamespace)(c)
			c.Linux.Namespaces = append([]specs.LinuxNamespace{{Type: specs.NetworkNamespace, Path: path}}, c.Linux.Namespaces...)
		})
		env.Run(bundle).WantError(t, 1, "linux.namespaces[0].path", path, part)
	}
}

// TestNamespaceErrors: types that do not exist, twice the same, mappings
// without a user namespace and the other way round.
func TestNamespaceErrors(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 1}}
	cases := []struct {
		name  string
		edit  harness.Edit
		parts []string
	}{
		{"unknown", harness.Namespace("bogus", ""), []string{"linux.namespaces[5].type", "bogus"}},
		{"duplicate", func(c *specs.Spec) {
			c.Linux.Namespaces = append(c.Linux.Namespaces, specs.LinuxNamespace{Type: specs.PIDNamespace})
		}, []string{"linux.namespaces[5]", "pid"}},
		{"mappings without", func(c *specs.Spec) { c.Linux.UIDMappings = ids }, []string{"linux.uidMappings"}},
		{"without mappings", harness.Namespace(specs.UserNamespace, ""), []string{"linux.uidMappings"}},
		{"time offsets without", func(c *specs.Spec) {
			c.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 1}}
		}, []string{"linux.timeOffsets"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			env.Run(env.Bundle(c.edit)).WantError(t, 1, c.parts...)
		})
	}
}

// TestPIDNamespace: the program is PID 1 and sees only its own processes.
func TestPIDNamespace(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	want(t, "processes", env.Stdout(harness.Shell("echo $$; echo /proc/[0-9]*")), "1\n/proc/1")
}

// TestNetworkNamespace: loopback is there, up, and alone.
func TestNetworkNamespace(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	got := env.Stdout(harness.Shell("ls /sys/class/net; cat /sys/class/net/lo/flags"))
	want(t, "interfaces", got, "lo\n0x9") // IFF_UP | IFF_LOOPBACK
}

// TestTimeNamespace: offsets of the clocks.
func TestTimeNamespace(t *testing.T) {
	t.Parallel()
	require.Namespace(t, "time")
	env := harness.New(t)
	offsets := map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 7200, Nanosecs: 5}, "boottime": {Secs: 604800}}
	got := env.Stdout(addNamespace(specs.TimeNamespace, ""), func(c *specs.Spec) { c.Linux.TimeOffsets = offsets },
		harness.Shell("cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime"))
	if !strings.HasPrefix(fields(got), "monotonic 7200 5 boottime 604800 0 ") {
		t.Errorf("offsets: %q", got)
	}
}

// TestNoNamespaces: with an empty list the process is in the
// caller's namespaces, but for the mounts.
func TestNoNamespaces(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	got := env.Stdout(func(c *specs.Spec) {
		c.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.MountNamespace}}
		c.Hostname = ""
	}, harness.Shell("for n in pid net ipc uts user cgroup; do readlink /proc/self/ns/$n; done"))
	var expected []string
	for _, file := range []string{"pid", "net", "ipc", "uts", "user", "cgroup"} {
		expected = append(expected, namespace(t, "self", file))
	}
	want(t, "namespaces", got, strings.Join(expected, "\n"))
}
