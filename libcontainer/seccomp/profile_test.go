package seccomp

import (
	"errors"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
)

func TestCheckRefuses(t *testing.T) {
	one := func(s specs.LinuxSyscall) specs.LinuxSeccomp {
		return specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActErrno}, s}}
	}
	arg := func(a specs.LinuxSeccompArg) specs.LinuxSeccomp {
		return one(specs.LinuxSyscall{Names: []string{"prctl"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: specs.OpEqualTo}, a}})
	}
	notify := func(names ...string) specs.LinuxSeccomp {
		p := one(specs.LinuxSyscall{Names: names, Action: specs.ActNotify})
		p.ListenerPath = "/run/agent.sock"
		return p
	}
	unheard := notify("mkdir")
	unheard.ListenerPath = ""
	cases := []struct {
		name    string
		profile specs.LinuxSeccomp
		field   string
		text    string
	}{
		{"no default action", specs.LinuxSeccomp{}, "defaultAction", "is missing"},
		{"unknown default action", specs.LinuxSeccomp{DefaultAction: "SCMP_ACT_DENY"}, "defaultAction", `"SCMP_ACT_DENY"`},
		{"default action notify", specs.LinuxSeccomp{DefaultAction: specs.ActNotify, ListenerPath: "/x"}, "defaultAction", "listener"},
		{"default errno on allow", specs.LinuxSeccomp{DefaultAction: specs.ActAllow, DefaultErrnoRet: number(1)}, "defaultErrnoRet", "returns no errno"},
		{"default errno on kill", specs.LinuxSeccomp{DefaultAction: specs.ActKillProcess, DefaultErrnoRet: number(0)}, "defaultErrnoRet", "returns no errno"},
		{"default errno too high", specs.LinuxSeccomp{DefaultAction: specs.ActErrno, DefaultErrnoRet: number(maxErrno + 1)}, "defaultErrnoRet", "4094"},
		{"architecture", specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchX86, "x86_64"}}, "architectures[1]", `"x86_64"`},
		{"flag", specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_NEW_LISTENER"}}, "flags[0]", "NEW_LISTENER"},
		{"no names", one(specs.LinuxSyscall{Action: specs.ActErrno}), "syscalls[1].names", "is empty"},
		{"empty name", one(specs.LinuxSyscall{Names: []string{"a", ""}, Action: specs.ActErrno}), "syscalls[1].names[1]", "is empty"},
		{"null byte in a name", one(specs.LinuxSyscall{Names: []string{"read\x00x"}, Action: specs.ActErrno}), "syscalls[1].names[0]", "null byte"},
		{"no action", one(specs.LinuxSyscall{Names: []string{"read"}}), "syscalls[1].action", "is missing"},
		{"errno on allow", one(specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActAllow, ErrnoRet: number(1)}), "syscalls[1].errnoRet", "returns no errno"},
		{"errno on notify", one(specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActNotify, ErrnoRet: number(1)}), "syscalls[1].errnoRet", "returns no errno"},
		{"errno too high", one(specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActErrno, ErrnoRet: number(65537)}), "syscalls[1].errnoRet", "65537"},
		{"trace number too high", one(specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActTrace, ErrnoRet: number(65536)}), "syscalls[1].errnoRet", "65535"},
		{"seventh argument", arg(specs.LinuxSeccompArg{Index: 6, Op: specs.OpEqualTo}), "syscalls[1].args[1].index", "six arguments"},
		{"operator", arg(specs.LinuxSeccompArg{Index: 1, Op: "=="}), "syscalls[1].args[1].op", `operator "=="`},
		{"notify on write", notify("mkdir", "write"), "syscalls[1].names[1]", "SCMP_ACT_NOTIFY"},
		{"notify on sendmsg", notify("sendmsg"), "syscalls[1].names[0]", "SCMP_ACT_NOTIFY"},
		{"notify without listener", unheard, "listenerPath", "is missing"},
		{"metadata without listener", specs.LinuxSeccomp{DefaultAction: specs.ActAllow, ListenerMetadata: "x"}, "listenerMetadata", "without listenerPath"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := Check(&c.profile)
			var e *diag.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if e.Field != "linux.seccomp."+c.field || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %q, want field %s and text %s", err, c.field, c.text)
			}
			if _, _, err := Load("", &c.profile); err == nil {
				t.Error("Load takes it")
			}
		})
	}
}

func TestCheckAccepts(t *testing.T) {
	full := specs.LinuxSeccomp{DefaultAction: specs.ActTrace, DefaultErrnoRet: number(65535), ListenerPath: "/run/a", ListenerMetadata: "m"}
	for _, name := range Archs() {
		full.Architectures = append(full.Architectures, specs.Arch(name))
	}
	for _, name := range KnownFlags() {
		full.Flags = append(full.Flags, specs.LinuxSeccompFlag(name))
	}
	for _, action := range Actions() {
		s := specs.LinuxSyscall{Names: []string{"mkdir"}, Action: specs.LinuxSeccompAction(action)}
		for i, op := range Operators() {
			s.Args = append(s.Args, specs.LinuxSeccompArg{Index: uint(i) % 6, Op: specs.LinuxSeccompOperator(op)})
		}
		full.Syscalls = append(full.Syscalls, s)
	}
	for _, p := range []*specs.LinuxSeccomp{&full, dockerProfile(t), {DefaultAction: specs.ActAllow},
		{DefaultAction: specs.ActAllow, ListenerPath: "/run/unused"}} {
		if err := Check(p); err != nil {
			t.Error(err)
		}
	}
}

func TestVersionsCompare(t *testing.T) {
	cases := []struct {
		version string
		older   bool
	}{{"2.5.4", true}, {"2.6.0", false}, {"2.10.1", false}, {"3.0.0", false}, {"1.9.9", true}, {"", true}}
	for _, c := range cases {
		if got := olderThan(c.version, 2, 6); got != c.older {
			t.Errorf("%q older than 2.6: %v", c.version, got)
		}
	}
}
