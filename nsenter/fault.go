package nsenter

import (
	"encoding/binary"
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

func quad(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// Fault words the stage's report that it stopped at the op at address.
func (p *Program) Fault(address uint64, errno unix.Errno) error {
	at := (address - opsBase) / opSize
	if at >= uint64(len(p.ops)) {
		return &diag.Error{Op: "read the stage's report", Err: errors.New("bug: no such op")}
	}
	o, n := &p.ops[at], p.notes[at]
	e := &diag.Error{Field: n.field}
	if o.kind == kindCheck {
		e.Err = errors.New(n.meaning)
		return e
	}
	s := signatureOf(o.nr)
	e.Op, e.Path, e.Err = s.name, p.object(o, s), errno
	return e
}

// object is what the call acts on: its last path that is not empty.
func (p *Program) object(o *op, s signature) string {
	object := ""
	for i, kind := range s.args {
		if kind != 's' {
			continue
		}
		if text := p.text(o.args[i]); text != "" {
			object = text
		}
	}
	return object
}

// text reads the string at address out of the arena.
func (p *Program) text(address uint64) string {
	if address < arenaBase || address-arenaBase >= uint64(len(p.arena)) {
		return ""
	}
	s, _, _ := strings.Cut(string(p.arena[address-arenaBase:]), "\x00")
	return s
}
