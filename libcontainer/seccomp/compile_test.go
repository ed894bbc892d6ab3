package seccomp

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func requireEnabled(t testing.TB) {
	t.Helper()
	if !Enabled() {
		t.Skip("this build has no libseccomp")
	}
}

func number(n uint) *uint { return &n }

func mustCompile(t testing.TB, p *specs.LinuxSeccomp) (*Filter, []Warning) {
	t.Helper()
	requireEnabled(t)
	f, warnings, err := Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	return f, warnings
}

func dockerProfile(t testing.TB) *specs.LinuxSeccomp {
	t.Helper()
	b, err := os.ReadFile("testdata/docker.json")
	if err != nil {
		t.Fatal(err)
	}
	p := &specs.LinuxSeccomp{}
	if err := json.Unmarshal(b, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// native is a call in this test binary's own ABI.
func native(nr int, args ...uint64) call {
	a, _ := abiOf(nativeArch())
	c := call{number: uint32(nr), arch: a.audit}
	copy(c.args[:], args)
	return c
}

func TestWithoutLibseccompTheRefusalSaysSo(t *testing.T) {
	if Enabled() {
		t.Skip("this build has libseccomp")
	}
	_, _, err := Load(t.TempDir(), dockerProfile(t))
	if !errors.Is(err, ErrUnsupported) || !strings.HasPrefix(err.Error(), "linux.seccomp: ") {
		t.Errorf("got %v", err)
	}
	if Version() != "" {
		t.Errorf("version is %q", Version())
	}
}

func TestEveryAction(t *testing.T) {
	cases := []struct {
		action specs.LinuxSeccompAction
		errno  *uint
		want   uint32
	}{
		{specs.ActKill, nil, unix.SECCOMP_RET_KILL_THREAD},
		{specs.ActKillThread, nil, unix.SECCOMP_RET_KILL_THREAD},
		{specs.ActKillProcess, nil, unix.SECCOMP_RET_KILL_PROCESS},
		{specs.ActTrap, nil, unix.SECCOMP_RET_TRAP},
		{specs.ActErrno, nil, unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{specs.ActErrno, number(0), unix.SECCOMP_RET_ERRNO},
		{specs.ActErrno, number(maxErrno), unix.SECCOMP_RET_ERRNO | maxErrno},
		{specs.ActTrace, nil, unix.SECCOMP_RET_TRACE | uint32(unix.EPERM)},
		{specs.ActTrace, number(maxTraceData), unix.SECCOMP_RET_TRACE | maxTraceData},
		{specs.ActLog, nil, unix.SECCOMP_RET_LOG},
		{specs.ActNotify, nil, unix.SECCOMP_RET_USER_NOTIF},
		{specs.ActAllow, nil, unix.SECCOMP_RET_ALLOW},
	}
	for _, c := range cases {
		t.Run(string(c.action), func(t *testing.T) {
			fallback := uint32(unix.SECCOMP_RET_ERRNO | 99)
			p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, DefaultErrnoRet: number(99), ListenerPath: "/run/agent.sock",
				Syscalls: []specs.LinuxSyscall{{Names: []string{"getcwd"}, Action: c.action, ErrnoRet: c.errno}}}
			f, _ := mustCompile(t, p)
			if got := answerOf(t, f.Program, native(unix.SYS_GETCWD)); got != c.want {
				t.Errorf("getcwd answers %s, want %s", verdictText(got), verdictText(c.want))
			}
			if got := answerOf(t, f.Program, native(unix.SYS_READ)); got != fallback {
				t.Errorf("read answers %s, want %s", verdictText(got), verdictText(fallback))
			}
			if f.Notify != (c.action == specs.ActNotify) {
				t.Errorf("notify is %v", f.Notify)
			}
			if c.action == specs.ActNotify {
				return
			}
			p = &specs.LinuxSeccomp{DefaultAction: c.action, DefaultErrnoRet: c.errno,
				Syscalls: []specs.LinuxSyscall{{Names: []string{"getcwd"}, Action: specs.ActErrno, ErrnoRet: number(99)}}}
			f, _ = mustCompile(t, p)
			if got := answerOf(t, f.Program, native(unix.SYS_READ)); got != c.want {
				t.Errorf("as default: read answers %s, want %s", verdictText(got), verdictText(c.want))
			}
		})
	}
}

func TestEveryOperator(t *testing.T) {
	const high = 1 << 32
	cases := []struct {
		op              specs.LinuxSeccompOperator
		value, valueTwo uint64
		matching, other []uint64
	}{
		{specs.OpEqualTo, high | 5, 0, []uint64{high | 5}, []uint64{5, high | 4, 2*high | 5}},
		{specs.OpNotEqual, high | 5, 0, []uint64{5, high | 4}, []uint64{high | 5}},
		{specs.OpLessThan, high | 5, 0, []uint64{high | 4, 99, 0}, []uint64{high | 5, high | 6, 2 * high}},
		{specs.OpLessEqual, high | 5, 0, []uint64{high | 4, high | 5, 0}, []uint64{high | 6, 2 * high}},
		{specs.OpGreaterThan, high | 5, 0, []uint64{high | 6, 2 * high}, []uint64{high | 5, high | 4, 99}},
		{specs.OpGreaterEqual, high | 5, 0, []uint64{high | 5, 2 * high}, []uint64{high | 4, 99}},
		{specs.OpMaskedEqual, high | 0xf0, high | 0x50, []uint64{high | 0x50, 3*high | 0xf5f}, []uint64{0x50, high | 0x40, high | 0xf0}},
	}
	for _, c := range cases {
		for _, index := range []uint{0, 3, 5} {
			t.Run(string(c.op), func(t *testing.T) {
				p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{
					Names: []string{"prctl"}, Action: specs.ActErrno, ErrnoRet: number(7),
					Args: []specs.LinuxSeccompArg{{Index: index, Op: c.op, Value: c.value, ValueTwo: c.valueTwo}}}}}
				f, _ := mustCompile(t, p)
				check := func(values []uint64, want uint32) {
					for _, v := range values {
						in := native(unix.SYS_PRCTL)
						in.args[index] = v
						if got := answerOf(t, f.Program, in); got != want {
							t.Errorf("argument %d is %#x: got %s, want %s", index, v, verdictText(got), verdictText(want))
						}
					}
				}
				check(c.matching, unix.SECCOMP_RET_ERRNO|7)
				check(c.other, unix.SECCOMP_RET_ALLOW)
			})
		}
	}
}

