package seccomp

import (
	"slices"

	"golang.org/x/sys/unix"
)

// libseccomp tests for each system call by itself: Docker's profile takes it
// more than 1000 instructions, which the kernel checks, translates, and runs
// once for each call it has (to find those always allowed) whenever a container
// starts. But most calls are treated as their neighbours are. compact asks the
// program what it does with every call, and writes that down as a search over
// ranges of numbers. 442 instructions are left, and loading them takes 0.08 ms;
// libseccomp's own binary tree has 1301 and takes 0.23.
//
//	(architecture, number) -> what is left to do      decide
//	ranges of numbers with the same left to do        ranges
//	binary search over the ranges                     layout
//	both programs decide the same everywhere          same
//
// What is left to do is a verdict or a test of arguments; the tests are carried
// over as they are. A program that does anything unexpected stays as it is.

// outcome is what is left to do at one instruction, once architecture and
// number are known. Equal outcomes have the same index in a decider.
type outcome struct {
	code    uint16
	k       uint32
	yes, no int // outcomes that follow: both for a jump, yes for a load or an and
}

// decider runs a program for one call without knowing its arguments.
type decider struct {
	program  []instruction
	outcomes *[]outcome      // all that were found, also by other deciders
	known    map[outcome]int // and their indexes
	call     [2]uint32       // number and architecture, as in struct seccomp_data
	memo     map[int]int     // outcomes of instructions while the accumulator is an argument
	failed   bool
}

// decide is the outcome of a call.
func (d *decider) decide(number, arch uint32) int {
	d.call = [2]uint32{number, arch}
	clear(d.memo)
	return d.fixed(0, 0) // the kernel starts with an accumulator of 0
}

// fixed is the outcome at an instruction, with a known accumulator.
func (d *decider) fixed(pc int, accumulator uint32) int {
	for pc < len(d.program) {
		in := &d.program[pc]
		pc++
		switch in.code {
		case opReturn:
			return d.outcome(outcome{code: opReturn, k: in.k})
		case opLoad:
			if in.k != offsetNumber && in.k != offsetArch {
				return d.outcome(outcome{code: opLoad, k: in.k, yes: d.open(pc)})
			}
			accumulator = d.call[in.k/4]
		case opAlways:
			pc += int(in.k)
		case opEqual, opGreater, opAtLeast, opAnyBit:
			pc += in.taken(accumulator)
		default:
			return d.fail() // ranges cannot tell what arithmetic does
		}
	}
	return d.fail()
}

// open is the outcome at an instruction, with an argument in the accumulator.
func (d *decider) open(pc int) int {
	if id, ok := d.memo[pc]; ok {
		return id
	}
	id := d.openStep(pc)
	d.memo[pc] = id
	return id
}

func (d *decider) openStep(pc int) int {
	if pc >= len(d.program) {
		return d.fail()
	}
	switch in := &d.program[pc]; in.code {
	case opReturn, opLoad:
		return d.fixed(pc, 0) // whatever it held is overwritten or not looked at
	case opAlways:
		return d.open(pc + 1 + int(in.k))
	case opAnd:
		return d.outcome(outcome{code: opAnd, k: in.k, yes: d.open(pc + 1)})
	case opEqual, opGreater, opAtLeast, opAnyBit:
		return d.outcome(outcome{in.code, in.k, d.open(pc + 1 + in.jt), d.open(pc + 1 + in.jf)})
	}
	return d.fail()
}

func (d *decider) fail() int {
	d.failed = true
	return 0
}

func (d *decider) outcome(o outcome) int {
	id, ok := d.known[o]
	if !ok {
		id = len(*d.outcomes)
		*d.outcomes = append(*d.outcomes, o)
		d.known[o] = id
	}
	return id
}

// taken is how far a comparison with a known value jumps.
func (in *instruction) taken(value uint32) int {
	yes := false
	switch in.code {
	case opEqual:
		yes = value == in.k
	case opGreater:
		yes = value > in.k
	case opAtLeast:
		yes = value >= in.k
	case opAnyBit:
		yes = value&in.k != 0
	}
	if yes {
		return in.jt
	}
	return in.jf
}

// questions are the constants a program compares architecture and number with.
// Between two neighbouring numbers nothing changes.
type questions struct {
	archs   []uint32
	numbers []uint32 // first of each range, ascending; begins with 0
	failed  bool
}

