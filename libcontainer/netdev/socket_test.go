package netdev

import (
	"bytes"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAttributes(t *testing.T) {
	b := appendString(linkHeader(7, 0, 0), unix.IFLA_IFNAME, "eth0")
	b = appendUint32(b, unix.IFLA_MASTER, 9)
	if want := (link{name: "eth0", index: 7, master: 9}); parseLink(b) != want {
		t.Errorf("got %+v, want %+v", parseLink(b), want)
	}
	if len(b)%4 != 0 {
		t.Errorf("%d bytes: attributes begin at multiples of four", len(b))
	}
}

func TestAcknowledged(t *testing.T) {
	header := make([]byte, unix.SizeofNlMsghdr)
	failed := append([]byte{0xef, 0xff, 0xff, 0xff}, header...) // -EEXIST, little-endian
	for _, body := range [][]byte{failed, appendString(failed, unix.NLMSGERR_ATTR_MSG, "why")} {
		if err := acknowledged(body); !errors.Is(err, unix.EEXIST) {
			t.Errorf("%x: %v", body, err)
		}
	}
	if err := acknowledged(make([]byte, 20)); err != nil {
		t.Error(err)
	}
}

// FuzzParse: what is cut short or makes no sense ends the loops, and nothing else.
func FuzzParse(f *testing.F) {
	f.Add(appendString(linkHeader(7, 0, 0), unix.IFLA_IFNAME, "eth0"))
	f.Add([]byte{3, 0, 0, 0})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(_ *testing.T, data []byte) {
		for m := range messages(data, 0) {
			_ = acknowledged(m.body)
		}
		if len(data) >= unix.SizeofIfInfomsg {
			_ = parseLink(data)
			_ = parseAddress(data)
		}
	})
}