func TestConditionsOfOneRuleMustAllHold(t *testing.T) {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{
		Names: []string{"prctl"}, Action: specs.ActErrno,
		Args: []specs.LinuxSeccompArg{{Index: 0, Op: specs.OpEqualTo, Value: 1}, {Index: 2, Op: specs.OpGreaterThan, Value: 10}}}}}
	f, warnings := mustCompile(t, p)
	if len(warnings) != 0 {
		t.Errorf("warnings: %v", warnings)
	}
	for _, c := range []struct {
		args [3]uint64
		want uint32
	}{
		{[3]uint64{1, 0, 11}, unix.SECCOMP_RET_ERRNO | 1},
		{[3]uint64{1, 0, 10}, unix.SECCOMP_RET_ALLOW},
		{[3]uint64{2, 0, 11}, unix.SECCOMP_RET_ALLOW},
	} {
		if got := answerOf(t, f.Program, native(unix.SYS_PRCTL, c.args[:]...)); got != c.want {
			t.Errorf("%v: got %s, want %s", c.args, verdictText(got), verdictText(c.want))
		}
	}
}

func TestOneArgumentComparedTwiceMeansEither(t *testing.T) {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{{
		Names: []string{"personality"}, Action: specs.ActAllow,
		Args: []specs.LinuxSeccompArg{{Index: 0, Op: specs.OpEqualTo, Value: 0}, {Index: 0, Op: specs.OpEqualTo, Value: 8}}}}}
	f, warnings := mustCompile(t, p)
	for value, want := range map[uint64]uint32{0: unix.SECCOMP_RET_ALLOW, 8: unix.SECCOMP_RET_ALLOW, 4: unix.SECCOMP_RET_ERRNO | 1} {
		if got := answerOf(t, f.Program, native(unix.SYS_PERSONALITY, value)); got != want {
			t.Errorf("personality(%d): got %s, want %s", value, verdictText(got), verdictText(want))
		}
	}
	if len(warnings) != 1 || warnings[0].Debug || warnings[0].Field != "linux.seccomp.syscalls[0].args" {
		t.Errorf("warnings: %+v", warnings)
	}
}

