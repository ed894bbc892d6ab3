package process

import (
	"errors"
	"math/bits"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
)

// TestNewRefuses has one mistake per case, and the error that names it.
func TestNewRefuses(t *testing.T) {
	umask := uint32(0o1000)
	type change = func(in *Input)
	scheduler := func(s specs.Scheduler) change { return func(in *Input) { in.Process.Scheduler = &s } }
	policy := func(m specs.LinuxMemoryPolicy) change { return func(in *Input) { in.MemoryPolicy = &m } }
	limits := func(l ...specs.POSIXRlimit) change { return func(in *Input) { in.Process.Rlimits = l } }
	cases := []struct {
		change change
		want   string
	}{
		{func(in *Input) { in.Process.Args = nil }, "process.args: is empty"},
		{func(in *Input) { in.Process.Args[0] = "" }, `process.args[0]: exec: "": executable file not found in $PATH`},
		{func(in *Input) { in.Process.Env = nil }, `process.args[0]: exec: "true": executable file not found in $PATH (process.env has no PATH)`},
		{func(in *Input) { in.Process.Env = []string{"PATH="} }, `process.args[0]: exec: "true": executable file not found in $PATH (PATH in process.env is empty)`},
		{func(in *Input) { in.Process.Cwd = "tmp" }, `process.cwd: Cwd must be an absolute path ("tmp")`},
		{func(in *Input) { in.Process.Env = []string{"A=1", "B"} }, `process.env[1]: invalid argument ("B" is not NAME=VALUE)`},
		{func(in *Input) { in.Process.Env = []string{"=1"} }, `process.env[0]: invalid argument ("=1" is not NAME=VALUE)`},
		{func(in *Input) { in.Process.Env = []string{"A=1\x002"} }, `process.env[0]: invalid argument ("A" contains a null byte)`},
		{func(in *Input) { in.Process.User.Umask = &umask }, "process.user.umask: invalid argument (is not between 0 and 0777)"},
		{func(in *Input) { in.SetgroupsDenied, in.Process.User.AdditionalGids = true, []uint32{1} },
			"process.user.additionalGids: operation not permitted (setgroups is denied in this user namespace: map the groups with newgidmap, or remove them)"},
		{func(in *Input) {
			in.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1, Size: 2}}
			in.Process.User.AdditionalGids = []uint32{1, 2}
		}, "process.user.additionalGids[1]: invalid argument (2 is not mapped in linux.gidMappings)"},
		{func(in *Input) { in.Process.Terminal, in.Process.ConsoleSize = true, &specs.Box{Height: 70000} },
			"process.consoleSize: 0x70000 is more than a terminal can have, 65535"},

		{limits(specs.POSIXRlimit{Type: "RLIMIT_BOGUS"}), `process.rlimits[0].type: unknown resource limit "RLIMIT_BOGUS"`},
		{limits(specs.POSIXRlimit{Type: "RLIMIT_CPU"}, specs.POSIXRlimit{Type: "RLIMIT_CPU"}), `process.rlimits[1].type: "RLIMIT_CPU" is listed twice`},
		{limits(specs.POSIXRlimit{Type: "RLIMIT_CPU", Soft: 2, Hard: 1}), "process.rlimits[0].soft: 2 is more than the hard limit, 1"},

		{scheduler(specs.Scheduler{Policy: "SCHED_BOGUS"}), `process.scheduler.policy: unknown scheduling policy "SCHED_BOGUS"`},
		{scheduler(specs.Scheduler{Policy: "SCHED_OTHER", Nice: 20}), "process.scheduler.nice: 20 is not between -20 and 19"},
		{scheduler(specs.Scheduler{Policy: "SCHED_OTHER", Priority: 1}), "process.scheduler.priority: SCHED_OTHER has no priority, only SCHED_FIFO and SCHED_RR do"},
		{scheduler(specs.Scheduler{Policy: "SCHED_RR"}), "process.scheduler.priority: 0 is not between 1 and 99"},
		{scheduler(specs.Scheduler{Policy: "SCHED_BATCH", Runtime: 1}), "process.scheduler.policy: SCHED_BATCH has no runtime, deadline or period, only SCHED_DEADLINE does"},
		{scheduler(specs.Scheduler{Policy: "SCHED_BATCH", Flags: []specs.LinuxSchedulerFlag{"SCHED_FLAG_RESET_ON_FORK", "X"}}), `process.scheduler.flags[1]: unknown scheduling flag "X"`},

		{func(in *Input) { in.Process.IOPriority = &specs.LinuxIOPriority{Class: "X"} }, `process.ioPriority.class: unknown I/O priority class "X"`},
		{func(in *Input) { in.Process.IOPriority = &specs.LinuxIOPriority{Class: "IOPRIO_CLASS_BE", Priority: 8} }, "process.ioPriority.priority: 8 is not between 0 and 7"},

		{func(in *Input) { in.Exec, in.Process.ExecCPUAffinity = true, &specs.CPUAffinity{Initial: "1-0"} }, `process.execCPUAffinity.initial: range "1-0" ends before it begins`},
		{func(in *Input) { in.Exec, in.Process.ExecCPUAffinity = true, &specs.CPUAffinity{Final: " , "} }, "process.execCPUAffinity.final: lists no CPU"},

		{func(in *Input) { in.Personality = &specs.LinuxPersonality{Domain: "X"} }, `linux.personality.domain: unknown execution domain "X" (LINUX or LINUX32)`},
		{func(in *Input) {
			in.Personality = &specs.LinuxPersonality{Domain: "LINUX", Flags: []specs.LinuxPersonalityFlag{"X"}}
		}, `linux.personality.flags[0]: unknown flag "X" (no flag is defined)`},

		{policy(specs.LinuxMemoryPolicy{Mode: "X"}), `linux.memoryPolicy.mode: unknown memory policy mode "X"`},
		{policy(specs.LinuxMemoryPolicy{Mode: "MPOL_BIND"}), "linux.memoryPolicy.nodes: MPOL_BIND needs at least one node"},
		{policy(specs.LinuxMemoryPolicy{Mode: "MPOL_LOCAL", Nodes: "0"}), "linux.memoryPolicy.nodes: MPOL_LOCAL takes no nodes"},
		{policy(specs.LinuxMemoryPolicy{Mode: "MPOL_BIND", Nodes: "1024"}), "linux.memoryPolicy.nodes: 1024 is more than the kernel can have, 1023"},
		{policy(specs.LinuxMemoryPolicy{Mode: "MPOL_BIND", Nodes: "0", Flags: []specs.MemoryPolicyFlagType{"X"}}), `linux.memoryPolicy.flags[0]: unknown memory policy flag "X"`},
		{policy(specs.LinuxMemoryPolicy{Mode: "MPOL_BIND", Nodes: "0", Flags: []specs.MemoryPolicyFlagType{"MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"}}),
			"linux.memoryPolicy.flags: nodes cannot be both static and relative"},

		{func(in *Input) { in.Seccomp, in.Host.Bounding = &Filter{}, 0 },
			"linux.seccomp: a filter needs CAP_SYS_ADMIN or no_new_privs (set process.noNewPrivileges)"},
	}
	for _, c := range cases {
		in := Input{Process: minimal("true"), Host: host()}
		c.change(&in)
		_, _, err := New(in)
		if err == nil || err.Error() != c.want {
			t.Errorf("\ngot  %v\nwant %s", err, c.want)
			continue
		}
		if e := (*diag.Error)(nil); !errors.As(err, &e) || e.Code == "" {
			t.Errorf("%v has no code", err)
		}
	}
}

