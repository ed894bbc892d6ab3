package libcontainer

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
	"ociruntime/libcontainer/process"
	"ociruntime/nsenter"
	"ociruntime/spec"
)

// Start runs the program of a created container, runtime.md#start:
//
//	startContainer hooks -> connect to the gate -> the stage goes on and
//	execs, which hangs up -> poststart hooks
//
// Connecting is all it takes, so a start that is killed has either started
// the container or not.
func (r *Runtime) Start(id string, o StartOptions) error {
	c, err := r.loadLocked(id)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.startable(); err != nil {
		return err
	}
	timing := c.timeStart()
	c.timeline = timing.Timeline
	if err := c.runHooks("startContainer", Created); err != nil {
		return c.abandon(err)
	}
	readiness, err := c.listenReadiness(o.NotifySocket)
	if err != nil {
		return err
	}
	if err := c.openGate(); err != nil {
		return at(diag.StageStart, err)
	}
	if err := c.runHooks("poststart", Running); err != nil {
		return c.abandon(err)
	}
	if err := c.started(&timing, true); err != nil || readiness == nil {
		return err
	}
	c.unlock() // others may now act on the container, while we wait
	return c.await(readiness, nil)
}

// startable refuses a container that is not in the status created.
func (c *container) startable() error {
	status, err := c.status()
	if err != nil {
		return err
	}
	switch status {
	case Created:
		return nil
	case Running:
		return &diag.Error{Path: c.id, Err: ErrStartRunning, Code: "not-created"}
	case Stopped:
		return &diag.Error{Path: c.id, Err: ErrStartStopped, Code: "not-created"}
	case Paused:
		return &diag.Error{Path: c.id, Err: ErrStartPaused, Code: "paused"}
	}
	return &diag.Error{Path: c.id, Err: errors.New("cannot start a container that is " + string(status)), Code: "not-created"}
}

// openGate lets the waiting stage go on, and returns once it has become the
// program, or the reason why it could not.
func (c *container) openGate() error {
	gate, err := c.connectGate()
	if err != nil {
		return err
	}
	defer unix.Close(gate)
	// From here on the stage goes its way, with us or without. The name goes
	// first: a program in the container can look like the stage, see isStage,
	// and would seem to wait for start if we were killed before.
	if err := unix.Unlinkat(c.dir, gateFile, 0); err != nil && err != unix.ENOENT {
		return &diag.Error{Op: "remove", Path: c.path(gateFile), Err: err}
	}
	if err := c.become(gate); err != nil {
		if !errors.Is(err, ErrStartPaused) { // that one goes on when it is resumed
			c.putDown()
		}
		return err
	}
	return nil
}

// putDown ends a stage that has failed, so that the container is stopped when
// the caller learns of it. Both steps may come too late: it ends by itself when
// we hang up.
func (c *container) putDown() {
	group := c.cgroup()
	defer group.Close()
	_ = c.end(group) // the caller has an error to report already
}

// become serves the stage on the other side of gate until it has become the
// program.
func (c *container) become(gate int) error {
	d := departure{container: c, pid: c.Pid, status: Created, notifies: c.Notifies}
	if c.Notifies {
		config, err := c.config()
		if err != nil {
			return err
		}
		d.profile = config.Linux.Seccomp
	}
	reply := func(data []byte) error { return nsenter.Reply(gate, data) }
	for {
		event, err := c.nextUnlessFrozen(func(timeout time.Duration) (nsenter.Event, error) { return nsenter.Next(gate, timeout) })
		var fault *nsenter.Fault
		if errors.As(err, &fault) {
			return c.explainFault(fault)
		}
		if errors.Is(err, nsenter.ErrTimeout) {
			return c.noAnswer(err)
		}
		if done, err := d.answer(event, err, reply); done || err != nil {
			return err
		}
	}
}

// noAnswer words a stage that start has waited for in vain.
func (c *container) noAnswer(err error) error {
	e := &diag.Error{Op: "start", Path: c.id, Err: fmt.Errorf("%w: the stage did not answer in %s", err, c.runtime.timeout()),
		Hint: sys.Doing(c.Pid), Code: "timeout"}
	if program, err := nsenter.ReadImage("/proc/" + strconv.Itoa(c.Pid) + "/exe"); err == nil {
		if where := program.Where(c.Pid); where != "" {
			e.Hint = "in " + where + "; " + e.Hint
		}
	}
	group := c.cgroup()
	defer group.Close()
	return frozenHint(e, group)
}

