package netdev

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// link is what there is to know of a device before it moves.
type link struct {
	name   string
	index  int32
	flags  uint32 // IFF_*
	master uint32 // index of the bridge or bond it is part of; 0 for none
}

// A message about links is a struct ifinfomsg and attributes, rtnetlink(7):
//
//	family u8, pad u8, type u16, index i32, flags u32, change u32
func linkHeader(index int32, flags, change uint32) []byte {
	b := make([]byte, 0, 64)
	b = append(b, unix.AF_UNSPEC, 0, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = binary.NativeEndian.AppendUint32(b, flags)
	return binary.NativeEndian.AppendUint32(b, change)
}

// find returns the device called name; ENODEV when there is none.
func (s *socket) find(name string) (link, error) {
	b := appendString(linkHeader(0, 0, 0), unix.IFLA_IFNAME, name)
	answers, err := s.ask(unix.RTM_GETLINK, 0, b)
	if err != nil {
		return link{}, err
	}
	for _, a := range answers {
		if a.kind == unix.RTM_NEWLINK && len(a.body) >= unix.SizeofIfInfomsg {
			return parseLink(a.body), nil
		}
	}
	return link{}, unix.ENODEV
}

func parseLink(body []byte) link {
	l := link{index: int32(binary.NativeEndian.Uint32(body[4:])), flags: binary.NativeEndian.Uint32(body[8:])}
	for kind, value := range attributes(body[unix.SizeofIfInfomsg:]) {
		switch {
		case kind == unix.IFLA_IFNAME && len(value) > 0:
			l.name = string(value[:len(value)-1]) // without its NUL
		case kind == unix.IFLA_MASTER && len(value) >= 4:
			l.master = binary.NativeEndian.Uint32(value)
		}
	}
	return l
}

// send moves a device to another network namespace, under a name that is free
// there.
func (s *socket) send(index int32, namespace int, name string) error {
	b := appendUint32(linkHeader(index, 0, 0), unix.IFLA_NET_NS_FD, uint32(namespace))
	return s.do(unix.RTM_SETLINK, appendString(b, unix.IFLA_IFNAME, name))
}

// rename names a device. For "%d" the kernel puts the first free number.
func (s *socket) rename(index int32, name string) error {
	return s.do(unix.RTM_SETLINK, appendString(linkHeader(index, 0, 0), unix.IFLA_IFNAME, name))
}

func (s *socket) up(index int32) error {
	return s.do(unix.RTM_SETLINK, linkHeader(index, unix.IFF_UP, unix.IFF_UP))
}

func (s *socket) enslave(index int32, master uint32) error {
	return s.do(unix.RTM_SETLINK, appendUint32(linkHeader(index, 0, 0), unix.IFLA_MASTER, master))
}
