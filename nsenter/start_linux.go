package nsenter

import (
	"errors"
	"io"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
)

// Options say how the stage is born.
type Options struct {
	Args       []string // its command line, for ps(1); the stage does not read it
	CloneFlags uintptr  // CLONE_NEW*: namespaces it is born in
	Cgroup     int      // directory of the cgroup v2 it is born in; -1: the parent's
	Stdio      [3]int   // descriptors of ours that become its 0, 1, 2
}

// Stage is a running stage, a child of the calling process.
type Stage struct {
	Pid     int // in the runtime namespace
	PidFD   int // close-on-exec; closed by Close
	status  int
	program *Program
	fault   *Fault // what stopped it
}

// ErrTimeout is returned by Next when the stage did not answer in time.
var ErrTimeout = errors.New("timed out")

// ErrInterrupted is returned by NextUnless.
var ErrInterrupted = errors.New("interrupted")

// Start builds the image of p and starts it with one fork and exec. The
// descriptors given to p may be closed afterwards.
func (p *Program) Start(o Options) (*Stage, error) {
	if p.err != nil {
		return nil, p.err
	}
	p.Exit(127) // in case the recording has no end of its own
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, &diag.Error{Op: "socketpair", Err: err}
	}
	defer unix.Close(pair[1])
	files := p.files(o.Stdio, pair[1])
	image, name, err := p.image()
	if err == nil {
		image, err = clearOf(image, files)
	}
	if err != nil {
		unix.Close(pair[0])
		return nil, err
	}
	defer unix.Close(image)
	s := &Stage{PidFD: -1, status: pair[0], program: p}
	attr := &syscall.ProcAttr{
		Files: files,
		Sys: &syscall.SysProcAttr{
			Cloneflags:  o.CloneFlags,
			PidFD:       &s.PidFD,
			UseCgroupFD: o.Cgroup >= 0,
			CgroupFD:    o.Cgroup,
		},
	}
	if o.CloneFlags&unix.CLONE_NEWUSER != 0 {
		attr.Sys.AmbientCaps = allCapabilities()
	}
	s.Pid, err = sys.ForkExec("/proc/self/fd/"+strconv.Itoa(image)+name, o.Args, attr)
	if err != nil {
		unix.Close(pair[0])
		return nil, diag.Explained(&diag.Error{Op: "clone", Path: flagNames(o.CloneFlags), Err: err, Hint: whyRefused(o.CloneFlags, err)})
	}
	return s, nil
}

// allCapabilities lists those that the kernel knows. The clone gets them all in
// its new user namespace, but has no id there before the mappings are written.
// So its execve into the stage would take them away, but for ambient ones: see
// capabilities(7).
func allCapabilities() []uintptr {
	list := make([]uintptr, 0, 64)
	for c := range uintptr(64) {
		if _, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0); err != nil {
			break
		}
		list = append(list, c)
	}
	return list
}

// files lists our descriptors in the order of the stage's numbers.
func (p *Program) files(stdio [3]int, status int) []uintptr {
	list := make([]uintptr, 0, p.status+1+len(p.given))
	for _, fd := range stdio {
		list = append(list, uintptr(fd))
	}
	for fd := 3; fd < p.status; fd++ {
		list = append(list, uintptr(fd)) // preserved: same number on both sides
	}
	list = append(list, uintptr(status))
	for _, f := range p.given {
		list = append(list, uintptr(f.fd))
	}
	return list
}

// Event is what the stage reported with Send.
type Event struct {
	Sync  Sync
	Value uint64
	Files []int // close-on-exec, now the caller's
}

// Next waits for the stage's next report. It returns io.EOF when the stage has
// closed the status socket, by becoming the program or by dying; a *diag.Error
// that blames the config field when the stage stopped at a call; ErrTimeout
// when timeout passed.
func (s *Stage) Next(timeout time.Duration) (Event, error) { return s.NextUnless(-1, timeout) }

// NextUnless is Next, and returns ErrInterrupted as soon as there is something
// to read from interrupt. A report of the stage goes first.
func (s *Stage) NextUnless(interrupt int, timeout time.Duration) (Event, error) {
	event, err := next(s.status, s.PidFD, interrupt, timeout)
	if fault, ok := err.(*Fault); ok {
		s.fault = fault
		return event, s.program.Explain(fault)
	}
	return event, err
}

// Next is Stage.Next for a status socket whose Program is not at hand: a stage
// that stopped is an unworded *Fault.
func Next(status int, timeout time.Duration) (Event, error) { return next(status, -1, -1, timeout) }

