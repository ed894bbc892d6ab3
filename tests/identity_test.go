package tests

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// status runs a container that shows its proc_pid_status(5).
func status(env *harness.Env, edits ...harness.Edit) string {
	env.T.Helper()
	return env.Stdout(append(edits, harness.Args("cat", "/proc/self/status"))...)
}

// TestUser: ids, supplementary groups and umask are as configured, and none of
// the caller's groups remain.
func TestUser(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name             string
		user             specs.User
		uid, gid, groups string
		umask            string
	}{
		{name: "root", user: specs.User{}, uid: "0 0 0 0", gid: "0 0 0 0"},
		{name: "user", user: specs.User{UID: 1000, GID: 1001}, uid: "1000 1000 1000 1000", gid: "1001 1001 1001 1001"},
		{name: "groups", user: specs.User{UID: 5, GID: 6, AdditionalGids: []uint32{20, 10, 4294967290, 20}}, uid: "5 5 5 5", gid: "6 6 6 6", groups: "10 20 4294967290"},
		{name: "umask", user: specs.User{Umask: harness.Pointer(uint32(0o027))}, uid: "0 0 0 0", gid: "0 0 0 0", umask: "0027"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := status(harness.New(t), func(s *specs.Spec) { s.Process.User = c.user })
			want(t, "Uid", fields(statusField(t, text, "Uid")), c.uid)
			want(t, "Gid", fields(statusField(t, text, "Gid")), c.gid)
			want(t, "Groups", fields(statusField(t, text, "Groups")), c.groups)
			if c.umask != "" {
				want(t, "Umask", statusField(t, text, "Umask"), c.umask)
			}
		})
	}
}

func fields(s string) string { return strings.Join(strings.Fields(s), " ") }

// TestUserInNamespace: the ids are those inside, also the additional groups.
func TestUserInNamespace(t *testing.T) {
	t.Parallel()
	require.Userns(t)
	env := harness.New(t)
	bundle := env.Bundle(harness.UserNamespace, harness.Shell("cat /proc/self/status; cat /proc/self/uid_map; touch /tmp/owned"),
		func(s *specs.Spec) { s.Process.User = specs.User{UID: 1000, GID: 1000, AdditionalGids: []uint32{7}} })
	text := env.Run(bundle).WantCode(t, 0).Stdout
	want(t, "Uid", fields(statusField(t, text, "Uid")), "1000 1000 1000 1000")
	want(t, "Groups", statusField(t, text, "Groups"), "7")
	if !strings.Contains(fields(text), "0 100000 65536") {
		t.Errorf("uid_map: %q", text)
	}
	want(t, "owner on the host", owner(t, bundle.Path("tmp/owned")), "101000:101000")
}

// TestUmaskUnset: the umask of the caller stays.
func TestUmaskUnset(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	caller := statusField(t, read(t, "/proc/self/status"), "Umask")
	want(t, "Umask", statusField(t, status(env), "Umask"), caller)
}

// TestUserUnmapped: an id the user namespace does not have.
func TestUserUnmapped(t *testing.T) {
	t.Parallel()
	require.Userns(t)
	env := harness.New(t)
	bundle := env.Bundle(harness.UserNamespace, func(s *specs.Spec) { s.Process.User.UID = 70000 })
	env.Run(bundle).WantError(t, 1, "process.user.uid", "70000")
	bundle = env.Bundle(harness.UserNamespace, func(s *specs.Spec) { s.Process.User.AdditionalGids = []uint32{1, 70000} })
	env.Run(bundle).WantError(t, 1, "process.user.additionalGids", "70000")
}

// Capability sets as /proc/PID/status shows them.
const (
	kill     = "0000000000000020"
	bothCaps = "0000000020000020"
	noCaps   = "0000000000000000"
)

