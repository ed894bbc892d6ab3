package process

import (
	"fmt"
	"os"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/nsenter"
)

// stat returns fields of /proc/self/stat by their number in proc_pid_stat(5).
func stat(t *testing.T, in Input, o options) func(field int) string {
	t.Helper()
	in.Process.Args = []string{"cat", "/proc/self/stat"}
	got := start(t, in, o)
	if got.err != nil {
		t.Fatal(got.err)
	}
	_, rest, _ := strings.Cut(got.out, ") ")
	f := strings.Fields(rest)
	return func(field int) string { return f[field-3] }
}

func TestScheduler(t *testing.T) {
	needsRoot(t)
	cases := []struct {
		name                   string
		scheduler              specs.Scheduler
		nice, priority, policy string
	}{
		{"batch", specs.Scheduler{Policy: "SCHED_BATCH", Nice: 7}, "7", "0", "3"},
		{"fifo", specs.Scheduler{Policy: "SCHED_FIFO", Priority: 3}, "", "3", "1"},
		{"idle", specs.Scheduler{Policy: "SCHED_IDLE"}, "", "0", "5"}, // the nice value stays the caller's
		{"negative nice", specs.Scheduler{Policy: "SCHED_OTHER", Nice: -3}, "-3", "0", "0"},
		{"deadline", specs.Scheduler{Policy: "SCHED_DEADLINE", Runtime: 1e6, Deadline: 1e7, Period: 1e7}, "", "0", "6"},
	}
	for _, user := range []bool{false, true} {
		for _, c := range cases {
			t.Run(fmt.Sprintf("%s/userns=%v", c.name, user), func(t *testing.T) {
				in := Input{Process: minimal(), Userns: user}
				in.Process.Scheduler = &c.scheduler
				in.Process.User.UID = 1000
				o := options{}
				if user {
					o = newUser(t)
				}
				s := stat(t, in, o)
				if c.nice != "" && s(19) != c.nice || s(40) != c.priority || s(41) != c.policy {
					t.Errorf("nice %s, priority %s, policy %s", s(19), s(40), s(41))
				}
			})
		}
	}
}

func TestIOPriority(t *testing.T) {
	needsRoot(t)
	for _, c := range []struct {
		priority specs.LinuxIOPriority
		want     string
	}{
		{specs.LinuxIOPriority{Class: "IOPRIO_CLASS_BE", Priority: 6}, "best-effort: prio 6\n"},
		{specs.LinuxIOPriority{Class: "IOPRIO_CLASS_IDLE"}, "idle\n"},
		{specs.LinuxIOPriority{Class: "IOPRIO_CLASS_RT", Priority: 1}, "realtime: prio 1\n"},
	} {
		for _, user := range []bool{false, true} {
			in := Input{Process: minimal("sh", "-c", "ionice -p $$"), Userns: user}
			in.Process.IOPriority = &c.priority
			o := options{}
			if user {
				o = newUser(t)
			}
			if got := start(t, in, o); got.err != nil || got.out != c.want {
				t.Errorf("%v, userns %v: got %q, %v", c.priority, user, got.out, got.err)
			}
		}
	}
}

func TestPersonality(t *testing.T) {
	needsRoot(t)
	if hostMachine() != "x86_64" {
		t.Skip("uname -m under LINUX32 depends on the machine")
	}
	in := Input{Process: minimal("uname", "-m"), Personality: &specs.LinuxPersonality{Domain: "LINUX32"}}
	if got := start(t, in, options{}); got.err != nil || got.out != "i686\n" {
		t.Errorf("got %q, %v", got.out, got.err)
	}
}

func TestMemoryPolicy(t *testing.T) {
	needsRoot(t)
	if _, err := os.Stat("/proc/self/numa_maps"); err != nil {
		t.Skip("the kernel has no NUMA")
	}
	in := Input{Process: minimal("head", "-n1", "/proc/self/numa_maps"),
		MemoryPolicy: &specs.LinuxMemoryPolicy{Mode: "MPOL_BIND", Nodes: "0"}}
	if got := start(t, in, options{}); got.err != nil || !strings.Contains(got.out, " bind:0 ") {
		t.Errorf("got %q, %v", got.out, got.err)
	}
	in.MemoryPolicy.Nodes = "1000"
	got := start(t, in, options{})
	if want := "linux.memoryPolicy: set_mempolicy: invalid argument"; got.err == nil || got.err.Error() != want {
		t.Errorf("no such node: got %v, want %s", got.err, want)
	}
}

func TestAffinity(t *testing.T) {
	needsRoot(t)
	for _, exec := range []bool{true, false} {
		in := Input{Process: minimal("true"), Exec: exec}
		in.Process.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0-1", Final: "0"}
		x, _, err := New(in)
		if err != nil {
			t.Fatal(err)
		}
		all := status(t, Input{Process: minimal()}, options{})["Cpus_allowed_list"]
		want := map[bool]string{true: "0", false: all}[exec]
		s := status(t, in, options{early: func(p *nsenter.Program) { x.InitialAffinity(p); x.FinalAffinity(p) }})
		if s["Cpus_allowed_list"] != want {
			t.Errorf("exec %v: CPUs %s, want %s", exec, s["Cpus_allowed_list"], want)
		}
	}
}