func next(status, pidfd, interrupt int, timeout time.Duration) (Event, error) {
	if err := waitReadable(status, pidfd, interrupt, timeout); err != nil {
		return Event{}, err
	}
	message := make([]byte, messageSize)
	control := make([]byte, unix.CmsgSpace(4*8))
	n, c, flags, _, err := unix.Recvmsg(status, message, control, unix.MSG_CMSG_CLOEXEC)
	if err == unix.ECONNRESET || n == 0 && err == nil {
		return Event{}, io.EOF
	}
	if err != nil || n != messageSize {
		return Event{}, &diag.Error{Op: "read the stage's report", Err: err}
	}
	if flags&unix.MSG_CTRUNC != 0 { // recvmsg(2) leaves out the descriptors that find no place
		files, _ := received(control[:c])
		for _, fd := range files {
			unix.Close(fd)
		}
		return Event{}, &diag.Error{Op: "receive the stage's files", Err: unix.EMFILE}
	}
	first, value := quad(message), quad(message[8:])
	if first >= opsBase {
		return Event{}, &Fault{Address: first, Errno: unix.Errno(value)}
	}
	e := Event{Sync: Sync(first), Value: value}
	e.Files, err = received(control[:c])
	return e, err
}

// waitReadable waits until fd can be read or has hung up. The end of the
// process behind pidfd is io.EOF: when it is killed right after it has forked,
// its child holds the other end of fd, and waits for what will never come.
func waitReadable(fd, pidfd, interrupt int, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for ended := false; ; {
		left := max(time.Until(deadline), 0)
		if ended {
			left = 0 // its last words may have come after the first look
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(pidfd), Events: unix.POLLIN}, {Fd: int32(interrupt), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(left.Milliseconds()))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return &diag.Error{Op: "poll", Err: err}
		case fds[0].Revents != 0:
			return nil
		case ended:
			return io.EOF
		case fds[1].Revents != 0:
			ended = true
		case n > 0:
			return ErrInterrupted
		default:
			return ErrTimeout
		}
	}
}

func received(control []byte) ([]int, error) {
	if len(control) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(messages) == 0 {
		return nil, err
	}
	return unix.ParseUnixRights(&messages[0])
}

// Reply sends data to a stage that waits in Receive.
func (s *Stage) Reply(data []byte) error { return Reply(s.status, data) }

// Reply is Stage.Reply for a status socket.
func Reply(status int, data []byte) error {
	if _, err := unix.SendmsgN(status, data, nil, nil, unix.MSG_NOSIGNAL); err != nil {
		return &diag.Error{Op: "answer the stage", Err: err}
	}
	return nil
}

// SendFiles sends descriptors to a stage that waits in ReceiveFiles.
func (s *Stage) SendFiles(fds ...int) error {
	if err := unix.Sendmsg(s.status, []byte{1}, unix.UnixRights(fds...), nil, unix.MSG_NOSIGNAL); err != nil {
		return &diag.Error{Op: "send descriptors to the stage", Err: err}
	}
	return nil
}

// Ended waits until the stage, or the program it has become, has ended, and
// reports whether it has. It does not reap it.
func (s *Stage) Ended(timeout time.Duration) bool {
	return waitReadable(s.PidFD, -1, -1, timeout) == nil
}

// Reap waits for the stage to end, and returns how it did. A stage that has not
// ended when timeout has passed is ErrTimeout.
func (s *Stage) Reap(timeout time.Duration) (unix.WaitStatus, error) {
	if !s.Ended(timeout) {
		return 0, ErrTimeout
	}
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(s.Pid, &status, 0, nil); err != unix.EINTR {
			return status, nil // with an error there is no such child, and nothing to wait for
		}
	}
}

// Kill ends the stage and waits for it, as Reap does.
func (s *Stage) Kill(timeout time.Duration) (unix.WaitStatus, error) {
	_ = unix.PidfdSendSignal(s.PidFD, unix.SIGKILL, nil, 0) // it may have ended already
	return s.Reap(timeout)
}

// Close hangs up: a stage that waits for us ends. It does not wait for it.
func (s *Stage) Close() {
	unix.Close(s.status)
	if s.PidFD >= 0 {
		unix.Close(s.PidFD)
	}
}

// Adopt makes pid, a child that the stage has forked with CLONE_PARENT, the
// process that s stands for. The caller still has to wait for the old one.
func (s *Stage) Adopt(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return &diag.Error{Op: "pidfd_open", Path: strconv.Itoa(pid), Err: err}
	}
	unix.Close(s.PidFD)
	s.Pid, s.PidFD = pid, fd
	return nil
}
