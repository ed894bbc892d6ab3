package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// deadline of one command. It is far above every honest result; passing it is a failure.
const deadline = 60 * time.Second

// launcher is a client of launch/launch.c, which starts commands and measures them.
// One launcher runs one command at a time.
type launcher struct {
	fd     int
	pid    int
	stdout string
	stderr string
}

// outcome is what one command did. What it printed is in the launcher's files.
type outcome struct {
	Sample
	status syscall.WaitStatus
}

// startLauncher starts a launcher whose output files are dir/name.stdout and .stderr.
func startLauncher(path, dir, name string) (*launcher, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(pair[1])
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	pid, err := syscall.ForkExec(path, []string{path}, &syscall.ProcAttr{
		Env:   []string{"PATH=" + os.Getenv("PATH"), "HOME=/root", "LANG=C"},
		Files: []uintptr{null.Fd(), null.Fd(), 2, uintptr(pair[1])},
		Sys:   &syscall.SysProcAttr{Setpgid: true}, // the terminal's ^C is for us, we stop it in good order
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	wait := unix.NsecToTimeval(int64(deadline))
	if err := unix.SetsockoptTimeval(pair[0], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		return nil, err
	}
	return &launcher{fd: pair[0], pid: pid,
		stdout: filepath.Join(dir, name+".stdout"), stderr: filepath.Join(dir, name+".stderr")}, nil
}

// stop ends the launcher by closing its socket.
func (l *launcher) stop() {
	_ = unix.Close(l.fd)
	_, _ = unix.Wait4(l.pid, nil, 0, nil)
}

// run runs argv after the idle time. The error is about the launcher or the deadline;
// how the command ended is in the outcome.
func (l *launcher) run(idle time.Duration, argv []string) (outcome, error) {
	if err := unix.Send(l.fd, l.request(idle, argv), 0); err != nil {
		return outcome{}, fmt.Errorf("launcher: %w", err)
	}
	var reply [40]byte
	n, err := receive(l.fd, reply[:])
	if errors.Is(err, unix.EAGAIN) {
		l.killChildren()
		return outcome{}, fmt.Errorf("%s: no end within %v", strings.Join(argv, " "), deadline)
	}
	if err != nil || n != len(reply) {
		return outcome{}, fmt.Errorf("launcher answered %d bytes: %w", n, err)
	}
	field := func(i int) int64 { return int64(binary.NativeEndian.Uint64(reply[8*i:])) }
	return outcome{
		Sample: Sample{WallNS: field(0), UserUS: field(1), SysUS: field(2), RSSKiB: field(3)},
		status: syscall.WaitStatus(field(4)),
	}, nil
}

// must is run for commands that have to exit with the code; the error says how they ended.
func (l *launcher) must(idle time.Duration, verb string, argv []string, code int) (outcome, error) {
	o, err := l.run(idle, argv)
	if err != nil || o.status.Exited() && o.status.ExitStatus() == code {
		return o, err
	}
	end := fmt.Sprintf("exit %d", o.status.ExitStatus())
	if o.status.Signaled() {
		end = o.status.Signal().String()
	}
	stderr, _ := os.ReadFile(l.stderr) // empty when unreadable: the exit is the news
	return o, fmt.Errorf("%s: %s, want exit %d: %s", verb, end, code, firstLine(string(stderr)))
}

// printed is the standard output of the last command.
func (l *launcher) printed() (string, error) {
	data, err := os.ReadFile(l.stdout)
	return string(data), err
}

func (l *launcher) request(idle time.Duration, argv []string) []byte {
	message := binary.NativeEndian.AppendUint64(nil, uint64(idle))
	message = binary.NativeEndian.AppendUint32(message, uint32(len(argv)))
	message = binary.NativeEndian.AppendUint32(message, 0)
	for _, s := range append([]string{l.stdout, l.stderr}, argv...) {
		message = append(append(message, s...), 0)
	}
	return message
}

// killChildren ends a command that hangs, and eats the launcher's late answer.
func (l *launcher) killChildren() {
	list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", l.pid, l.pid))
	for _, word := range strings.Fields(string(list)) {
		if pid, err := strconv.Atoi(word); err == nil {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	var late [40]byte
	_, _ = receive(l.fd, late[:])
}

func receive(fd int, buf []byte) (int, error) {
	for {
		n, err := unix.Read(fd, buf)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	if len(line) > 300 {
		line = line[:300] + "..."
	}
	return line
}