// holds is what the accumulator may hold at an instruction, as a set.
type holds uint8

const (
	holdsArch holds = 1 << iota
	holdsNumber
	holdsArgument
)

// ask collects the questions of all programs together. Jumps go forward only,
// so one pass meets every instruction after all that lead to it.
func ask(programs ...[]instruction) questions {
	q := questions{numbers: []uint32{0}}
	for _, program := range programs {
		reached := make([]holds, len(program)+1)
		flow := func(to int, h holds) {
			if to >= len(program) {
				q.failed = true
				return
			}
			reached[to] |= h
		}
		for pc, in := range program {
			h := reached[pc]
			switch in.code {
			case opReturn:
			case opLoad:
				flow(pc+1, loaded(in.k))
			case opAlways:
				flow(pc+1+int(in.k), h)
			case opAnd:
				flow(pc+1, h)
			default:
				q.compare(in, h)
				flow(pc+1+in.jt, h)
				flow(pc+1+in.jf, h)
			}
		}
	}
	slices.Sort(q.numbers)
	q.numbers = slices.Compact(q.numbers)
	return q
}

func loaded(offset uint32) holds {
	switch offset {
	case offsetNumber:
		return holdsNumber
	case offsetArch:
		return holdsArch
	}
	return holdsArgument
}

func (q *questions) compare(in instruction, h holds) {
	if h&holdsArch != 0 {
		if in.code != opEqual {
			q.failed = true // architectures have no order
		}
		if !slices.Contains(q.archs, in.k) {
			q.archs = append(q.archs, in.k)
		}
	}
	if h&holdsNumber == 0 {
		return
	}
	if in.code == opAnyBit {
		q.failed = true
	}
	if in.code != opGreater {
		q.numbers = append(q.numbers, in.k)
	}
	if in.code != opAtLeast && in.k != 1<<32-1 {
		q.numbers = append(q.numbers, in.k+1)
	}
}

// other is an architecture the program does not ask for.
func (q *questions) other() uint32 {
	for arch := uint32(0); ; arch++ {
		if !slices.Contains(q.archs, arch) {
			return arch
		}
	}
}

// span is a range of numbers, up to the next one's first, with one outcome.
type span struct {
	first   uint32
	outcome int
}

// ranges decides every call of an architecture.
func (d *decider) ranges(arch uint32, numbers []uint32) []span {
	var spans []span
	for _, number := range numbers {
		id := d.decide(number, arch)
		if len(spans) == 0 || spans[len(spans)-1].outcome != id {
			spans = append(spans, span{number, id})
		}
	}
	return spans
}

// compact returns a program that decides the same by binary search, or program
// itself.
func compact(program []byte) []byte {
	old := parse(program)
	q := ask(old)
	d := decider{program: old, outcomes: new([]outcome), known: map[outcome]int{}, memo: map[int]int{}}
	archs := make([][]span, 0, len(q.archs))
	for _, arch := range q.archs {
		archs = append(archs, d.ranges(arch, q.numbers))
	}
	others := d.ranges(q.other(), q.numbers)
	if q.failed || d.failed {
		return program
	}
	l := layout{outcomes: d.outcomes, placed: map[int]int{}}
	next := l.search(others)
	for i := len(archs) - 1; i >= 0; i-- { // backwards, so the native one is asked for first
		next = l.jump(opEqual, q.archs[i], l.search(archs[i]), next)
	}
	l.follow(opLoad, offsetArch, next)
	compacted := l.program()
	if len(compacted) > unix.BPF_MAXINSNS || !same(&d, old, compacted) {
		return program
	}
	return assemble(compacted)
}

// same proves that two programs decide every call alike. It asks all questions
// of both, so it does not matter how the second one was made.
func same(d *decider, a, b []instruction) bool {
	q := ask(a, b)
	if q.failed {
		return false
	}
	second := decider{program: b, outcomes: d.outcomes, known: d.known, memo: map[int]int{}}
	for _, arch := range append(q.archs, q.other()) {
		for _, number := range q.numbers {
			if d.decide(number, arch) != second.decide(number, arch) {
				return false
			}
		}
	}
	return !d.failed && !second.failed
}