// nextUnlessFrozen waits for the next report of a stage that is in the cgroup,
// and has a look whether that keeps it from answering. Who has been frozen goes
// on when it is thawed, with us or without.
func (c *container) nextUnlessFrozen(next func(timeout time.Duration) (nsenter.Event, error)) (nsenter.Event, error) {
	deadline := time.Now().Add(c.runtime.timeout())
	for {
		left := time.Until(deadline)
		event, err := next(min(left, glance))
		if !errors.Is(err, nsenter.ErrTimeout) || left <= glance {
			return event, err
		}
		if status, _ := c.frozenOr(Running); status == Paused {
			return event, &diag.Error{Path: c.id, Err: ErrStartPaused, Hint: "it starts when it is resumed", Code: "paused"}
		}
	}
}

// gateAddress reaches the gate through the open directory: the path to it may
// be longer than the 107 bytes of a socket address.
func (c *container) gateAddress() unix.Sockaddr {
	return &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(c.dir) + "/" + gateFile}
}

// listenGate makes the gate, for the stage to inherit.
func (c *container) listenGate() (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, &diag.Error{Op: "socket", Err: err}
	}
	// The socket's mode becomes that of its file, less the umask: who could
	// connect would start the container behind its engine's back.
	if err = unix.Fchmod(fd, 0o600); err == nil {
		err = unix.Bind(fd, c.gateAddress())
	}
	if err == nil {
		err = unix.Listen(fd, 1)
	}
	if err != nil {
		unix.Close(fd)
		return -1, &diag.Error{Op: "listen", Path: c.path(gateFile), Err: err}
	}
	return fd, nil
}

func (c *container) connectGate() (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, &diag.Error{Op: "socket", Err: err}
	}
	// Connecting waits, too, if whoever listens does not accept, socket(7).
	limit := unix.NsecToTimeval(c.runtime.timeout().Nanoseconds())
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)
	if err == nil {
		err = unix.Connect(fd, c.gateAddress())
	}
	if err == unix.EAGAIN {
		unix.Close(fd)
		return -1, c.noAnswer(nsenter.ErrTimeout)
	}
	if err != nil {
		unix.Close(fd)
		return -1, &diag.Error{Op: "connect", Path: c.path(gateFile), Err: err}
	}
	return fd, nil
}

// explainFault words the fault of a stage that an earlier create left waiting;
// the stage's image holds the words.
func (c *container) explainFault(fault *nsenter.Fault) error {
	program, err := nsenter.ReadImage("/proc/" + strconv.Itoa(c.Pid) + "/exe")
	if err != nil {
		return fault
	}
	err = program.Explain(fault)
	raw, configErr := c.readFile(configFile)
	if configErr != nil {
		return err
	}
	config, configErr := decodeConfig(raw)
	if configErr != nil {
		return err
	}
	if config.Process == nil {
		return spec.Misspelt(err, raw)
	}
	return explainExec(err, config.Process, config.Linux, c.Pid, c.Rootfs)
}

// explainExec adds to the failure of an execve what is wrong with the program,
// by a look at the root of process pid.
func explainExec(err error, p *specs.Process, linux *specs.Linux, pid int, rootfs string) error {
	if p == nil {
		return err
	}
	root, openErr := openContainerRoot(pid, rootfs)
	if openErr != nil {
		return err
	}
	defer unix.Close(root)
	return process.Explain(err, p, root, linux)
}

// openContainerRoot opens the root of a stage. Before the stage has changed it,
// that is the host's, which is nobody's to read about: then it is rootfs, which
// will become the root.
func openContainerRoot(pid int, rootfs string) (int, error) {
	var ours, theirs unix.Stat_t
	path := "/proc/" + strconv.Itoa(pid) + "/root"
	if err := unix.Stat("/", &ours); err != nil {
		return -1, err
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.Fstat(fd, &theirs); err != nil || theirs.Dev != ours.Dev || theirs.Ino != ours.Ino {
		return fd, err
	}
	unix.Close(fd)
	return unix.Open(rootfs, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// abandon destroys a container whose start has failed in a hook: runtime.md
// asks for the rest of the lifecycle, poststop hooks included.
func (c *container) abandon(cause error) error {
	if err := c.destroy(); err != nil {
		c.runtime.Log.Warnf("after %v: %v", cause, err)
	}
	return cause
}