// TestNewAccepts has what is unusual, but right.
func TestNewAccepts(t *testing.T) {
	for name, change := range map[string]func(in *Input){
		"absolute program without PATH":       func(in *Input) { in.Process.Args, in.Process.Env = []string{"/x"}, nil },
		"size without terminal":               func(in *Input) { in.Process.ConsoleSize = &specs.Box{Height: 1 << 20} },
		"affinity of init is not looked at":   func(in *Input) { in.Process.ExecCPUAffinity = &specs.CPUAffinity{Initial: "x"} },
		"preferred without nodes means local": func(in *Input) { in.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "MPOL_PREFERRED"} },
		"default policy":                      func(in *Input) { in.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "MPOL_DEFAULT"} },
		"unconfined anywhere":                 func(in *Input) { in.Process.ApparmorProfile = "unconfined" },
		"no process":                          func(in *Input) { in.Process = nil },
	} {
		in := Input{Process: minimal("true"), Host: host()}
		change(&in)
		if _, warnings, err := New(in); err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v, %v", name, warnings, err)
		}
	}
}

func TestCapabilitySets(t *testing.T) {
	in := Input{Process: minimal("true"), Host: host()}
	in.Process.Capabilities = &specs.LinuxCapabilities{
		Bounding: []string{"CAP_KILL"}, Effective: []string{"CAP_KILL", "CAP_CHOWN"}, Permitted: []string{"CAP_KILL", "CAP_NET_RAW"},
		Inheritable: []string{"CAP_KILL"}, Ambient: []string{"CAP_KILL", "CAP_NET_RAW"},
	}
	x, warnings, err := New(in)
	want := []string{
		"process.capabilities.effective: ignoring [CAP_CHOWN], which permitted lacks",
		"process.capabilities.ambient: ignoring [CAP_NET_RAW], which permitted or inheritable lacks",
	}
	if err != nil || !slices.Equal(warnings, want) {
		t.Errorf("%q, %v", warnings, err)
	}
	if x.caps.effective != 1<<5 || x.caps.ambient != 1<<5 {
		t.Errorf("%+v", x.caps)
	}
	// In another user namespace all is there, whatever the runtime lacks; but
	// not what the kernel does not know.
	in.Userns, in.Host = true, &Host{Last: 37}
	in.Process.Capabilities = &specs.LinuxCapabilities{Bounding: []string{"CAP_SYS_ADMIN", "CAP_BPF"}}
	x, warnings, err = New(in)
	if err != nil || x.caps.bounding != 1<<21 || len(warnings) != 1 || !strings.Contains(warnings[0], "[CAP_BPF]") {
		t.Errorf("%+v, %q, %v", x.caps, warnings, err)
	}
	if n := bits.OnesCount64(x.caps.stage); n != 38 {
		t.Errorf("the stage has %d capabilities, want 38", n)
	}
}

