package libcontainer

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// A service that tells when it is ready, sd_notify(3), may be a container:
//
//	program in the container      start, or run               service manager
//	READY=1 ──> /run/notify/notify.sock,
//	            bound from ROOT/ID/notify ──> READY=1, MAINPID=N ──> NOTIFY_SOCKET
//	                                          BARRIER=1 and a descriptor ──>
//	                                          <── which is closed in turn
//
// The program is nobody to trust: READY=1 is all that is heard of it, and what
// the manager gets are words of ours. A service that is ready, and goes on to
// say so, is not heard any more.

// Where a container finds the socket, and what it is in ROOT/ID.
const (
	notifyVariable = "NOTIFY_SOCKET"
	notifyMount    = "/run/notify"
	notifyDir      = "notify"
	notifyFile     = "notify.sock"
)

// relaysReadiness decides whether the container gets such a socket. A config
// that names one means that.
func (b *birth) relaysReadiness() bool {
	if b.options.NotifySocket == "" || b.config.Process == nil {
		return false
	}
	for _, v := range b.config.Process.Env {
		if strings.HasPrefix(v, notifyVariable+"=") {
			return false
		}
	}
	if !b.hasMountNamespace() {
		b.runtime.Log.Warnf("continued without passing on %s: the container has no mount namespace of its own", notifyVariable)
		return false
	}
	return true
}

// addNotify makes config show the container its socket.
func (b *birth) addNotify() {
	b.config.Process.Env = append(slices.Clip(b.config.Process.Env), notifyVariable+"="+notifyMount+"/"+notifyFile)
	b.config.Mounts = append(slices.Clip(b.config.Mounts), specs.Mount{
		Destination: notifyMount,
		Type:        "bind",
		Source:      b.notifySource(),
		Options:     []string{"bind", "nosuid", "noexec", "nodev", "ro"},
	})
}

// notifySource is the directory that is bound, "" if none is. It is made with
// the container.
func (b *birth) notifySource() string {
	if !b.readiness {
		return ""
	}
	return b.runtime.Root + "/" + b.id + "/" + notifyDir
}

// makeNotify makes the directory. Whatever our umask, the container's users
// have to get through it.
func (c *container) makeNotify() error {
	err := unix.Mkdirat(c.dir, notifyDir, 0o755)
	if err == nil {
		err = unix.Fchmodat(c.dir, notifyDir, 0o755, 0)
	}
	if err != nil {
		return &diag.Error{Op: "mkdir", Path: c.path(notifyDir), Err: err}
	}
	return nil
}

// readiness is a container's socket, with us to listen. It lasts as long as we.
type readiness struct {
	socket  int
	manager string      // address of the service manager's
	ended   atomic.Bool // nobody is left to write to socket
}

// listenReadiness binds the container's socket. Nil means that it has none, or
// that there is nobody to tell.
func (c *container) listenReadiness(manager string) (*readiness, error) {
	if !c.Readiness || manager == "" {
		return nil, nil
	}
	dir, err := unix.Openat(c.dir, notifyDir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &diag.Error{Op: "open", Path: c.path(notifyDir), Err: err}
	}
	defer unix.Close(dir)
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, &diag.Error{Op: "socket", Err: err}
	}
	address := &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(dir) + "/" + notifyFile}
	umask := unix.Umask(0) // all of the container's users may be the service
	err = unix.Bind(socket, address)
	if err == unix.EADDRINUSE { // a start that was killed has left it
		if err = unix.Unlinkat(dir, notifyFile, 0); err == nil {
			err = unix.Bind(socket, address)
		}
	}
	unix.Umask(umask)
	if err != nil {
		unix.Close(socket)
		return nil, &diag.Error{Op: "bind", Path: c.path(notifyDir + "/" + notifyFile), Err: err}
	}
	return &readiness{socket: socket, manager: manager}, nil
}

// relay waits until the container is ready, and tells the manager that so is
// the service whose main process is mainPid.
func (n *readiness) relay(mainPid int, timeout time.Duration) error {
	ready, err := n.hear()
	if !ready {
		return err
	}
	return tellReady(n.manager, mainPid, timeout)
}

// hear reads until there is READY=1; false is for a container that has ended
// without. Descriptors in a message are gone with it, as none are asked for.
// Who sends much of no use has to wait, in his full queue, and not we to work.
func (n *readiness) hear() (ready bool, _ error) {
	defer func() { _ = unix.Shutdown(n.socket, unix.SHUT_RD) }() // nobody shall wait for us to read more
	var buf [4096]byte                                           // as systemd takes, PIPE_BUF
	for {
		flags := 0
		if n.ended.Load() {
			flags = unix.MSG_DONTWAIT // for what is left; a message may be empty, so that is no end
		}
		size, _, err := unix.Recvfrom(n.socket, buf[:], flags)
		switch {
		case err == unix.EAGAIN:
			return false, nil
		case err != nil && err != unix.EINTR:
			return false, &diag.Error{Op: "read", Path: notifyFile, Err: err}
		case slices.Contains(strings.Split(string(buf[:max(size, 0)]), "\n"), "READY=1"):
			return true, nil
		}
		time.Sleep(time.Millisecond)
	}
}

// hangUp ends hear, once it has read what there is.
func (n *readiness) hangUp() {
	n.ended.Store(true)
	_ = unix.Shutdown(n.socket, unix.SHUT_RD) // of an unconnected socket, it cannot fail
}

