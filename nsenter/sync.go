package nsenter

import "golang.org/x/sys/unix"

// A message on the status socket is 16 bytes: what happened, and a value.
//
//	{Sync, value}       the stage has reached Send, with the fds given there
//	{op address, errno} the stage has stopped at this op: a Fault
//
// A Sync is below opsBase, so the two cannot be confused.
const messageSize = 16

// Sync is a point where the stage tells the parent how far it has come. The
// caller chooses the numbers, from 1 up.
type Sync uint32

// Send reports sync to the parent together with value and descriptors. They
// arrive as Event.
func (p *Program) Send(sync Sync, value Word, fds ...FD) {
	payload := p.quads(uint64(sync), 0)
	if value != 0 {
		p.Store(value, Word(payload+8))
	}
	control, length := p.rights(fds)
	iov := p.quads(payload, messageSize)
	header := p.quads(0, 0, iov, 1, control, length, 0)
	p.do(unix.SYS_SENDMSG, p.Status(), imm(header), imm(unix.MSG_NOSIGNAL))
}

// rights lays out an SCM_RIGHTS control message, see cmsg(3), that carries fds.
func (p *Program) rights(fds []FD) (address, length uint64) {
	if len(fds) == 0 {
		return 0, 0
	}
	const header = 16
	length = header + 4*uint64(len(fds))
	address = p.quads(length, unix.SOL_SOCKET|unix.SCM_RIGHTS<<32)
	// A store copies eight bytes, so each is half overwritten by the next,
	// and the last needs four more.
	p.arena = append(p.arena, make([]byte, 4*len(fds)+4)...)
	for i, fd := range fds {
		from := Word(fd.value)
		if !fd.word {
			from = Word(p.quads(fd.value))
		}
		p.Store(from, Word(address+header+4*uint64(i)))
	}
	return address, length
}

// Receive waits for the parent's next message and puts it into b. A parent
// that is gone stops the stage.
func (p *Program) Receive(b Buffer) {
	n := p.Read(p.Status(), b)
	p.When(n, ^uint64(0), 0, func() { p.Exit(1) }, nil)
}

// ReceiveFiles waits for a message of the parent that carries n descriptors,
// sent with SendFiles, and returns where they are.
func (p *Program) ReceiveFiles(n int) []FD {
	const header = 16 // of the control message, see cmsg(3)
	control := p.Space(header + 4*n + 8)
	payload := p.Space(8)
	iov := p.quads(payload.addr, uint64(payload.size))
	message := p.quads(0, 0, iov, 1, control.addr, uint64(header+(4*n+7)&^7), 0)
	length := p.call(unix.SYS_RECVMSG, p.Status(), imm(message), imm(unix.MSG_CMSG_CLOEXEC))
	p.When(Word(length.value), ^uint64(0), 0, func() { p.Exit(1) }, nil)
	list := make([]FD, n)
	for i := range list {
		// Two descriptors share a word; the kernel looks at the lower half of
		// an argument that is one.
		list[i] = fromWord(control.word(header + 4*i))
	}
	return list
}

// Wait waits for any message of the parent.
func (p *Program) Wait() { p.Receive(p.Space(8)) }

// Status is the stage's end of the status socket.
func (p *Program) Status() FD { return Number(p.status) }

// FirstOwn is the lowest descriptor that is neither the program's nor the
// status socket: what it and those above hold is gone after execve.
func (p *Program) FirstOwn() FD { return Number(p.status + 1) }

// Accept4 waits for a connection on the listening socket fd.
func (p *Program) Accept4(fd FD) FD {
	return p.call(unix.SYS_ACCEPT4, fd, imm(0), imm(0), imm(unix.SOCK_CLOEXEC))
}
