package netdev

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// address is one of a device's, ready to be added again.
type address struct {
	family, prefix byte
	flags          uint32 // IFA_F_*
	attributes     []byte // those that come from who has added it
}

// lost are flags that tell of the address's past on the device that it leaves.
const lost = unix.IFA_F_PERMANENT | unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED | unix.IFA_F_DEPRECATED |
	unix.IFA_F_SECONDARY | unix.IFA_F_OPTIMISTIC

// attributeProto is IFA_PROTO of linux/if_addr.h, who has added the address;
// kernels before 5.18 ignore it.
const attributeProto = 11

// addresses lists the permanent addresses of global scope, of every family:
// those that config-linux.md#network-devices wants kept. The others the kernel
// makes up again, or a daemon of the host does.
func (s *socket) addresses(index int32) ([]address, error) {
	// struct ifaddrmsg: family u8, prefixlen u8, flags u8, scope u8, index u32
	answers, err := s.ask(unix.RTM_GETADDR, unix.NLM_F_DUMP, make([]byte, unix.SizeofIfAddrmsg))
	if err != nil {
		return nil, err
	}
	var list []address
	for _, a := range answers {
		if a.kind != unix.RTM_NEWADDR || len(a.body) < unix.SizeofIfAddrmsg {
			continue
		}
		if binary.NativeEndian.Uint32(a.body[4:]) != uint32(index) || a.body[3] != unix.RT_SCOPE_UNIVERSE {
			continue
		}
		if address := parseAddress(a.body); address.flags&unix.IFA_F_PERMANENT != 0 {
			list = append(list, address)
		}
	}
	return list, nil
}

func parseAddress(body []byte) address {
	a := address{family: body[0], prefix: body[1], flags: uint32(body[2])}
	for kind, value := range attributes(body[unix.SizeofIfAddrmsg:]) {
		switch kind {
		case unix.IFA_FLAGS:
			if len(value) >= 4 {
				a.flags = binary.NativeEndian.Uint32(value)
			}
		case unix.IFA_LOCAL, unix.IFA_ADDRESS, unix.IFA_BROADCAST, unix.IFA_RT_PRIORITY, attributeProto, unix.IFA_CACHEINFO:
			a.attributes = appendAttribute(a.attributes, kind, value)
		}
	}
	return a
}

// addAll gives a device addresses, in their order: the first of a subnet is its
// primary one.
func (s *socket) addAll(index int32, list []address) error {
	for _, a := range list {
		b := []byte{a.family, a.prefix, 0, unix.RT_SCOPE_UNIVERSE}
		b = binary.NativeEndian.AppendUint32(b, uint32(index))
		b = append(b, a.attributes...)
		b = appendUint32(b, unix.IFA_FLAGS, a.flags&^lost)
		if err := s.do(unix.RTM_NEWADDR, b, unix.NLM_F_CREATE, unix.NLM_F_EXCL); err != nil {
			return &diag.Error{Op: "keep its address", Err: err}
		}
	}
	return nil
}