// TestCapabilities: the five sets are exactly as configured.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	two := []string{"CAP_KILL", "CAP_AUDIT_WRITE"}
	one := []string{"CAP_KILL"}
	cases := []struct {
		name string
		caps *specs.LinuxCapabilities
		uid  uint32
		sets map[string]string
	}{
		{"bounding, effective, permitted", &specs.LinuxCapabilities{Bounding: two, Effective: one, Permitted: two}, 0,
			// execve(2) as root gives all that is permitted.
			map[string]string{"CapBnd": bothCaps, "CapPrm": bothCaps, "CapEff": bothCaps, "CapInh": noCaps, "CapAmb": noCaps}},
		{"all five", &specs.LinuxCapabilities{Bounding: two, Effective: two, Permitted: two, Inheritable: two, Ambient: one}, 1000,
			map[string]string{"CapBnd": bothCaps, "CapPrm": kill, "CapEff": kill, "CapInh": bothCaps, "CapAmb": kill}},
		{"bounding alone", &specs.LinuxCapabilities{Bounding: two}, 0,
			map[string]string{"CapBnd": bothCaps, "CapInh": noCaps, "CapAmb": noCaps}},
		{"user without ambient", &specs.LinuxCapabilities{Bounding: two, Effective: two, Permitted: two}, 1000,
			map[string]string{"CapBnd": bothCaps, "CapPrm": noCaps, "CapEff": noCaps, "CapInh": noCaps, "CapAmb": noCaps}},
		{"empty", &specs.LinuxCapabilities{}, 0,
			map[string]string{"CapBnd": noCaps, "CapPrm": noCaps, "CapEff": noCaps, "CapInh": noCaps, "CapAmb": noCaps}},
		{"absent", nil, 0,
			map[string]string{"CapBnd": noCaps, "CapPrm": noCaps, "CapEff": noCaps, "CapInh": noCaps, "CapAmb": noCaps}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			text := status(env, func(s *specs.Spec) { s.Process.Capabilities, s.Process.User.UID = c.caps, c.uid })
			for set, bits := range c.sets {
				want(t, set, statusField(t, text, set), bits)
			}
		})
	}
}

// TestCapabilitiesUnavailable: a capability that nobody knows, or that this
// host cannot give, is dropped with a warning that names it.
func TestCapabilitiesUnavailable(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	names := []string{"CAP_KILL", "CAP_NOSUCH"}
	r := env.Run(env.Bundle(harness.Capabilities(names...), harness.Args("cat", "/proc/self/status"))).WantCode(t, 0)
	want(t, "CapBnd", statusField(t, r.Stdout, "CapBnd"), kill)
	if !strings.Contains(r.Stderr, "level=warning") || !strings.Contains(r.Stderr, "CAP_NOSUCH") || strings.Contains(r.Stderr, "CAP_KILL") {
		t.Errorf("no warning that names CAP_NOSUCH: %s", r)
	}
}

// TestCapabilitiesNotGranted: what the caller does not have itself.
func TestCapabilitiesNotGranted(t *testing.T) {
	t.Parallel()
	require.WithoutCapability(t, "CAP_SYS_RESOURCE", 24)
	env := harness.New(t)
	r := env.Run(env.Bundle(harness.Capabilities("CAP_KILL", "CAP_SYS_RESOURCE"), harness.Args("cat", "/proc/self/status"))).WantCode(t, 0)
	want(t, "CapBnd", statusField(t, r.Stdout, "CapBnd"), kill)
	if !strings.Contains(r.Stderr, "CAP_SYS_RESOURCE") {
		t.Errorf("no warning that names CAP_SYS_RESOURCE: %s", r)
	}
}

