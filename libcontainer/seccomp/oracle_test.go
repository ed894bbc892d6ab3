//go:build cgo && !seccomp_helper

package seccomp

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
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
	return v&c.Value == c.ValueTwo
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
