package systemd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// TestEncode has an independent implementation read what we write.
func TestEncode(t *testing.T) {
	var e encoder
	e.string("x.scope")
	e.string("replace")
	values := []any{true, false, int32(-5), uint32(7), int64(-1), uint64(1 << 40), "text", []byte{1, 2, 3}, []uint32{1, 2}, []string{"a", "bc"},
		[]NamedString{{"/dev/char/1:3", "rwm"}, {"char-*", "m"}}, []NamedNumber{{"/dev/block/8:0", 5}}, []string{}, []NamedString{}}
	var list []Property
	for i, v := range values {
		list = append(list, Property{Name: string(rune('A' + i)), Value: v})
	}
	e.properties(list)
	e.array(0, 8, nil)
	c := call{managerName, managerPath, managerType, "StartTransientUnit", "ssa(sv)a(sa(sv))", e.b}
	m, err := dbus.DecodeMessage(bytes.NewReader(c.encode(42)))
	must(t, err)
	must(t, m.IsValid())
	if m.Serial() != 42 || m.Type != dbus.TypeMethodCall || m.Headers[dbus.FieldMember].Value() != "StartTransientUnit" ||
		m.Headers[dbus.FieldDestination].Value() != managerName || m.Headers[dbus.FieldPath].Value() != dbus.ObjectPath(managerPath) {
		t.Errorf("header: %+v", m.Headers)
	}
	if m.Body[0] != "x.scope" || m.Body[1] != "replace" {
		t.Errorf("body: %v", m.Body[:2])
	}
	for i, p := range m.Body[2].([][]any) {
		got := p[1].(dbus.Variant)
		plain := strings.NewReplacer("{", "[", "}", "]").Replace(fmt.Sprint(values[i])) // a struct is a list there
		if p[0] != list[i].Name || got.Signature() != dbus.SignatureOf(values[i]) || fmt.Sprint(got.Value()) != plain {
			t.Errorf("property %v: got %s %v, want %s", p[0], got.Signature(), got.Value(), plain)
		}
	}
}

// TestDecode reads what an independent implementation writes, in both byte orders.
func TestDecode(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		raw := jobRemovedIn(t, "done", order)
		m, err := decodeMessage(raw)
		must(t, err)
		if m.kind != typeSignal || m.member != "JobRemoved" || m.signature != "uoss" {
			t.Fatalf("header: %+v", m)
		}
		var c conn
		c.keep(m)
		if want := []signal{{"/job/7", "done"}}; !reflect.DeepEqual(c.signals, want) {
			t.Errorf("got %v, want %v", c.signals, want)
		}
	}
}

// jobRemoved is the signal as systemd sends it.
func jobRemoved(t testing.TB, result string) []byte {
	return jobRemovedIn(t, result, binary.LittleEndian)
}

func jobRemovedIn(t testing.TB, result string, order binary.ByteOrder) []byte {
	m := &dbus.Message{Type: dbus.TypeSignal,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldPath:      dbus.MakeVariant(dbus.ObjectPath(managerPath)),
			dbus.FieldInterface: dbus.MakeVariant(managerType),
			dbus.FieldMember:    dbus.MakeVariant("JobRemoved"),
			dbus.FieldSender:    dbus.MakeVariant(":1.1"),
			dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf(uint32(0), dbus.ObjectPath("/"), "", "")),
		},
		Body: []any{uint32(7), dbus.ObjectPath("/job/7"), "x.scope", result}}
	return encodeMessageIn(t, m, order)
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add(jobRemoved(f, "done"))
	f.Add((&call{managerName, managerPath, managerType, "StopUnit", "ss", nil}).encode(1))
	f.Add([]byte("l\x01\x00\x01\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMessage(b)
		if err != nil {
			return
		}
		var c conn
		c.keep(m)
		m.body.string()
	})
}
