//go:build cgo && !seccomp_helper

package seccomp

import (
	"math/rand/v2"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// expected is the verdict of a profile, read off the profile itself: slow,
// without libseccomp's rule engine, and only for profiles whose rules do not
// contradict each other.
func expected(p *specs.LinuxSeccomp, name string, args [6]uint64, wordMask uint64) uint32 {
	for _, s := range p.Syscalls {
		for _, n := range s.Names {
			if n == name && allHold(s.Args, args, wordMask) {
				v, _ := verdict(s.Action, errnoOr(s.ErrnoRet))
				return v
			}
		}
	}
	return defaultVerdict(p)
}

func allHold(conditions []specs.LinuxSeccompArg, args [6]uint64, wordMask uint64) bool {
	for _, c := range conditions {
		if !conditionHolds(c, args[c.Index]&wordMask) {
			return false
		}
	}
	return true
}

func conditionHolds(c specs.LinuxSeccompArg, v uint64) bool {
	switch c.Op {
	case specs.OpNotEqual:
		return v != c.Value
	case specs.OpLessThan:
		return v < c.Value
	case specs.OpLessEqual:
		return v <= c.Value
	case specs.OpEqualTo:
		return v == c.Value
	case specs.OpGreaterEqual:
		return v >= c.Value
	case specs.OpGreaterThan:
		return v > c.Value
	}
	return v&c.Value == c.ValueTwo&c.Value // seccomp_rule_add(3): "the masked datum value"
}

// Every call libseccomp has a name for, on every architecture of the profile,
// with arguments on both sides of each comparison.
func TestDockerProfileAgainstItself(t *testing.T) {
	p := dockerProfile(t)
	f, _ := mustCompile(t, p)
	interesting := []uint64{0, 1, 2, 3, 7, 8, 16, 38, 40, 45, 46, 131072, 131080, 0x20000000, 0x7e020000, 0xffffffff}
	tried := 0
	for _, name := range p.Architectures {
		arch, err := libArch(name)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := abiOf(name)
		mask := uint64(1<<64 - 1)
		if name == specs.ArchX86 {
			mask = 1<<32 - 1
		}
		for nr := a.base; nr < a.base+600; nr++ {
			call := call{number: nr, arch: a.audit}
			word, err := libseccomp.ScmpSyscall(nr).GetNameByArch(arch)
			if err != nil {
				continue
			}
			for _, v := range interesting {
				call.args[0] = v
				want, got := expected(p, word, call.args, mask), answerOf(t, f.Program, call)
				if got != want {
					t.Errorf("%s %s(%#x): got %s, want %s", name, word, v, verdictText(got), verdictText(want))
				}
				tried++
			}
		}
	}
	if tried < 3*300*len(interesting) {
		t.Fatalf("only %d calls were tried", tried)
	}
}

// randomProfile has each name in one rule at most, and no rule that compares an
// argument twice: what it means is beyond doubt.
func randomProfile(r *rand.Rand, names []string) *specs.LinuxSeccomp {
	actions := []specs.LinuxSeccompAction{specs.ActAllow, specs.ActErrno, specs.ActLog, specs.ActTrap, specs.ActTrace, specs.ActKill, specs.ActKillProcess, specs.ActNotify}
	p := &specs.LinuxSeccomp{DefaultAction: actions[r.IntN(7)], ListenerPath: "/run/agent.sock"}
	if r.IntN(2) == 0 {
		p.Architectures = []specs.Arch{specs.ArchX32}
	}
	operators := Operators()
	for i := r.IntN(20); i < len(names); i += 1 + r.IntN(20) {
		s := specs.LinuxSyscall{Names: names[i : i+1], Action: actions[r.IntN(len(actions))]}
		if s.Action == specs.ActErrno || s.Action == specs.ActTrace {
			s.ErrnoRet = number(uint(r.IntN(3)))
		}
		if s.Action == specs.ActNotify && neededForHandover(names[i]) {
			continue
		}
		for index := uint(r.IntN(12)); index <= maxArgument; index += 1 + uint(r.IntN(3)) {
			a := specs.LinuxSeccompArg{Index: index, Op: specs.LinuxSeccompOperator(operators[r.IntN(len(operators))]), Value: randomWord(r), ValueTwo: randomWord(r)}
			s.Args = append(s.Args, a)
		}
		p.Syscalls = append(p.Syscalls, s)
	}
	return p
}

func randomWord(r *rand.Rand) uint64 { return uint64(r.IntN(4)) | uint64(r.IntN(3))<<32 }

func TestRandomProfiles(t *testing.T) {
	var names []string
	for nr := range 460 {
		if name, err := libseccomp.ScmpSyscall(nr).GetName(); err == nil {
			names = append(names, name)
		}
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 150 {
		p := randomProfile(r, names)
		f, _ := mustCompile(t, p)
		newest := int32(newestBefore51)
		for _, s := range p.Syscalls {
			nr, _ := libseccomp.GetSyscallFromName(s.Names[0])
			newest = max(newest, int32(nr))
		}
		for _, name := range names {
			nr, _ := libseccomp.GetSyscallFromName(name)
			for range 6 {
				in := native(int(nr), randomWord(r), randomWord(r), randomWord(r), randomWord(r), randomWord(r), randomWord(r))
				want := expected(p, name, in.args, 1<<64-1)
				if int32(nr) > newest && wantsGuard(defaultVerdict(p)) {
					want = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
				}
				if got := answerOf(t, f.Program, in); got != want {
					t.Fatalf("%s%v: got %s, want %s\nof %+v", name, in.args, verdictText(got), verdictText(want), p)
				}
			}
		}
	}
}
