package seccomp

import (
	"bytes"
	"math/rand/v2"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// randomProgram has the shape of a filter, and no sense.
func randomProgram(r *rand.Rand, size int) []instruction {
	archs := []uint32{unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386}
	program := []instruction{{code: opLoad, k: offsetArch}}
	number := false // what the accumulator most likely holds
	for len(program) < size {
		left := size - len(program) // behind this one come left-1, then two returns
		forward := func() int { return r.IntN(min(left+1, 30)) }
		switch n := r.IntN(20); {
		case n < 3:
			program = append(program, instruction{code: opLoad, k: offsetNumber})
			number = true
		case n < 5:
			program = append(program, instruction{code: opLoad, k: 16 + 4*uint32(r.IntN(4))})
			number = true // as good as one
		case n < 6:
			program = append(program, instruction{code: opAlways, k: uint32(r.IntN(min(left+1, 5)))})
		case n < 8:
			program = append(program, instruction{code: opReturn, k: unix.SECCOMP_RET_ERRNO | uint32(r.IntN(3))})
		case !number:
			program = append(program, instruction{code: opEqual, k: archs[r.IntN(2)], jt: forward(), jf: forward()})
		default:
			code := []uint16{opEqual, opGreater, opAtLeast}[r.IntN(3)]
			program = append(program, instruction{code: code, k: uint32(r.IntN(12)), jt: forward(), jf: forward()})
		}
	}
	return append(program, instruction{code: opReturn, k: allowed}, instruction{code: opReturn, k: unix.SECCOMP_RET_LOG})
}

const allowed = unix.SECCOMP_RET_ALLOW

// sampleCalls are on both sides of every comparison a random program can make.
func sampleCalls(r *rand.Rand) []call {
	var calls []call
	for _, arch := range []uint32{unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_AARCH64} {
		for number := range uint32(14) {
			c := call{number: number, arch: arch}
			for i := range c.args {
				c.args[i] = uint64(r.IntN(13)) | uint64(r.IntN(13))<<32
			}
			calls = append(calls, c)
		}
		calls = append(calls, call{number: 1<<32 - 1, arch: arch})
	}
	return calls
}

func TestCompactKeepsTheMeaning(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	shorter := 0
	for range 3000 {
		list := randomProgram(r, 5+r.IntN(120))
		program := assemble(list)
		compacted := compact(program)
		if len(compacted) < len(program) {
			shorter++
		}
		for _, c := range sampleCalls(r) {
			if want, got := answerOf(t, program, c), answerOf(t, compacted, c); got != want {
				t.Fatalf("%+v: got %s, want %s\nof     %v\nbecame %v", c, verdictText(got), verdictText(want), list, parse(compacted))
			}
		}
	}
	if shorter < 1000 {
		t.Errorf("only %d of 3000 programs became shorter", shorter)
	}
}

// Long jumps: more than 255 ranges, and tests of arguments far from them.
func TestCompactOfALongProgram(t *testing.T) {
	var list []instruction
	for n := range uint32(900) { // every third call differs, with 7 verdicts and some tests of arguments
		verdict := uint32(unix.SECCOMP_RET_ERRNO | n%7)
		if n%10 == 5 {
			list = append(list, instruction{code: opEqual, k: 3 * n, jf: 5}, instruction{code: opLoad, k: 16},
				instruction{code: opAnd, k: 0xff}, instruction{code: opAnyBit, k: n, jf: 1},
				instruction{code: opReturn, k: verdict}, instruction{code: opReturn, k: unix.SECCOMP_RET_LOG})
			continue
		}
		list = append(list, instruction{code: opEqual, k: 3 * n, jf: 1}, instruction{code: opReturn, k: verdict})
	}
	list = append([]instruction{{code: opLoad, k: offsetArch}, {code: opEqual, k: unix.AUDIT_ARCH_X86_64, jt: 1},
		{code: opReturn, k: unix.SECCOMP_RET_KILL_THREAD}, {code: opLoad, k: offsetNumber}}, list...)
	program := assemble(append(list, instruction{code: opReturn, k: allowed}))
	compacted := compact(program)
	if bytes.Equal(compacted, program) {
		t.Error("not compacted")
	}
	for n := range uint32(2800) {
		for _, arg := range []uint64{0, 5, 0xff, 0x100, 1 << 40} {
			c := call{number: n, arch: unix.AUDIT_ARCH_X86_64, args: [6]uint64{arg}}
			if want, got := answerOf(t, program, c), answerOf(t, compacted, c); got != want {
				t.Fatalf("%+v: got %s, want %s", c, verdictText(got), verdictText(want))
			}
		}
	}
}

// The proof must not accept a program that differs in any call.
func TestSameSeesEveryDifference(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	differences := 0
	for range 2000 {
		list := randomProgram(r, 5+r.IntN(60))
		changed := bytes.Clone(assemble(list))
		i := r.IntN(len(list))
		switch at := i * instructionSize; r.IntN(3) {
		case 0:
			changed[at+4] ^= 1 << r.IntN(3) // k, at the lowest byte of a little-endian machine
		case 1:
			changed[at+2], changed[at+3] = changed[at+3], changed[at+2] // the targets
		default:
			copy(changed[at:], assemble([]instruction{{code: opReturn, k: 77}}))
		}
		if !equalOnSamples(t, assemble(list), changed, sampleCalls(r)) {
			differences++
			d := decider{program: list, outcomes: new([]outcome), known: map[outcome]int{}, memo: map[int]int{}}
			if same(&d, list, parse(changed)) {
				t.Fatalf("%v\nis taken for\n%v", parse(changed), list)
			}
		}
	}
	if differences < 200 {
		t.Errorf("only %d changes made a difference", differences)
	}
}

func equalOnSamples(t *testing.T, a, b []byte, calls []call) bool {
	for _, c := range calls {
		want := answerOf(t, a, c)
		if got, err := interpret(b, c); err != nil || got != want {
			return false
		}
	}
	return true
}

// What compact does not understand, it leaves alone.
func TestCompactLeavesAlone(t *testing.T) {
	padding := make([]instruction, 20)
	for i := range padding {
		padding[i] = instruction{code: opEqual, k: uint32(i)}
	}
	end := []instruction{{code: opReturn, k: allowed}}
	for name, first := range map[string][]instruction{
		"scratch memory":               {{code: opLoad, k: 16}, {code: unix.BPF_ST, k: 1}},
		"arithmetic on the number":     {{code: opLoad, k: offsetNumber}, {code: opAnd, k: 1}},
		"a bit of the number":          {{code: opLoad, k: offsetNumber}, {code: opAnyBit, k: 1}},
		"an order of architectures":    {{code: opLoad, k: offsetArch}, {code: opGreater, k: 1}},
		"the accumulator as verdict":   {{code: opLoad, k: 16}, {code: opEqual, k: 1, jt: 1}, {code: unix.BPF_RET | unix.BPF_A}},
		"a jump behind the end":        {{code: opLoad, k: 16}, {code: opEqual, k: 1, jt: 200}},
		"a long jump behind the end":   {{code: opAlways, k: 1 << 30}},
		"nothing at all":               nil,
		"an argument that is a number": {{code: opLoad, k: 16}, {code: unix.BPF_ALU | unix.BPF_ADD, k: 1}},
	} {
		program := assemble(append(append(first, padding...), end...))
		if name == "nothing at all" {
			program = nil
		}
		if got := compact(program); !bytes.Equal(got, program) {
			t.Errorf("%s: became %v", name, parse(got))
		}
	}
}

func TestDockerProfileIsCompact(t *testing.T) {
	f, _ := mustCompile(t, dockerProfile(t))
	if n := f.Instructions(); n > 500 {
		t.Errorf("%d instructions", n)
	}
}

func BenchmarkCompileDocker(b *testing.B) {
	p := dockerProfile(b)
	for b.Loop() {
		mustCompile(b, p)
	}
}

// All that libseccomp makes of these is understood.
func TestCompactUnderstandsLibseccomp(t *testing.T) {
	requireEnabled(t)
	for _, op := range Operators() {
		p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32}}
		for i, name := range []string{"prctl", "clone", "socket", "ioctl", "fcntl", "personality"} {
			p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{Names: []string{name, "read", "write", "close"}, Action: specs.ActAllow,
				Args: []specs.LinuxSeccompArg{{Index: uint(i), Op: specs.LinuxSeccompOperator(op), Value: uint64(i) << 33, ValueTwo: 1 << 33},
					{Index: uint(i+1) % 6, Op: specs.OpEqualTo, Value: 7}}})
		}
		f, _ := mustCompile(t, p)
		if again := compact(f.Program); len(again) > len(f.Program) {
			t.Errorf("%s: grows", op)
		}
		q := ask(parse(f.Program))
		if q.failed {
			t.Errorf("%s: not understood", op)
		}
	}
}