func TestUnknownNames(t *testing.T) {
	entry := func(a specs.LinuxSeccompAction) []specs.LinuxSyscall {
		return []specs.LinuxSyscall{{Names: []string{"getcwd", "no_such_call"}, Action: a}}
	}
	f, warnings := mustCompile(t, &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: entry(specs.ActAllow)})
	if got := answerOf(t, f.Program, native(unix.SYS_GETCWD)); got != unix.SECCOMP_RET_ALLOW {
		t.Errorf("the known name beside it answers %s", verdictText(got))
	}
	if len(warnings) != 1 || !warnings[0].Debug || !strings.Contains(warnings[0].Text, `"no_such_call"`) {
		t.Errorf("an allowed call that does not exist: %+v", warnings)
	}
	_, warnings = mustCompile(t, &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: entry(specs.ActKillProcess)})
	if len(warnings) != 1 || warnings[0].Debug || !strings.Contains(warnings[0].Text, "stays allowed") {
		t.Errorf("a forbidden call that cannot be filtered needs more than a debug line: %+v", warnings)
	}
	f, _ = mustCompile(t, &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, ListenerPath: "/run/agent.sock",
		Syscalls: []specs.LinuxSyscall{{Names: []string{"no_such_call"}, Action: specs.ActNotify}}})
	if f.Notify || f.Flags&unix.SECCOMP_FILTER_FLAG_NEW_LISTENER != 0 {
		t.Errorf("a listener without a rule that needs it: %+v", f.Flags)
	}
}

func TestRulesEqualToTheDefaultAreLeftOut(t *testing.T) {
	f, warnings := mustCompile(t, &specs.LinuxSeccomp{DefaultAction: specs.ActKill, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"getcwd"}, Action: specs.ActKillThread},
		{Names: []string{"read"}, Action: specs.ActAllow}}})
	if len(warnings) != 1 || !warnings[0].Debug || warnings[0].Field != "linux.seccomp.syscalls[0]" {
		t.Errorf("warnings: %+v", warnings)
	}
	if got := answerOf(t, f.Program, native(unix.SYS_GETCWD)); got != unix.SECCOMP_RET_KILL_THREAD {
		t.Errorf("getcwd answers %s", verdictText(got))
	}
}

func TestFlags(t *testing.T) {
	const spec, log, tsync, wait = unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, unix.SECCOMP_FILTER_FLAG_LOG, unix.SECCOMP_FILTER_FLAG_TSYNC, unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	const listener, esrch = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	all := []specs.LinuxSeccompFlag{flagTsync, specs.LinuxSeccompFlagLog, specs.LinuxSeccompFlagSpecAllow, specs.LinuxSeccompFlagWaitKillableRecv}
	cases := []struct {
		name   string
		flags  []specs.LinuxSeccompFlag
		notify bool
		want   uint64
	}{
		{"absent", nil, false, spec},
		{"empty list", []specs.LinuxSeccompFlag{}, false, 0},
		{"all", all, false, spec | log | tsync},
		{"all, with a listener", all, true, spec | log | tsync | wait | listener | esrch},
		{"absent, with a listener", nil, true, spec | listener},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: c.flags}
			if c.notify {
				p.ListenerPath = "/run/agent.sock"
				p.Syscalls = []specs.LinuxSyscall{{Names: []string{"getcwd"}, Action: specs.ActNotify}}
			}
			if f, _ := mustCompile(t, p); f.Flags != c.want || f.Notify != c.notify {
				t.Errorf("got %#x notify %v, want %#x", f.Flags, f.Notify, c.want)
			}
		})
	}
}

func TestArchitecturesLibseccompCannotCompileFor(t *testing.T) {
	requireEnabled(t)
	for _, row := range architectures() {
		p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{row.name}}
		_, _, err := Compile(p)
		if err == nil {
			continue
		}
		text := err.Error()
		known := libraryHas(row.name, Version())
		if known && !strings.Contains(text, "byte order") || !known && !strings.Contains(text, "not supported") ||
			!strings.HasPrefix(text, `linux.seccomp.architectures[0]: "`+string(row.name)+`": `) {
			t.Errorf("%s (listed as known: %v): %v", row.name, known, err)
		}
	}
}

func TestTooManyInstructions(t *testing.T) {
	requireEnabled(t)
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
	for v := uint64(0); v < 1500; v++ {
		p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{Names: []string{"prctl"}, Action: specs.ActAllow,
			Args: []specs.LinuxSeccompArg{{Index: 0, Op: specs.OpEqualTo, Value: v << 33}}})
	}
	_, _, err := Compile(p)
	if err == nil || !strings.Contains(err.Error(), "at most 4096") {
		t.Errorf("got %v", err)
	}
}