// TestRlimits: as configured, soft and hard, and never the runtime's own.
func TestRlimits(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	limits := []specs.POSIXRlimit{
		{Type: "RLIMIT_AS", Soft: 1 << 40, Hard: 1 << 41}, {Type: "RLIMIT_CORE", Soft: 0, Hard: 0}, {Type: "RLIMIT_CPU", Soft: 1000, Hard: 2000},
		{Type: "RLIMIT_DATA", Soft: 1 << 40, Hard: 1 << 41}, {Type: "RLIMIT_FSIZE", Soft: 1 << 30, Hard: 1 << 31},
		{Type: "RLIMIT_LOCKS", Soft: 10, Hard: 11}, {Type: "RLIMIT_MEMLOCK", Soft: 4096, Hard: 8192}, {Type: "RLIMIT_MSGQUEUE", Soft: 1000, Hard: 2000},
		{Type: "RLIMIT_NOFILE", Soft: 123, Hard: 456}, {Type: "RLIMIT_NPROC", Soft: 500, Hard: 600}, {Type: "RLIMIT_RSS", Soft: 1 << 30, Hard: 1 << 31},
		{Type: "RLIMIT_SIGPENDING", Soft: 77, Hard: 88}, {Type: "RLIMIT_STACK", Soft: 1 << 20, Hard: 1 << 21},
		{Type: "RLIMIT_NICE", Soft: 0, Hard: 0}, {Type: "RLIMIT_RTPRIO", Soft: 0, Hard: 0}, {Type: "RLIMIT_RTTIME", Soft: 100000, Hard: 200000},
	}
	text := env.Stdout(harness.Args("cat", "/proc/self/limits"), func(s *specs.Spec) { s.Process.Rlimits = limits })
	for name, value := range map[string]string{
		"Max address space": "1099511627776 2199023255552", "Max core file size": "0 0", "Max cpu time": "1000 2000",
		"Max data size": "1099511627776 2199023255552", "Max file size": "1073741824 2147483648", "Max file locks": "10 11",
		"Max locked memory": "4096 8192", "Max msgqueue size": "1000 2000", "Max open files": "123 456", "Max processes": "500 600",
		"Max resident set": "1073741824 2147483648", "Max pending signals": "77 88", "Max stack size": "1048576 2097152",
		"Max nice priority": "0 0", "Max realtime priority": "0 0", "Max realtime timeout": "100000 200000",
	} {
		want(t, name, limitLine(t, text, name), value)
	}
}

// limitLine returns soft and hard of a line of proc_pid_limits(5).
func limitLine(t *testing.T, text, name string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.Join(strings.Fields(rest)[:2], " ")
		}
	}
	t.Fatalf("no %q in %s", name, text)
	return ""
}

// TestRlimitsUnset: without an entry the caller's limits stay; a Go program
// would have raised RLIMIT_NOFILE.
func TestRlimitsUnset(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	run := env.RunCommand(env.Bundle(harness.Args("cat", "/proc/self/limits"), func(s *specs.Spec) { s.Process.Rlimits = nil }))
	run.Binary = "/bin/sh"
	run.Args = append([]string{"-c", `ulimit -Sn 512; exec "$0" "$@"`, harness.Binary(t)}, run.Args...)
	text := run.Run().WantCode(t, 0).Stdout
	soft, _, _ := strings.Cut(limitLine(t, text, "Max open files"), " ")
	want(t, "open files", soft, "512")
}

// TestRlimitsInvalid: names, duplicates, and a soft limit above the hard one.
func TestRlimitsInvalid(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	cases := []struct {
		limits []specs.POSIXRlimit
		parts  []string
	}{
		{[]specs.POSIXRlimit{{Type: "RLIMIT_BOGUS", Soft: 1, Hard: 1}}, []string{"process.rlimits[0].type", "RLIMIT_BOGUS"}},
		{[]specs.POSIXRlimit{{Type: "NOFILE", Soft: 1, Hard: 1}}, []string{"process.rlimits[0].type", "NOFILE"}},
		{[]specs.POSIXRlimit{{Type: "RLIMIT_CORE"}, {Type: "RLIMIT_CORE"}}, []string{"process.rlimits[1]", "RLIMIT_CORE"}},
		{[]specs.POSIXRlimit{{Type: "RLIMIT_CORE", Soft: 2, Hard: 1}}, []string{"process.rlimits[0]", "soft"}},
	}
	for _, c := range cases {
		env.Run(env.Bundle(func(s *specs.Spec) { s.Process.Rlimits = c.limits })).WantError(t, 1, c.parts...)
	}
}
