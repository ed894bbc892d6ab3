package harness

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// FDSocket is a listening unix socket on which the runtime sends a file
// descriptor: --console-socket (the pty master) and --pidfd-socket.
type FDSocket struct {
	Path string
	env  *Env
	l    *net.UnixListener
}

// FDSocket makes a socket. Its path is short enough for unix(7).
func (e *Env) FDSocket() *FDSocket {
	e.T.Helper()
	path := e.File(e.next("sock"))
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	must(e.T, err)
	e.T.Cleanup(func() { l.Close() })
	return &FDSocket{Path: path, env: e, l: l}
}

// Receive waits for the one message: a descriptor by SCM_RIGHTS, and a text.
// The file is closed at the end of the test.
func (s *FDSocket) Receive() (*os.File, string) {
	t := s.env.T
	t.Helper()
	deadline := time.Now().Add(Timeout())
	must(t, s.l.SetDeadline(deadline))
	conn, err := s.l.AcceptUnix()
	if err != nil {
		t.Fatalf("nobody connected to %s: %v", s.Path, err)
	}
	defer conn.Close()
	must(t, conn.SetDeadline(deadline))
	text, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(16*4))
	n, cn, _, _, err := conn.ReadMsgUnix(text, control)
	must(t, err)
	fds, err := receivedFDs(control[:cn])
	must(t, err)
	if len(fds) != 1 {
		t.Fatalf("%s: received %d descriptors with %q, want 1", s.Path, len(fds), text[:n])
	}
	f := os.NewFile(uintptr(fds[0]), "received")
	t.Cleanup(func() { f.Close() })
	return f, string(text[:n])
}

func receivedFDs(control []byte) ([]int, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, err
	}
	var fds []int
	for _, m := range messages {
		got, err := unix.ParseUnixRights(&m)
		if err != nil {
			return nil, err
		}
		fds = append(fds, got...)
	}
	return fds, nil
}

// Console reads from and writes to the master side of a terminal.
type Console struct {
	env  *Env
	f    *os.File
	seen strings.Builder
}

// Console wraps a pty master.
func (e *Env) Console(master *os.File) *Console { return &Console{env: e, f: master} }

// Write types the text.
func (c *Console) Write(text string) {
	c.env.T.Helper()
	_, err := c.f.WriteString(text)
	must(c.env.T, err)
}

// WaitFor reads until the text has appeared, and returns all that was read so
// far. The end of the terminal (all of its users gone) before that fails the test.
func (c *Console) WaitFor(text string) string {
	c.env.T.Helper()
	for !strings.Contains(c.seen.String(), text) {
		if !c.read() {
			c.env.T.Fatalf("the terminal ended without %q: %q", text, c.seen.String())
		}
	}
	return c.seen.String()
}

// WaitCount is WaitFor for a text that has to appear n times.
func (c *Console) WaitCount(text string, n int) {
	c.env.T.Helper()
	for strings.Count(c.seen.String(), text) < n {
		if !c.read() {
			c.env.T.Fatalf("the terminal ended without %d times %q: %q", n, text, c.seen.String())
		}
	}
}

// Master is the master side, to be read from and written to directly.
func (c *Console) Master() *os.File { return c.f }

// Close closes the master side: the terminal hangs up.
func (c *Console) Close() { c.f.Close() }

// ReadAll reads until all users of the terminal are gone.
func (c *Console) ReadAll() string {
	c.env.T.Helper()
	for c.read() {
	}
	return c.seen.String()
}

// read waits for output once; false means there will be no more.
func (c *Console) read() bool {
	c.env.T.Helper()
	fd := int(c.f.Fd())
	if err := WaitReadable(fd, Timeout()); err != nil {
		c.env.T.Fatalf("terminal: %v; so far: %q", err, c.seen.String())
	}
	buffer := make([]byte, 4096)
	n, err := unix.Read(fd, buffer)
	if n > 0 {
		c.seen.Write(buffer[:n])
	}
	// EIO is how Linux says that the slave side has no user any more.
	return n > 0 || errors.Is(err, unix.EINTR)
}

// Pty is a pty pair made by the test, for the runtime's own stdio.
type Pty struct {
	*Console
	Slave *os.File
}

// NewPty makes a pty pair of the size. Give Slave to a Command as stdin,
// stdout and stderr, and call CloseSlave once that runs.
func (e *Env) NewPty(rows, columns uint16) *Pty {
	e.T.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	must(e.T, err)
	e.T.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	must(e.T, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	must(e.T, err)
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	must(e.T, err)
	e.T.Cleanup(func() { slave.Close() })
	t := &Pty{Console: e.Console(master), Slave: slave}
	t.Resize(rows, columns)
	return t
}

// Resize changes the size of the terminal and so sends SIGWINCH to its
// foreground process group.
func (t *Pty) Resize(rows, columns uint16) {
	t.env.T.Helper()
	must(t.env.T, unix.IoctlSetWinsize(int(t.f.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}))
}

// CloseSlave closes our side of the slave, so that the terminal ends when its
// other users do.
func (t *Pty) CloseSlave() { t.Slave.Close() }
