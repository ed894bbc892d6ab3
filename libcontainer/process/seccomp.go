package process

import (
	"errors"

	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

const seccompField = "linux.seccomp"

// checkSeccomp refuses what seccomp(2) would refuse with a bare EACCES.
func (x *Process) checkSeccomp() error {
	if x.in.Seccomp == nil || x.in.Process.NoNewPrivileges || x.caps.stage&(1<<unix.CAP_SYS_ADMIN) != 0 {
		return nil
	}
	return problem(seccompField, errors.New("a filter needs CAP_SYS_ADMIN or no_new_privs"),
		"set process.noNewPrivileges")
}

// kept is what the stage holds on to after taking the identity of the user.
// Without no_new_privs a filter takes CAP_SYS_ADMIN, seccomp(2). Installing it
// before giving that up would subject all of our own calls to the filter. So
// the permitted set, in which it has no effect, keeps it until then.
//
// It does not outlive the stage: execve computes the permitted set anew, from
// the bounding, inheritable and ambient ones and the file. (Only under
// no_new_privs does it look at the old one, capabilities(7).)
func (x *Process) kept() uint64 {
	if x.in.Seccomp == nil || x.in.Process.NoNewPrivileges {
		return 0
	}
	return 1 << unix.CAP_SYS_ADMIN
}

// Notifies reports whether the filter has a listener, which Become hands over.
func (x *Process) Notifies() bool {
	return x.in.Seccomp != nil && x.in.Seccomp.Flags&unix.SECCOMP_FILTER_FLAG_NEW_LISTENER != 0
}

// loadFilter installs the filter, after which only execve follows: so a filter
// needs to allow that, and nothing of ours. With a listener there is a message
// to the parent in between, by sendmsg and read.
func (x *Process) loadFilter(p *nsenter.Program, notify func(nsenter.FD)) {
	f := x.in.Seccomp
	if f == nil {
		return
	}
	c := &x.caps
	p.At(seccompField)
	if kept := x.kept(); kept&^c.effective != 0 {
		p.Capset(c.effective|kept, c.permitted|kept, c.inheritable)
	}
	listener := p.Seccomp(f.BPF, f.Flags)
	switch {
	case !x.Notifies():
	case notify == nil:
		p.Stop("nobody takes the listener of this filter, whose calls would wait for ever")
	default:
		notify(listener)
	}
}
