package systemd

import (
	"encoding/binary"
	"errors"
)

// The D-Bus wire format, as far as a client of systemd needs it (D-Bus
// Specification, "Message Protocol"). A library would do; but every command of
// the runtime, most of which never meet systemd, would pay for its package
// initialisation (0.2 ms of 1.2).
//
// A message is a header and a body, both aligned to 8 bytes:
//
//	byte    'l' or 'B': the byte order of the rest
//	byte    type: 1 call, 2 return, 3 error, 4 signal
//	byte    flags
//	byte    1, the version
//	uint32  length of the body
//	uint32  serial
//	a(yv)   fields: path, interface, member, error name, reply serial, ...
const (
	typeCall = iota + 1
	typeReturn
	typeError
	typeSignal
)

const (
	fieldPath = iota + 1
	fieldInterface
	fieldMember
	fieldErrorName
	fieldReplySerial
	fieldDestination
	fieldSender
	fieldSignature
)

// maxMessage bounds what we take from the other side; answers are short.
const maxMessage = 1 << 20

// encoder appends values in little-endian order. Alignment counts from the
// start of b, so b holds one header, or one body, and nothing before it.
type encoder struct{ b []byte }

func (e *encoder) align(n int) {
	for len(e.b)%n != 0 {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) uint32(n uint32) {
	e.align(4)
	e.b = binary.LittleEndian.AppendUint32(e.b, n)
}

func (e *encoder) uint64(n uint64) {
	e.align(8)
	e.b = binary.LittleEndian.AppendUint64(e.b, n)
}

func (e *encoder) string(s string) {
	e.uint32(uint32(len(s)))
	e.b = append(append(e.b, s...), 0)
}

func (e *encoder) signature(s string) {
	e.b = append(append(append(e.b, byte(len(s))), s...), 0)
}

// array encodes n elements that are aligned to align bytes each; their length
// in bytes goes in front, without the padding before the first.
func (e *encoder) array(n, align int, element func(i int)) {
	e.uint32(0)
	at := len(e.b) - 4
	e.align(align)
	start := len(e.b)
	for i := range n {
		element(i)
	}
	binary.LittleEndian.PutUint32(e.b[at:], uint32(len(e.b)-start))
}

// NamedString is one element of a(ss), NamedNumber of a(st).
type (
	NamedString struct{ Name, Value string }
	NamedNumber struct {
		Name  string
		Value uint64
	}
)

// variant encodes a value with its type in front. The types are those that
// unit properties have.
func (e *encoder) variant(value any) {
	switch v := value.(type) {
	case bool:
		e.signature("b")
		n := uint32(0)
		if v {
			n = 1
		}
		e.uint32(n)
	case int32:
		e.signature("i")
		e.uint32(uint32(v))
	case uint32:
		e.signature("u")
		e.uint32(v)
	case int64:
		e.signature("x")
		e.uint64(uint64(v))
	case uint64:
		e.signature("t")
		e.uint64(v)
	case string:
		e.signature("s")
		e.string(v)
	case []byte:
		e.signature("ay")
		e.array(len(v), 1, func(i int) { e.b = append(e.b, v[i]) })
	case []uint32:
		e.signature("au")
		e.array(len(v), 4, func(i int) { e.uint32(v[i]) })
	case []string:
		e.signature("as")
		e.array(len(v), 4, func(i int) { e.string(v[i]) })
	case []NamedString:
		e.signature("a(ss)")
		e.array(len(v), 8, func(i int) { e.align(8); e.string(v[i].Name); e.string(v[i].Value) })
	case []NamedNumber:
		e.signature("a(st)")
		e.array(len(v), 8, func(i int) { e.align(8); e.string(v[i].Name); e.uint64(v[i].Value) })
	default:
		panic("bug: a unit property of an unknown type")
	}
}

// properties encodes a(sv).
func (e *encoder) properties(list []Property) {
	e.array(len(list), 8, func(i int) {
		e.align(8)
		e.string(list[i].Name)
		e.variant(list[i].Value)
	})
}

// call is a method call before it has a serial.
type call struct {
	destination, path, iface, member string
	signature                        string
	body                             []byte
}

// encode gives the bytes of the message.
func (c *call) encode(serial uint32) []byte {
	var e encoder
	e.b = append(e.b, 'l', typeCall, 0, 1)
	e.uint32(uint32(len(c.body)))
	e.uint32(serial)
	fields := []struct {
		code      byte
		signature string
		value     string
	}{
		{fieldPath, "o", c.path},
		{fieldInterface, "s", c.iface},
		{fieldMember, "s", c.member},
		{fieldDestination, "s", c.destination},
		{fieldSignature, "g", c.signature},
	}
	if c.signature == "" {
		fields = fields[:len(fields)-1]
	}
	e.array(len(fields), 8, func(i int) {
		e.align(8)
		e.b = append(e.b, fields[i].code)
		e.signature(fields[i].signature)
		if fields[i].signature == "g" {
			e.signature(fields[i].value)
		} else {
			e.string(fields[i].value)
		}
	})
	e.align(8)
	return append(e.b, c.body...)
}

// message is what we read of an answer or a signal.
type message struct {
	kind        byte
	replySerial uint32
	errorName   string
	member      string
	signature   string
	body        decoder
}

var errMalformed = errors.New("malformed D-Bus message")

// messageSize returns the size of the message that begins with head, which has
// 16 bytes: up to and including the length of the header fields.
func messageSize(head []byte) (int, error) {
	order, err := byteOrder(head[0])
	if err != nil {
		return 0, err
	}
	body, fields := order.Uint32(head[4:]), order.Uint32(head[12:])
	if head[3] != 1 || body > maxMessage || fields > maxMessage {
		return 0, errMalformed
	}
	return 16 + (int(fields)+7)/8*8 + int(body), nil
}

func byteOrder(mark byte) (binary.ByteOrder, error) {
	switch mark {
	case 'l':
		return binary.LittleEndian, nil
	case 'B':
		return binary.BigEndian, nil
	}
	return nil, errMalformed
}

// decodeMessage reads a whole message.
func decodeMessage(b []byte) (*message, error) {
	if len(b) < 16 {
		return nil, errMalformed
	}
	size, err := messageSize(b)
	if err != nil || size != len(b) {
		return nil, errMalformed
	}
	order, _ := byteOrder(b[0])
	m := &message{kind: b[1]}
	end := 16 + int(order.Uint32(b[12:]))
	d := decoder{b: b[:end], at: 16, order: order}
	for d.at < end && !d.failed {
		m.field(&d)
	}
	if d.failed {
		return nil, errMalformed
	}
	m.body = decoder{b: b[(end+7)/8*8:], order: order}
	return m, nil
}

func (m *message) field(d *decoder) {
	d.align(8)
	code := d.byte()
	switch signature := d.signature(); signature {
	case "s", "o":
		text := d.string()
		switch code {
		case fieldErrorName:
			m.errorName = text
		case fieldMember:
			m.member = text
		}
	case "g":
		m.signature = d.signature()
	case "u":
		if n := d.uint32(); code == fieldReplySerial {
			m.replySerial = n
		}
	default:
		d.failed = true // no field of the specification has another type
	}
}

// decoder reads values; a read past the end sets failed and gives zero.
type decoder struct {
	b      []byte
	at     int
	order  binary.ByteOrder
	failed bool
}

func (d *decoder) take(n int) []byte {
	if d.failed || n < 0 || len(d.b)-d.at < n {
		d.failed = true
		return make([]byte, min(max(n, 0), 8))
	}
	d.at += n
	return d.b[d.at-n : d.at]
}

func (d *decoder) align(n int) { d.take((n - d.at%n) % n) }

func (d *decoder) byte() byte { return d.take(1)[0] }

func (d *decoder) uint32() uint32 {
	d.align(4)
	return d.order.Uint32(d.take(4))
}

func (d *decoder) string() string { return d.text(int(d.uint32())) }

func (d *decoder) signature() string { return d.text(int(d.byte())) }

func (d *decoder) text(n int) string {
	text := string(d.take(n))
	d.take(1) // the NUL
	if d.failed {
		return ""
	}
	return text
}
