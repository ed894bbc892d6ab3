package systemd

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
)

// conn is a connection to systemd: either straight to the manager's private
// socket, which systemctl(1) uses too, or through a message bus. A bus wants a
// Hello first, and passes a signal on only to those who have asked for it.
type conn struct {
	fd       int
	deadline time.Time
	timeout  time.Duration // of which deadline is the end
	serial   uint32
	pending  []byte   // received, not yet decoded
	signals  []signal // that came before anybody waited for them
}

// signal is a JobRemoved: systemd has finished a job.
type signal struct{ job, result string }

const (
	managerName = "org.freedesktop.systemd1"
	managerPath = "/org/freedesktop/systemd1"
	managerType = "org.freedesktop.systemd1.Manager"
)

// ErrNoSession: there is no user manager to talk to.
var ErrNoSession = errors.New("no systemd user session")

// Unreachable reports whether err says that there is no systemd to talk to, and
// so nothing that it knows.
func Unreachable(err error) bool {
	code := diag.CodeOf(err)
	return code == "systemd-connect" || code == "systemd-no-session"
}

// endpoint is one place where systemd may answer.
type endpoint struct {
	path string // of a unix socket; "@" stands for the NUL of an abstract one
	bus  bool
}

// dial connects to the first endpoint that answers. timeout is for everything
// that happens on the connection.
func dial(user bool, timeout time.Duration) (*conn, error) {
	list := endpoints(user, os.Getenv)
	deadline := time.Now().Add(timeout)
	var first error
	for _, e := range list {
		c := &conn{fd: -1, deadline: deadline, timeout: timeout}
		err := c.open(e)
		if err == nil {
			return c, nil
		}
		c.close()
		if first == nil || !errors.Is(err, unix.ENOENT) {
			first = &diag.Error{Op: "connect to systemd at", Path: e.path, Err: err, Code: "systemd-connect"}
		}
	}
	if user && errors.Is(first, unix.ENOENT) {
		uid := strconv.Itoa(unix.Getuid())
		return nil, &diag.Error{Op: "connect to systemd", Err: ErrNoSession, Code: "systemd-no-session",
			Hint: "for uid " + uid + ": " + list[len(list)-1].path + " is missing; log in, or run: loginctl enable-linger " + uid}
	}
	return nil, first
}

// endpoints lists where the manager may be reached. The private socket of the
// system's manager is root's.
func endpoints(user bool, getenv func(string) string) []endpoint {
	if !user {
		list := []endpoint{{"/run/systemd/private", false}}
		if path := socketPath(getenv("DBUS_SYSTEM_BUS_ADDRESS")); path != "" {
			return append(list, endpoint{path, true})
		}
		return append(list, endpoint{"/run/dbus/system_bus_socket", true})
	}
	dir := getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = "/run/user/" + strconv.Itoa(unix.Getuid())
	}
	list := []endpoint{{dir + "/systemd/private", false}}
	if path := socketPath(getenv("DBUS_SESSION_BUS_ADDRESS")); path != "" {
		list = append(list, endpoint{path, true})
	}
	return append(list, endpoint{dir + "/bus", true})
}

// socketPath finds a unix socket in a D-Bus address, a list like
// "unix:path=/run/user/1000/bus,guid=...;unix:abstract=...". Bytes that are not
// plain are %-escaped there.
func socketPath(address string) string {
	for one := range strings.SplitSeq(address, ";") {
		options, ok := strings.CutPrefix(one, "unix:")
		if !ok {
			continue
		}
		for option := range strings.SplitSeq(options, ",") {
			key, value, _ := strings.Cut(option, "=")
			if value, ok := unescape(value); ok && value != "" {
				switch key {
				case "path":
					return value
				case "abstract":
					return "@" + value
				}
			}
		}
	}
	return ""
}

func unescape(text string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		if i+2 >= len(text) {
			return "", false
		}
		n, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String(), true
}

func (c *conn) open(e endpoint) error {
	fd, err := sys.ConnectUnix(e.path, unix.SOCK_STREAM, max(time.Until(c.deadline), time.Millisecond))
	if err != nil {
		return errors.Unwrap(err) // the caller names the path
	}
	c.fd = fd
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	return c.begin(e.bus)
}

// begin authenticates, and joins the bus if it is one.
//
// The EXTERNAL mechanism takes the credentials of the socket (SO_PEERCRED);
// naming no uid makes it right in a user namespace too. BEGIN goes with the rest
// and not with the first message: systemd reads both at once then, and leaves
// the message in its buffer until more comes, which is never.
func (c *conn) begin(bus bool) error {
	if err := c.write([]byte("\x00AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")); err != nil {
		return err
	}
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		if strings.HasPrefix(line, "OK ") {
			break
		}
		if line != "DATA" {
			return errors.New("authentication refused: " + line)
		}
	}
	if !bus {
		return nil
	}
	if _, err := c.call(&call{destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", iface: "org.freedesktop.DBus", member: "Hello"}); err != nil {
		return err
	}
	var e encoder
	e.string("type='signal',sender='" + managerName + "',path='" + managerPath + "',interface='" + managerType + "',member='JobRemoved'")
	_, err := c.call(&call{destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", iface: "org.freedesktop.DBus", member: "AddMatch",
		signature: "s", body: e.b})
	return err
}

