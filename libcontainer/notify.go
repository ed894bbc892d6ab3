package libcontainer

import (
	"errors"
	"io"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer/seccomp"
	"ociruntime/nsenter"
)

// The listener of a seccomp filter with SCMP_ACT_NOTIFY goes to the agent at
// listenerPath before the program runs (config-linux.md#seccomp):
//
//	stage                        parent                      agent
//	filter is in force
//	Send(Listener, fd) ───────>  state + fd ─────────────>   supervises
//	Wait               <───────  Reply
//	execve
//
// The calls in between are made under the filter: sendmsg and read.

// syncListener is reported by a stage under such a filter; it carries the listener.
const syncListener nsenter.Sync = 18

// composeListener records the stage's side, for process.Become.
func composeListener(p *nsenter.Program) func(listener nsenter.FD) {
	return func(listener nsenter.FD) {
		p.Send(syncListener, 0, listener)
		p.Wait()
	}
}

// passListener is the parent's side. pid is the process under the filter, and
// status that of the container.
func (c *container) passListener(event nsenter.Event, profile *specs.LinuxSeccomp, pid int, status Status) error {
	for _, fd := range event.Files {
		defer unix.Close(fd)
	}
	if len(event.Files) != 1 || profile == nil {
		return &diag.Error{Field: "linux.seccomp", Op: "receive listener", Err: unix.EBADF}
	}
	state := appendState(nil, c.stateAs(status, c.Pid))
	message := seccomp.ProcessState(specs.Version, pid, profile.ListenerMetadata, state)
	return seccomp.SendListener(profile.ListenerPath, event.Files[0], message, c.runtime.timeout())
}

// departure is the last part of a stage's way: nothing is left for it but to
// hand over a listener, and execve.
type departure struct {
	*container
	profile  *specs.LinuxSeccomp // what is in force, or nil
	pid      int                 // of the process
	status   Status              // of the container
	notifies bool                // the filter has a listener
	passed   bool                // it is with the agent
}

// answer serves a report of the stage. done means that it has become the
// program, or died in the attempt.
func (d *departure) answer(event nsenter.Event, err error, reply func([]byte) error) (done bool, _ error) {
	switch {
	case err == io.EOF && d.notifies && !d.passed:
		return false, &diag.Error{Field: "linux.seccomp", Err: errors.New("the process ended before it handed over its listener"),
			Hint: "the filter must allow sendmsg and read", Code: "seccomp-listener"}
	case err == io.EOF:
		return true, nil
	case err != nil:
		return false, err
	case event.Sync != syncListener || d.passed:
		return false, errors.New("bug: unknown report of the stage")
	}
	d.passed = true
	if err := d.passListener(event, d.profile, d.pid, d.status); err != nil {
		return false, err
	}
	return false, reply([]byte{1})
}
