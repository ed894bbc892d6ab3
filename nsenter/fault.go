package nsenter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

func quad(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// Fault is the stage's report that it stopped. A Program that has the ops
// words it.
type Fault struct {
	Address uint64 // of the op
	Errno   unix.Errno
}

// Error implements error for a fault that nobody could word.
func (f *Fault) Error() string { return "the stage stopped: " + f.Errno.Error() }

// Unwrap returns the errno.
func (f *Fault) Unwrap() error { return f.Errno }

// Explain words f: the config field, the call, its object and the errno.
func (p *Program) Explain(f *Fault) error {
	at := (f.Address - opsBase) / opSize
	if at >= uint64(len(p.ops)) {
		return f
	}
	o, n := &p.ops[at], p.notes[at]
	e := &diag.Error{Field: n.field}
	if o.kind == kindCheck {
		e.Err = errors.New(n.meaning)
		return e
	}
	s := signatureOf(o.nr)
	e.Op, e.Path, e.Err = s.name, p.object(o, s), f.Errno
	if o.nr == unix.SYS_UNSHARE {
		e.Hint = whyRefused(uintptr(o.args[0]), f.Errno)
	}
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

// encodeNotes writes the notes for a later process: start has no Program, but
// must word the Fault of a stage that create has left waiting. Per op there is
// a 0 byte for "same as before", or a 1 byte and two NUL-terminated strings.
func (p *Program) encodeNotes() []byte {
	b := make([]byte, 0, 2048)
	last := note{}
	for _, n := range p.notes {
		if n == last {
			b = append(b, 0)
			continue
		}
		b = append(b, 1)
		b = append(append(b, n.field...), 0)
		b = append(append(b, n.meaning...), 0)
		last = n
	}
	return b
}

var errNotImage = errors.New("is not the image of a stage")

// maxImage bounds what ReadImage reads: arguments and environment of the
// program are the largest part of an image, and execve(2) takes 6 MiB of them.
const maxImage = 16 << 20

// ReadImage reads back, from /proc/PID/exe, the Program that a stage replays.
// It serves to word Faults and to List, not to Start again. The process may have
// become a program of the container's, so the file may be anything.
func ReadImage(path string) (*Program, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &diag.Error{Op: "open", Path: path, Err: err}
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxImage))
	if err != nil {
		return nil, err
	}
	p, err := decodeImage(b)
	if err != nil {
		return nil, &diag.Error{Path: path, Err: err}
	}
	return p, nil
}

// decodeImage is the other end of write.
func decodeImage(b []byte) (*Program, error) {
	if len(b) < page || string(b[:4]) != "\x7fELF" || quad(b[24:]) != textBase+textOffset {
		return nil, errNotImage
	}
	// Sizes of the second and third segment, from their program headers.
	const size = 32
	ops := quad(b[headerSize+phdrSize+size:])
	arena := quad(b[headerSize+2*phdrSize+size:])
	left := uint64(len(b))
	if ops > left || ops%opSize != 0 || arena > left || arena < wordArea {
		return nil, errNotImage
	}
	at := page + uint64(roundUp(int(ops)))
	if at+arena > left {
		return nil, errNotImage
	}
	p := &Program{arena: b[at : at+arena]}
	for i := uint64(0); i < ops; i += opSize {
		p.ops = append(p.ops, decodeOp(b[page+i:]))
	}
	p.notes = decodeNotes(b[at+arena:], len(p.ops))
	p.status = int(quad(p.arena))
	return p, nil
}

func decodeOp(b []byte) op {
	o := op{kind: kind(b[0]), words: b[1], nr: uint32(quad(b[8:])), skip: uint32(quad(b[8:]) >> 32), result: quad(b[64:])}
	copy(o.errnos[:], b[2:8])
	for i := range o.args {
		o.args[i] = quad(b[16+8*i:])
	}
	return o
}

func decodeNotes(b []byte, n int) []note {
	list := make([]note, n)
	last := note{}
	for i := range list {
		if len(b) > 0 && b[0] == 1 {
			field, rest, _ := bytes.Cut(b[1:], []byte{0})
			meaning, rest, _ := bytes.Cut(rest, []byte{0})
			last, b = note{string(field), string(meaning)}, rest
		} else if len(b) > 0 {
			b = b[1:]
		}
		list[i] = last
	}
	return list
}

// text reads the string at address out of the arena.
func (p *Program) text(address uint64) string {
	if address < arenaBase || address-arenaBase >= uint64(len(p.arena)) {
		return ""
	}
	s, _, _ := strings.Cut(string(p.arena[address-arenaBase:]), "\x00")
	return s
}