// exec --cap must not make anything inheritable (CVE-2022-29162), nor change
// the container's own configuration.
func TestAddCapabilities(t *testing.T) {
	base := &specs.LinuxCapabilities{Bounding: make([]string, 1, 8), Inheritable: []string{"CAP_KILL"}}
	base.Bounding[0] = "CAP_KILL"
	got := AddCapabilities(base, []string{"CAP_NET_RAW"})
	if !slices.Equal(got.Bounding, []string{"CAP_KILL", "CAP_NET_RAW"}) || !slices.Equal(got.Effective, []string{"CAP_NET_RAW"}) ||
		!slices.Equal(got.Permitted, []string{"CAP_NET_RAW"}) || !slices.Equal(got.Inheritable, []string{"CAP_KILL"}) || got.Ambient != nil {
		t.Errorf("%+v", got)
	}
	if len(base.Bounding) != 1 || base.Bounding[:2][1] != "" {
		t.Error("the base has changed")
	}
	if got := AddCapabilities(nil, []string{"CAP_KILL"}); got.Inheritable != nil || got.Ambient != nil {
		t.Errorf("%+v", got)
	}
}

func TestCandidates(t *testing.T) {
	for _, c := range []struct {
		name, path string
		want       []string
	}{
		{"sh", "PATH=/usr/bin:/bin", []string{"/usr/bin/sh", "/bin/sh"}},
		{"sh", "PATH=:/bin:", []string{"./sh", "/bin/sh", "./sh"}},
		{"./sh", "PATH=/bin", []string{"./sh"}},
		{"/sh", "", []string{"/sh"}},
		{"sh", "NOPATH=/bin", nil},
		{"sh", "PATH=", nil},
		{"", "PATH=/bin", nil},
	} {
		if got := Candidates(c.name, []string{c.path}); !slices.Equal(got, c.want) {
			t.Errorf("%q in %q: %q", c.name, c.path, got)
		}
	}
}

func TestEnvironment(t *testing.T) {
	x := &Process{in: Input{Process: minimal()}}
	x.in.Process.Env = []string{"A=1", "PATH=/a", "B=x=y", "A=2", "PATH=/b", "C="}
	if err := x.checkEnv(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"B=x=y", "A=2", "PATH=/b", "C="}; !slices.Equal(x.env, want) {
		t.Errorf("got %q, want %q", x.env, want)
	}
}

func TestParseList(t *testing.T) {
	for _, c := range []struct {
		list string
		want []uint64
		err  string
	}{
		{"", nil, ""},
		{"0", []uint64{1}, ""},
		{" 0 - 3 ,, 7", []uint64{0x8f}, ""},
		{"64", []uint64{0, 1}, ""},
		{"62-65", []uint64{3 << 62, 3}, ""},
		{"0-0", []uint64{1}, ""},
		{"100", nil, "100 is more than the kernel can have, 99"},
		{"3-1", nil, `range "3-1" ends before it begins`},
		{"1-", nil, `"" is not a number`},
		{"-1", nil, `"" is not a number`},
		{"1-2-3", nil, `"2-3" is not a number`},
		{"0x1", nil, `"0x1" is not a number`},
		{"99999999999999999999", nil, `"99999999999999999999" is not a number`},
	} {
		got, err := parseList(c.list, 100)
		if text := ""; err != nil {
			text = err.Error()
			if text != c.err {
				t.Errorf("%q: error %q, want %q", c.list, text, c.err)
			}
			continue
		}
		if c.err != "" || !slices.Equal(got, c.want) {
			t.Errorf("%q: got %x, want %x %s", c.list, got, c.want, c.err)
		}
	}
}

func FuzzParseList(f *testing.F) {
	for _, s := range []string{"0-3,7", "62-65", "1-", " 1 ,, 2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		mask, err := parseList(s, 1000)
		if err == nil && len(mask) > 16 {
			t.Errorf("%q: %d words", s, len(mask))
		}
	})
}
