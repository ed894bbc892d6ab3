package libcontainer

import (
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer/process"
	"ociruntime/nsenter"
)

// Run creates and starts container id. In the foreground it forwards signals,
// waits for the process, deletes the container, and returns the exit code:
// the process's, or 128 and the signal that killed it.
func (r *Runtime) Run(id string, o RunOptions) (code int, err error) {
	if err := o.becomeSubreaper(); err != nil {
		return 0, err
	}
	b, err := r.create(id, &o.CreateOptions, gateStatus, o.Detach)
	if err != nil {
		return 0, err
	}
	defer b.close()
	readiness, err := b.run()
	if err != nil {
		return 0, err
	}
	if o.Detach {
		b.unlock() // others may now act on the container, while we wait
		return 0, b.awaitReadiness(readiness)
	}
	if readiness == nil {
		return b.wait(o.Keep)
	}
	told := make(chan struct{})
	go func() {
		defer close(told)
		b.relayReadiness(readiness, os.Getpid()) // we end with the service
	}()
	code, err = b.wait(o.Keep)
	readiness.hangUp()
	select { // a service that has ended at once may have been ready before
	case <-told:
	case <-time.After(r.timeout()):
	}
	return code, err
}

// becomeSubreaper has what the container leaves behind in our pid namespace
// become ours to reap.
func (o *RunOptions) becomeSubreaper() error {
	if o.Detach || o.NoSubreaper {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return &diag.Error{Op: "prctl", Path: "PR_SET_CHILD_SUBREAPER", Err: err}
	}
	return nil
}

// wait waits in the foreground for the end of a process that runs, and returns
// its exit code. Unless the container is to be kept, it is deleted.
func (b *birth) wait(keep bool) (code int, err error) {
	b.unlock() // others may now act on the container, while we wait
	if b.devices != nil {
		b.devices.Close() // the network namespace is to end with the container
	}
	code = b.foreground.supervise(b.stage, b.terminal)
	b.terminal.restore()
	b.tellCause(code)
	if keep {
		return code, nil
	}
	return code, b.finish()
}

// run opens the gate of a stage that waits on the status socket.
func (b *birth) run() (readiness *readiness, err error) {
	defer func() {
		if err != nil {
			b.undo()
		}
	}()
	b.timing.Phase("start the program")
	if err := b.runHooks("startContainer", Created); err != nil {
		return nil, err
	}
	if readiness, err = b.listenReadiness(b.options.NotifySocket); err != nil {
		return nil, err
	}
	if err := b.stage.Reply(b.late); err != nil {
		return nil, err
	}
	if err := b.become(); err != nil {
		return nil, at(diag.StageStart, err)
	}
	if err := b.runHooks("poststart", Running); err != nil {
		return nil, err
	}
	return readiness, b.started(&b.timing, false)
}

// awaitReadiness waits until a detached container is ready; nil needs no wait.
func (b *birth) awaitReadiness(n *readiness) error {
	if n == nil {
		return nil
	}
	err := b.await(n, b.foreground)
	if err != nil && b.lock() == nil {
		b.undo()
	}
	return err
}

// become serves the stage until it has become the program.
func (b *birth) become() error {
	d := departure{container: b.container, profile: b.linux().Seccomp, pid: b.stage.Pid, status: Created, notifies: b.Notifies}
	for {
		event, err := b.nextUnlessFrozen(func(timeout time.Duration) (nsenter.Event, error) { return b.foreground.next(b.stage, timeout) })
		if err != nil && err != io.EOF {
			return b.explain(err)
		}
		done, err := d.answer(event, err, b.stage.Reply)
		if err == nil && done && killsCalls(d.profile) {
			err = b.stillborn()
		}
		if done || err != nil {
			return err
		}
	}
}

// killsCalls reports whether a filter may end a process for what it calls: then
// that may have been execve itself.
func killsCalls(profile *specs.LinuxSeccomp) bool {
	if profile == nil {
		return false
	}
	kills := func(a specs.LinuxSeccompAction) bool {
		return a == specs.ActKill || a == specs.ActKillProcess || a == specs.ActKillThread || a == specs.ActTrap
	}
	return kills(profile.DefaultAction) ||
		slices.ContainsFunc(profile.Syscalls, func(s specs.LinuxSyscall) bool { return kills(s.Action) })
}

// stillborn tells the two ways apart in which the stage hangs up: it has become
// the program, or it died. A process that has ended keeps its name, which
// execve(2) would have changed.
func (b *birth) stillborn() error {
	if _, err := os.Readlink("/proc/" + strconv.Itoa(b.stage.Pid) + "/exe"); err == nil {
		return nil // the stage's own is gone before its sockets are
	}
	if comm, err := os.ReadFile("/proc/" + strconv.Itoa(b.stage.Pid) + "/comm"); err != nil || !nsenter.IsName(string(comm)) {
		return nil
	}
	status, err := b.stage.Reap(reapTimeout)
	if err != nil {
		return stuckError("wait for the end of the process", b.stage, reapTimeout)
	}
	return process.Died(status, true)
}

// finish deletes the container after its process has ended. Another command
// may have done so already.
func (b *birth) finish() error {
	return b.runtime.Delete(b.id, true)
}
