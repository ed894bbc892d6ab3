package seccomp

import "slices"

// reach is how far a comparison may jump when the next one is placed: eight
// bits, less room for the detours of its two targets.
const reach = 250

// layout writes instructions down from the last one to the first. Jumps go
// forward only, so every target is in place before the jump to it, and its
// distance is known. A label is the number of instructions from its own to the
// end of the program.
type layout struct {
	outcomes  *[]outcome
	backwards []instruction
	placed    map[int]int // labels of outcomes
}

// search places the choice between spans, and returns its label.
func (l *layout) search(spans []span) int {
	root := l.tree(spans)
	if len(spans) == 1 {
		return root
	}
	return l.follow(opLoad, offsetNumber, root)
}

// tree is search with the number in the accumulator.
func (l *layout) tree(spans []span) int {
	if len(spans) == 1 {
		return l.outcome(spans[0].outcome)
	}
	if fewExceptions(spans) {
		label := l.outcome(spans[0].outcome)
		for i := len(spans) - 2; i > 0; i -= 2 {
			label = l.jump(opEqual, spans[i].first, l.outcome(spans[i].outcome), label)
		}
		return label
	}
	middle := len(spans) / 2
	upper := l.tree(spans[middle:])
	lower := l.tree(spans[:middle])
	return l.jump(opAtLeast, spans[middle].first, upper, lower)
}

// fewExceptions reports whether at most three single numbers differ from all
// around them. To ask for each of them is shorter than to search.
func fewExceptions(spans []span) bool {
	if len(spans)%2 == 0 || len(spans) > 7 {
		return false
	}
	for i := 1; i < len(spans); i += 2 {
		if spans[i].first+1 != spans[i+1].first || spans[i+1].outcome != spans[0].outcome {
			return false
		}
	}
	return true
}

// outcome places an outcome and all that follow it, unless they are.
func (l *layout) outcome(id int) int {
	if label, ok := l.placed[id]; ok {
		return label
	}
	o := (*l.outcomes)[id]
	label := 0
	switch o.code {
	case opReturn:
		label = l.place(instruction{code: opReturn, k: o.k})
	case opLoad, opAnd:
		label = l.follow(o.code, o.k, l.outcome(o.yes))
	default:
		no := l.outcome(o.no)
		label = l.jump(o.code, o.k, l.outcome(o.yes), no)
	}
	l.placed[id] = label
	return label
}

func (l *layout) place(in instruction) int {
	l.backwards = append(l.backwards, in)
	return len(l.backwards)
}

// distance is what an instruction placed now has to jump over.
func (l *layout) distance(label int) int { return len(l.backwards) - label }

// near returns a label within reach that is as good as the given one. Label 0,
// behind the end, is only used by programs that reach from end to end.
func (l *layout) near(label int) int {
	if l.distance(label) <= reach || label == 0 {
		return label
	}
	if in := l.backwards[label-1]; in.code == opReturn {
		return l.place(in)
	}
	return l.detour(label)
}

// detour places an unconditional jump, which can go anywhere.
func (l *layout) detour(label int) int {
	return l.place(instruction{code: opAlways, k: uint32(l.distance(label))})
}

// jump places a comparison.
func (l *layout) jump(code uint16, k uint32, yes, no int) int {
	yes, no = l.near(yes), l.near(no)
	return l.place(instruction{code: code, k: k, jt: l.distance(yes), jf: l.distance(no)})
}

// follow places an instruction that goes on with the next one.
func (l *layout) follow(code uint16, k uint32, next int) int {
	if l.distance(next) != 0 {
		l.detour(next)
	}
	return l.place(instruction{code: code, k: k})
}

func (l *layout) program() []instruction {
	program := slices.Clone(l.backwards)
	slices.Reverse(program)
	return program
}