func (c *conn) close() {
	if c.fd >= 0 {
		_ = unix.Close(c.fd) // nothing is buffered on our side
		c.fd = -1
	}
}

// busError is an answer of type error.
type busError struct{ name, text string }

func (e *busError) Error() string {
	if e.text == "" {
		return e.name
	}
	return e.text
}

// manager calls a method of systemd's manager object.
func (c *conn) manager(member, signature string, body []byte) (*message, error) {
	return c.call(&call{managerName, managerPath, managerType, member, signature, body})
}

// call sends a message and waits for its answer. Signals that come in between are kept.
func (c *conn) call(m *call) (*message, error) {
	c.serial++
	serial := c.serial
	if err := c.write(m.encode(serial)); err != nil {
		return nil, err
	}
	for {
		answer, err := c.next()
		if err != nil {
			return nil, err
		}
		switch {
		case answer.kind == typeSignal:
			c.keep(answer)
		case answer.replySerial != serial:
		case answer.kind == typeError:
			e := &busError{name: answer.errorName}
			if strings.HasPrefix(answer.signature, "s") {
				e.text = answer.body.string()
			}
			return nil, e
		case answer.kind == typeReturn:
			return answer, nil
		}
	}
}

// keep remembers a JobRemoved(u id, o job, s unit, s result).
func (c *conn) keep(m *message) {
	if m.member != "JobRemoved" || m.signature != "uoss" {
		return
	}
	m.body.uint32()
	job := m.body.string()
	m.body.string()
	result := m.body.string()
	if !m.body.failed {
		c.signals = append(c.signals, signal{job, result})
	}
}

// waitJob waits until systemd is done with a job and returns the result: "done",
// "canceled", "timeout", "failed", "dependency" or "skipped".
func (c *conn) waitJob(job string) (string, error) {
	for {
		for _, s := range c.signals {
			if s.job == job {
				return s.result, nil
			}
		}
		c.signals = c.signals[:0]
		m, err := c.next()
		if err != nil {
			return "", err
		}
		if m.kind == typeSignal {
			c.keep(m)
		}
	}
}

// next reads one message.
func (c *conn) next() (*message, error) {
	if err := c.fill(16); err != nil {
		return nil, err
	}
	size, err := messageSize(c.pending)
	if err != nil {
		return nil, err
	}
	if err := c.fill(size); err != nil {
		return nil, err
	}
	m, err := decodeMessage(bytes.Clone(c.pending[:size]))
	c.pending = c.pending[size:]
	return m, err
}

// line reads one line of the authentication.
func (c *conn) line() (string, error) {
	for {
		if i := bytes.Index(c.pending, []byte("\r\n")); i >= 0 {
			line := string(c.pending[:i])
			c.pending = c.pending[i+2:]
			return line, nil
		}
		if len(c.pending) > 4096 {
			return "", errMalformed
		}
		if err := c.fill(len(c.pending) + 1); err != nil {
			return "", err
		}
	}
}

// fill reads until n bytes are pending.
func (c *conn) fill(n int) error {
	var buf [4096]byte
	for len(c.pending) < n {
		got, err := unix.Read(c.fd, buf[:])
		switch {
		case err == unix.EAGAIN:
			if err := c.wait(unix.POLLIN); err != nil {
				return err
			}
		case err == unix.EINTR:
		case err != nil:
			return err
		case got == 0:
			return errors.New("systemd closed the connection")
		default:
			c.pending = append(c.pending, buf[:got]...)
		}
	}
	return nil
}

func (c *conn) write(b []byte) error {
	for len(b) > 0 {
		n, err := unix.SendmsgN(c.fd, b, nil, nil, unix.MSG_NOSIGNAL)
		switch err {
		case nil:
			b = b[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			if err := c.wait(unix.POLLOUT); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return nil
}

// wait waits for the socket, but not beyond the deadline.
func (c *conn) wait(events int16) error {
	for {
		left := time.Until(c.deadline)
		if left <= 0 {
			return &diag.Error{Err: fmt.Errorf("systemd did not answer in %s: %w", c.timeout, unix.ETIMEDOUT), Hint: c.peer(), Code: "timeout"}
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: events}}, int(left.Milliseconds())+1)
		if err != nil && err != unix.EINTR {
			return err
		}
		if n > 0 {
			return nil
		}
	}
}

// Reachable returns nil if systemd answers, the user's manager or the system's,
// or why it does not: ErrNoSession if there is none. It changes nothing.
func Reachable(user bool, timeout time.Duration) error {
	c, err := dial(user, timeout)
	if err == nil {
		c.close()
	}
	return err
}

// peer says what the process on the other side is doing.
func (c *conn) peer() string {
	cred, err := unix.GetsockoptUcred(c.fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || cred.Pid <= 0 { // 0: of another pid namespace
		return ""
	}
	return sys.Doing(int(cred.Pid))
}
