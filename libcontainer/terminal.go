package libcontainer

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// terminal is the caller's terminal, in raw mode while a container process in
// the foreground has a pty of its own. All methods do nothing on nil.
type terminal struct {
	tty    int  // the caller's
	opened bool // by us
	saved  unix.Termios
	raw    bool
	relay  *relay
	guard  *nsenter.Stage // or nil
}

var errNoTTY = errors.New("no terminal to be in the foreground of")

// newTerminal takes over master, the pty of the process, and puts the caller's
// terminal into raw mode until restore.
func newTerminal(master int) (*terminal, error) {
	t := &terminal{tty: -1}
	err := t.find()
	if err == nil {
		err = t.makeRaw()
	}
	if err == nil {
		t.relay, err = newRelay(master, t.tty)
	}
	if err != nil {
		unix.Close(master)
		t.restore()
		return nil, err
	}
	t.resize()
	t.relay.start()
	return t, nil
}

// find looks for a terminal on the standard descriptors, then for the
// controlling one.
func (t *terminal) find() error {
	for _, fd := range []int{2, 1, 0} {
		if isTerminal(fd) {
			t.tty = fd
			return nil
		}
	}
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return &diag.Error{Field: "process.terminal", Op: "open", Path: "/dev/tty", Err: err, Hint: errNoTTY.Error(), Code: "no-terminal"}
	}
	t.tty, t.opened = fd, true
	return nil
}

func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// makeRaw saves the settings, and makes them those of cfmakeraw(3): what is
// typed belongs to the pty of the process, control characters and all. Who does
// this from the background is stopped by SIGTTOU until he is in the foreground.
func (t *terminal) makeRaw() error {
	saved, err := unix.IoctlGetTermios(t.tty, unix.TCGETS)
	if err != nil {
		return &diag.Error{Op: "read terminal settings", Err: err}
	}
	t.saved = *saved
	raw := rawSettings(t.saved)
	t.watch(&raw)
	t.raw = true
	if err := unix.IoctlSetTermios(t.tty, unix.TCSETS, &raw); err != nil {
		return &diag.Error{Op: "set terminal to raw mode", Err: err}
	}
	return nil
}

func rawSettings(t unix.Termios) unix.Termios {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB
	t.Cflag |= unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return t
}

// resize gives the pty the size of the caller's terminal; one that does not
// know its own (a serial line) has nothing to say.
func (t *terminal) resize() {
	if t == nil {
		return
	}
	if size, err := unix.IoctlGetWinsize(t.tty, unix.TIOCGWINSZ); err == nil && *size != (unix.Winsize{}) {
		t.relay.resize(size)
	}
}

// resume makes the terminal raw again after we were stopped, and the shell has
// taken it back.
func (t *terminal) resume() {
	if t == nil {
		return
	}
	raw := rawSettings(t.saved)
	_ = unix.IoctlSetTermios(t.tty, unix.TCSETS, &raw) // a terminal that hung up needs none
	t.resize()
}

// drain waits until all that the process printed has been passed on.
func (t *terminal) drain() {
	if t != nil {
		t.relay.drain()
	}
}

// restore puts the caller's terminal back as it was.
func (t *terminal) restore() {
	if t == nil || t.tty < 0 {
		return
	}
	if t.relay != nil {
		t.relay.hangUp()
	}
	if t.raw {
		_ = unix.IoctlSetTermios(t.tty, unix.TCSETSW, &t.saved) // nothing better can be done
	}
	if t.guard != nil {
		_, _ = t.guard.Kill(reapTimeout) // nothing depends on it any more
		t.guard.Close()
	}
	if t.opened {
		unix.Close(t.tty)
	}
	t.tty = -1
}

// watch starts a process that restores the terminal should we be killed: a
// stage that waits for the end of ours, and then changes the settings if they
// still are what we made of them. A shell that was faster has its own. Without
// a guard all is well, too, as long as nobody uses SIGKILL.
func (t *terminal) watch(raw *unix.Termios) {
	p := nsenter.New(0)
	p.CloseRange(p.FirstOwn(), 0)
	p.Setsid() // not to get signals meant for us, or be stopped for touching the terminal
	p.Read(p.Status(), p.Space(8))
	now := p.IoctlData(nsenter.Number(0), unix.TCGETS, make([]byte, 64))
	flags := termiosBytes(raw)
	p.When(now.Word(0), ^uint64(0), binary.NativeEndian.Uint64(flags), func() {
		p.When(now.Word(8), ^uint64(0), binary.NativeEndian.Uint64(flags[8:]), func() {
			p.IoctlData(nsenter.Number(0), unix.TCSETSW, termiosBytes(&t.saved))
		}, nil)
	}, nil)
	p.Exit(0)
	guard, err := p.Start(nsenter.Options{Args: []string{"runtime:terminal"}, Cgroup: -1, Stdio: [3]int{t.tty, t.tty, t.tty}})
	if err == nil {
		t.guard = guard
	}
}

// termiosBytes is the kernel's struct termios, whose four flag words come first.
func termiosBytes(t *unix.Termios) []byte {
	var b []byte
	for _, flags := range []uint32{t.Iflag, t.Oflag, t.Cflag, t.Lflag} {
		b = binary.NativeEndian.AppendUint32(b, flags)
	}
	return append(append(b, t.Line), t.Cc[:]...)
}
