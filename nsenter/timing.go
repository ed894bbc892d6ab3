package nsenter

import (
	"time"

	"golang.org/x/sys/unix"
)

// timing is where a Program that is timed notes the time before each call.
type timing struct {
	slots Buffer // a struct timespec for each of calls
	calls []int  // the ops
}

// maxTimed bounds the calls that are timed; a program is half as long.
const maxTimed = 1024

// Time makes the stage note the time before every call that is recorded from
// here on, by a call of its own, until Noted. The clock is CLOCK_REALTIME: the
// others are not the parent's in a time namespace, time_namespaces(7).
func (p *Program) Time() { p.timing = &timing{slots: p.Space(16 * maxTimed)} }

// tick notes the time.
func (p *Program) tick() {
	t := p.timing
	if t == nil || len(t.calls) == maxTimed {
		return
	}
	slot := t.slots.addr + 16*uint64(len(t.calls))
	p.record(op{kind: kindCall, nr: unix.SYS_CLOCK_GETTIME, result: uint64(scratch),
		args: [6]uint64{unix.CLOCK_REALTIME, slot}}, "")
	t.calls = append(t.calls, len(p.ops))
}

// Noted has the stage write what it has noted to file, for Calls to read, and
// ends the noting.
func (p *Program) Noted(file FD) {
	p.tick()
	t := p.timing
	p.timing, p.timed = nil, t
	p.do(unix.SYS_PWRITE64, file, imm(t.slots.addr), imm(16*len(t.calls)), imm(0))
}

// Timed is one call that the stage has made.
type Timed struct {
	Call  string // as in a listing
	Field string // what was set by At
	Start time.Time
	End   time.Time
}

// Calls returns the calls that the stage has made, in order, from the file that
// it wrote its notes to. The last one, which is that writing, is left out.
func (p *Program) Calls(fd int) ([]Timed, error) {
	notes := make([]byte, 16*len(p.timed.calls))
	if n, err := unix.Pread(fd, notes, 0); err != nil || n != len(notes) {
		return nil, err
	}
	l := lister{Program: p, names: map[uint64]string{}}
	var list []Timed
	for i, op := range p.timed.calls {
		seconds, ns := quad(notes[16*i:]), quad(notes[16*i+8:])
		if seconds == 0 {
			continue // skipped
		}
		at := time.Unix(int64(seconds), int64(ns))
		if last := len(list) - 1; last >= 0 {
			list[last].End = at
		}
		list = append(list, Timed{Call: l.call(&p.ops[op]), Field: p.notes[op].field, Start: at})
	}
	return list[:max(len(list)-1, 0)], nil
}
