package netdev

import (
	"encoding/binary"
	"iter"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// socket is a netlink(7) socket. It stays in the network namespace in which it
// was made.
type socket struct {
	fd       int
	sequence uint32
}

// dial makes a socket in a network namespace, and returns to the one at home.
// Network namespaces are per thread. One that cannot return is not let go of,
// and so ends with its goroutine.
func dial(namespace, home int) (*socket, error) {
	runtime.LockOSThread()
	if namespace != home {
		if err := unix.Setns(namespace, unix.CLONE_NEWNET); err != nil {
			runtime.UnlockOSThread()
			return nil, &diag.Error{Field: "linux.netDevices", Op: "setns", Err: err}
		}
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if namespace != home {
		if back := unix.Setns(home, unix.CLONE_NEWNET); back != nil {
			return nil, &diag.Error{Field: "linux.netDevices", Op: "setns", Err: back}
		}
	}
	runtime.UnlockOSThread()
	if err != nil {
		return nil, &diag.Error{Field: "linux.netDevices", Op: "socket", Path: "NETLINK_ROUTE", Err: err}
	}
	// Why, in the kernel's words; older kernels have none.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	// The kernel answers at once. Should it not, that is no reason to hang.
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10})
	return &socket{fd: fd}, nil
}

func (s *socket) close() { unix.Close(s.fd) }

// message is one that the kernel has sent.
type message struct {
	kind uint16
	body []byte
}

// do sends a request that is answered by success or an error.
func (s *socket) do(kind uint16, body []byte, flags ...uint16) error {
	var all uint16
	for _, f := range flags {
		all |= f
	}
	_, err := s.ask(kind, all|unix.NLM_F_ACK, body)
	return err
}

// ask sends a request and returns the answers to it. The kernel ends them with
// NLMSG_DONE if asked for a dump, with NLMSG_ERROR if asked to acknowledge, or
// sends just one.
//
//	struct nlmsghdr: length u32, type u16, flags u16, sequence u32, port u32
func (s *socket) ask(kind, flags uint16, body []byte) ([]message, error) {
	s.sequence++
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags|unix.NLM_F_REQUEST)
	b = binary.NativeEndian.AppendUint32(b, s.sequence)
	b = append(b, 0, 0, 0, 0)
	if err := unix.Sendto(s.fd, append(b, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	more := flags&(unix.NLM_F_ACK|unix.NLM_F_DUMP) != 0
	var answers []message
	for {
		packet, err := s.receive()
		if err != nil {
			return nil, err
		}
		for m := range messages(packet, s.sequence) {
			switch m.kind {
			case unix.NLMSG_ERROR:
				return answers, acknowledged(m.body)
			case unix.NLMSG_DONE:
				return answers, nil
			}
			if answers = append(answers, m); !more {
				return answers, nil
			}
		}
	}
}

// receive returns one packet, whole.
func (s *socket) receive() ([]byte, error) {
	for {
		size, _, err := unix.Recvfrom(s.fd, nil, unix.MSG_PEEK|unix.MSG_TRUNC)
		if err == nil {
			packet := make([]byte, size)
			size, _, err = unix.Recvfrom(s.fd, packet, 0)
			if err == nil {
				return packet[:size], nil
			}
		}
		if err != unix.EINTR {
			return nil, err
		}
	}
}

// messages yields the messages of a packet that answer the request sequence.
func messages(packet []byte, sequence uint32) iter.Seq[message] {
	return func(yield func(message) bool) {
		for len(packet) >= unix.SizeofNlMsghdr {
			length := int(binary.NativeEndian.Uint32(packet))
			if length < unix.SizeofNlMsghdr || length > len(packet) {
				return
			}
			m := message{binary.NativeEndian.Uint16(packet[4:]), packet[unix.SizeofNlMsghdr:length]}
			if binary.NativeEndian.Uint32(packet[8:]) == sequence && !yield(m) {
				return
			}
			packet = packet[min(align(length), len(packet)):]
		}
	}
}

// acknowledged reads a struct nlmsgerr: errno i32, the request's header, and
// since Linux 4.12 attributes, one of which words the error.
func acknowledged(body []byte) error {
	if len(body) < 4 {
		return unix.EBADMSG
	}
	errno := -int32(binary.NativeEndian.Uint32(body))
	if errno == 0 {
		return nil
	}
	if len(body) > 4+unix.SizeofNlMsghdr {
		for kind, value := range attributes(body[4+unix.SizeofNlMsghdr:]) {
			if kind == unix.NLMSGERR_ATTR_MSG {
				return &diag.Error{Err: unix.Errno(errno), Hint: strings.TrimRight(string(value), "\x00")}
			}
		}
	}
	return unix.Errno(errno)
}

// typeMask leaves out two flags of an attribute's type, NLA_TYPE_MASK in
// linux/netlink.h.
const typeMask = 0x3fff

// attributes yields those of a struct rtattr list: length u16, type u16, value.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			length := int(binary.NativeEndian.Uint16(b))
			if length < unix.SizeofRtAttr || length > len(b) {
				return
			}
			if !yield(binary.NativeEndian.Uint16(b[2:])&typeMask, b[unix.SizeofRtAttr:length]) {
				return
			}
			b = b[min(align(length), len(b)):]
		}
	}
}

func appendAttribute(b []byte, kind uint16, value []byte) []byte {
	length := unix.SizeofRtAttr + len(value)
	b = binary.NativeEndian.AppendUint16(b, uint16(length))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, align(length)-length)...)
}

func appendUint32(b []byte, kind uint16, value uint32) []byte {
	return appendAttribute(b, kind, binary.NativeEndian.AppendUint32(nil, value))
}

func appendString(b []byte, kind uint16, value string) []byte {
	return appendAttribute(b, kind, append([]byte(value), 0))
}

// align rounds up to the four bytes at which netlink begins things.
func align(length int) int { return (length + 3) &^ 3 }