// await relays the readiness of a container that nobody waits for in the
// foreground; which takes as long as it takes, but not longer than the
// container lives. f may interrupt it.
func (c *container) await(n *readiness, f *foreground) error {
	pidfd, err := c.alive()
	if err != nil && !errors.Is(err, ErrNotRunning) {
		return err
	}
	defer closeFD(pidfd)
	told, telling, err := os.Pipe()
	if err != nil {
		return &diag.Error{Op: "pipe", Err: err}
	}
	defer told.Close()
	go func() {
		defer telling.Close()
		c.relayReadiness(n, c.Pid)
	}()
	return c.awaitTold(n, int(told.Fd()), pidfd, f)
}

// awaitTold waits until told hangs up. The end of the process behind pidfd
// leaves it what the container said last.
func (c *container) awaitTold(n *readiness, told, pidfd int, f *foreground) error {
	signals, patience := -1, -1
	if f != nil {
		signals = f.signals
	}
	for {
		if pidfd < 0 && patience < 0 {
			n.hangUp()
			patience = int(c.runtime.timeout().Milliseconds())
		}
		fds := []unix.PollFd{{Fd: int32(told)}, {Fd: int32(pidfd), Events: unix.POLLIN}, {Fd: int32(signals), Events: unix.POLLIN}}
		ready, err := unix.Poll(fds, patience)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return &diag.Error{Op: "poll", Err: err}
		case ready == 0 || fds[0].Revents != 0:
			return nil
		case fds[2].Revents != 0:
			if err := f.interrupted(); err != nil {
				return err
			}
		default:
			pidfd = -1
		}
	}
}

// relayReadiness is n.relay, whose failure is no reason to end the container:
// the manager will miss the word, and act.
func (c *container) relayReadiness(n *readiness, mainPid int) {
	if err := n.relay(mainPid, c.runtime.timeout()); err != nil {
		c.runtime.Log.Warnf("continued without telling %s that container %s is ready: %v", notifyVariable, c.id, err)
	}
}

// barrierTimeout is how long the manager may take to read what it was sent.
const barrierTimeout = 30 * time.Second

// tellReady sends the manager READY=1 and the main process, and waits until it
// has read both: if it looks up who has sent them, we have to be there.
func tellReady(manager string, mainPid int, timeout time.Duration) error {
	socket, err := connectManager(manager, min(timeout, barrierTimeout))
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	barrier := [2]int{-1, -1}
	if err := unix.Pipe2(barrier[:], unix.O_CLOEXEC); err != nil {
		return &diag.Error{Op: "pipe", Err: err}
	}
	defer unix.Close(barrier[0])
	rights := unix.UnixRights(barrier[1])
	for _, m := range []struct {
		text   string
		rights []byte
	}{{"READY=1\n", nil}, {"MAINPID=" + strconv.Itoa(mainPid) + "\n", nil}, {"BARRIER=1", rights}} {
		if err := unix.Sendmsg(socket, []byte(m.text), m.rights, nil, unix.MSG_NOSIGNAL); err != nil {
			unix.Close(barrier[1])
			return &diag.Error{Op: "send " + strings.TrimSpace(m.text), Path: manager, Err: err}
		}
	}
	unix.Close(barrier[1])
	return awaitBarrier(barrier[0], manager, min(timeout, barrierTimeout))
}

func connectManager(manager string, timeout time.Duration) (int, error) {
	if len(manager) < 2 || manager[0] != '/' && manager[0] != '@' { // a path, or an abstract name
		return -1, &diag.Error{Path: manager, Err: unix.EAFNOSUPPORT}
	}
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, &diag.Error{Op: "socket", Err: err}
	}
	patience := unix.NsecToTimeval(timeout.Nanoseconds())
	if err = unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &patience); err == nil {
		err = unix.Connect(socket, &unix.SockaddrUnix{Name: manager})
	}
	if err != nil {
		unix.Close(socket)
		return -1, &diag.Error{Op: "connect", Path: manager, Err: err}
	}
	return socket, nil
}

// awaitBarrier waits until the other end of pipe, which was sent away, is closed.
func awaitBarrier(pipe int, manager string, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(pipe)}}, max(int(time.Until(deadline).Milliseconds()), 0))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return &diag.Error{Op: "poll", Err: err}
		case ready == 0:
			return &diag.Error{Op: "wait for", Path: manager, Err: errors.New("it did not read in " + timeout.String()), Code: "timeout"}
		default:
			return nil
		}
	}
}

// removeNotify removes the directory. A container that may mount can have made
// its view of it writable, and left there whatever it likes: os.Root follows
// none of that out.
func (c *container) removeNotify() error {
	if !c.Readiness {
		return nil
	}
	_ = unix.Unlinkat(c.dir, notifyDir+"/"+notifyFile, 0) // if it is there, and all that is
	err := unix.Unlinkat(c.dir, notifyDir, unix.AT_REMOVEDIR)
	if err == unix.ENOTEMPTY {
		err = removeTree(c.dir, notifyDir)
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return &diag.Error{Op: "remove", Path: c.path(notifyDir), Err: err}
	}
	return nil
}

func removeTree(dir int, name string) error {
	root, err := os.OpenRoot("/proc/self/fd/" + strconv.Itoa(dir))
	if err != nil {
		return err
	}
	defer root.Close()
	return root.RemoveAll(name)
}
