package libcontainer

import (
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// visit is the way of another process, of exec or of a hook, into the
// namespaces and the root of a container's process.
type visit struct {
	flags       uintptr // CLONE_NEW* to join
	pidfd, root int
	keepGroups  bool                             // leave the caller's supplementary groups
	inner       struct{ pidfd, root nsenter.FD } // in the stage
}

// visit opens what a stage that is recorded in p needs to follow the
// container's process. ErrNotRunning if there is none.
func (c *container) visit(p *nsenter.Program) (*visit, error) {
	pidfd, err := c.alive()
	if err != nil {
		return nil, err
	}
	path := "/proc/" + strconv.Itoa(c.Pid) + "/root"
	root, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(pidfd)
		return nil, &diag.Error{Op: "open", Path: path, Err: err}
	}
	v := &visit{flags: uintptr(c.Namespaces), pidfd: pidfd, root: root, keepGroups: keepsGroups(c.Annotations)}
	v.inner.pidfd, v.inner.root = p.Inherit(pidfd, "pidfd"), p.Inherit(root, "root")
	return v, nil
}

func (v *visit) close() {
	unix.Close(v.pidfd)
	unix.Close(v.root)
}

// enter records the joins: all namespaces by one setns(2), which takes care of
// the order, then the root, then a child, as a pid namespace is only entered
// by being born in it. The child also becomes a member of a cgroup, unless m is
// nil. That takes the right to write there, which is lost with a join of the
// user namespace; so with one of these it is the child that joins. A caller who
// is not root has no right to lose, and needs those that the join gives.
func (v *visit) enter(p *nsenter.Program, m *membership) {
	p.At(namespacesField)
	if v.flags&unix.CLONE_NEWUSER == 0 || m == nil || os.Geteuid() != 0 {
		// From inside the cgroup namespace, a cgroup mount with nsdelegate, as
		// systemd makes it, lets nobody be born in a cgroup whose parent is
		// outside (cgroups(7)); so that namespace comes last.
		v.join(p, v.flags&^unix.CLONE_NEWCGROUP)
		v.fork(p, m)
		p.At(namespacesField)
		if v.flags&unix.CLONE_NEWCGROUP != 0 {
			p.Setns(v.inner.pidfd, unix.CLONE_NEWCGROUP)
		}
		p.Close(v.inner.pidfd)
		return
	}
	if v.flags&unix.CLONE_NEWPID != 0 {
		p.Setns(v.inner.pidfd, unix.CLONE_NEWPID)
	}
	v.fork(p, m)
	p.At(namespacesField)
	v.join(p, v.flags&^unix.CLONE_NEWPID)
	p.Close(v.inner.pidfd)
}

const namespacesField = "container namespaces"

// join records the entry into namespaces and root. What is root in a user
// namespace must not trace us there: prctl(2) says that a change of ids may make
// a process dumpable again.
func (v *visit) join(p *nsenter.Program, namespaces uintptr) {
	if v.flags&unix.CLONE_NEWUSER != 0 && !v.keepGroups {
		nsenter.DropGroups(p)
	}
	if namespaces != 0 {
		p.Setns(v.inner.pidfd, namespaces)
	}
	p.Fchdir(v.inner.root)
	p.Chroot(".")
	p.Close(v.inner.root) // nothing is left for the container to find
	if v.flags&unix.CLONE_NEWUSER != 0 {
		nsenter.BecomeRoot(p)
		p.Prctl(unix.PR_SET_DUMPABLE, 0)
	}
}

// fork records that a child carries on, where one is needed, in the cgroup.
func (v *visit) fork(p *nsenter.Program, m *membership) {
	if v.forks(m) {
		flags, cgroup := uint64(unix.CLONE_PARENT), nsenter.AtCWD
		if m != nil && m.born {
			flags, cgroup = flags|unix.CLONE_INTO_CGROUP, m.dir
		}
		p.Fork(flags, 0, cgroup, func(pid nsenter.Word) {
			p.Send(nsenter.SyncForked, pid)
			p.Exit(0)
		})
		p.Wait()
	}
	if m != nil {
		m.enter(p)
	}
}

// forks reports whether enter leaves the work to a child.
func (v *visit) forks(m *membership) bool {
	return v.flags&unix.CLONE_NEWPID != 0 || m != nil && m.born
}

// adopt waits for the stage's child to be born, makes it what s stands for,
// and lets it go on.
func adopt(s *nsenter.Stage, timeout time.Duration) error {
	event, err := s.Next(timeout)
	if err == io.EOF {
		return stageDied(s)
	}
	if errors.Is(err, nsenter.ErrTimeout) {
		return stuckError("enter the container's namespaces", s, timeout)
	}
	if err != nil {
		return err
	}
	return adopted(s, event)
}

// adopted is adopt for a report that was read already.
func adopted(s *nsenter.Stage, event nsenter.Event) error {
	// Having said so was the last that the parent had to do.
	if _, err := s.Reap(reapTimeout); err != nil {
		return stuckError("wait for the stage that has forked", s, reapTimeout)
	}
	if err := s.Adopt(int(event.Value)); err != nil {
		return err
	}
	return s.Reply([]byte{1})
}
