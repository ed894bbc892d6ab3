package libcontainer

import (
	"errors"
	"strconv"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/cgroups"
	"ociruntime/cgroups/systemd"
	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// membership is how the process of an exec, and nothing else of us, gets into
// the container's cgroup. Only one process may ever count there: a container may
// be one short of its pids limit.
//
//	version 1   the child writes "0" to each tasks file
//	version 2   the child is born there; or, when its first steps must be made
//	            on other CPUs, it writes "0" to cgroup.procs
//	frozen      whoever enters a frozen cgroup stops. So nothing is left to do
//	            for the child but execve when the parent moves it there
//	user scope  from another session of his than his manager's, a user may not
//	            enter himself; his manager moves the child, as late
type membership struct {
	join   *cgroups.Join
	born   bool
	procs  int           // version 2: cgroup.procs, if needed; else -1
	late   []int         // files into which the parent writes the pid
	attach *systemd.Unit // whose manager moves the child, or nil

	dir   nsenter.FD // in the stage
	files []nsenter.FD
}

// findCgroup names the cgroup: the container's or, with --cgroup, one below it.
func (x *execution) findCgroup() (err error) {
	x.group = x.cgroup()
	if len(x.options.Cgroup) > 0 {
		own := x.group
		defer own.Close()
		if x.group, err = own.Sub(x.options.Cgroup); err != nil {
			return err
		}
	}
	frozen, err := x.group.Frozen()
	x.paused = frozen && err == nil // one that cannot be read is not frozen by us
	return nil
}

// joinCgroup opens the cgroup and decides how to enter it.
func (x *execution) joinCgroup() (err error) {
	m := membership{procs: -1}
	if x.nested {
		m.join, err = x.group.JoinAt(x.Pid)
	} else {
		m.join, err = x.group.Join()
	}
	if err != nil {
		return err
	}
	x.members = m
	if m.join.Dir < 0 {
		return x.postpone()
	}
	if x.outside {
		unit, _ := systemd.Of(x.Cgroup)
		x.members.attach = &unit
		return x.postpone()
	}
	if x.members.born = !x.paused && !x.process.HasInitialAffinity(); x.members.born {
		return nil
	}
	if x.members.procs, err = cgroups.OpenProcs(m.join.Dir); err != nil {
		return err
	}
	return x.postpone()
}

// postpone leaves to the parent what would stop the child.
func (x *execution) postpone() error {
	if !x.paused {
		return nil
	}
	m := &x.members
	if m.procs >= 0 {
		m.late, m.procs = append(m.late, m.procs), -1
	}
	early := m.join.Tasks[:0]
	for _, t := range m.join.Tasks {
		if t.Freezer {
			m.late = append(m.late, t.FD)
			continue
		}
		early = append(early, t)
	}
	m.join.Tasks = early
	return nil
}

// inherit makes p's stage have what it needs to enter.
func (m *membership) inherit(p *nsenter.Program) {
	m.files = m.files[:0]
	for _, t := range m.join.Tasks {
		m.files = append(m.files, p.Inherit(t.FD, "tasks"))
	}
	if m.procs >= 0 {
		m.files = append(m.files, p.Inherit(m.procs, "cgroup.procs"))
	}
	if m.born {
		m.dir = p.Inherit(m.join.Dir, "cgroup")
	}
}

const cgroupField = "cgroup"

// enter records what the child does to become a member.
func (m *membership) enter(p *nsenter.Program) {
	p.At(cgroupField)
	for _, f := range m.files {
		p.Write(f, "0")
	}
}

// enterLate makes process pid a member where it could not go by itself.
func (x *execution) enterLate(pid int) error {
	m := &x.members
	for _, fd := range m.late {
		if _, err := unix.Write(fd, strconv.AppendInt(nil, int64(pid), 10)); err != nil {
			return x.group.ExplainJoin(err)
		}
	}
	if m.attach == nil {
		return nil
	}
	return x.attach(pid)
}

// attach has systemd make process pid a member of the container's own cgroup, from
// where the caller may move it on to one below.
func (x *execution) attach(pid int) error {
	err := x.members.attach.Attach([]int{pid}, x.runtime.timeout())
	if errors.Is(err, unix.EBUSY) {
		return x.group.ExplainJoin(unix.EBUSY)
	}
	if err != nil || len(x.options.Cgroup) == 0 {
		return err
	}
	procs, err := cgroups.OpenProcs(x.members.join.Dir)
	if err != nil {
		return err
	}
	defer unix.Close(procs)
	if _, err := unix.Write(procs, strconv.AppendInt(nil, int64(pid), 10)); err != nil {
		return x.group.ExplainJoin(err)
	}
	return nil
}

func (m *membership) close() {
	if m.join == nil {
		return
	}
	m.join.Close()
	closeFD(m.procs)
	for _, fd := range m.late {
		closeFD(fd)
	}
	*m = membership{}
}

// handsDown reports whether err says that the cgroup takes no processes
// because it has handed controllers down: cgroup-v2.rst, "no internal process".
func (x *execution) handsDown(err error) bool {
	return errors.Is(err, unix.EBUSY) && x.members.join != nil && x.members.join.Dir >= 0 &&
		!x.nested && len(x.options.Cgroup) == 0
}

// keepsOut reports whether err says that the caller may not move a process into
// the cgroup of a user's scope, though his manager may: cgroups(7), "delegation
// containment". Other owners are out of reach.
func (x *execution) keepsOut(err error) bool {
	var e *diag.Error
	return x.Cgroup.Scope != "" && x.Cgroup.User && !x.outside && errors.As(err, &e) && e.Code == "cgroup-join" &&
		(errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM))
}

// checkPids refuses a process that is one too many. The kernel refuses to fork
// one in a full cgroup, but not to move one there (cgroup-v2.rst, "PID").
func (x *execution) checkPids() error {
	if x.members.born && len(x.members.files) == 0 || x.hook != "" {
		return nil
	}
	return x.group.CheckPids(x.members.born)
}

// glance is after how long a wait for the stage begins to look for reasons.
const glance = 100 * time.Millisecond

// next waits for the stage's next report. A container that was paused behind
// our back is reported at once: the stage in it does nothing any more.
func (x *execution) next() (nsenter.Event, error) {
	deadline := time.Now().Add(x.runtime.timeout())
	for {
		left := time.Until(deadline)
		event, err := x.foreground.next(x.stage, min(left, glance))
		if !errors.Is(err, nsenter.ErrTimeout) {
			return event, err
		}
		if left <= glance {
			return event, x.stuck()
		}
		if frozen, err := x.group.Frozen(); err == nil && frozen && !x.paused {
			return event, &diag.Error{Path: x.id, Err: ErrExecPaused, Hint: "it was paused just now", Code: "paused"}
		}
	}
}

// stuck words a stage that does not answer.
func (x *execution) stuck() error {
	if frozen, err := x.group.Frozen(); err == nil && frozen {
		return &diag.Error{Op: "exec", Err: errors.New("the process did not start in " + x.runtime.timeout().String()),
			Hint: "the container is still paused; --detach does not wait", Code: "timeout"}
	}
	return frozenHint(stuckError("exec", x.stage, x.runtime.timeout()), x.group)
}

// explain adds to the failure of the stage what can be observed.
func (x *execution) explain(err error) error {
	var e *diag.Error
	pidfd, dead := x.alive()
	closeFD(pidfd)
	if errors.Is(dead, ErrNotRunning) {
		return &diag.Error{Path: x.id, Err: ErrExecStopped, Code: "not-running"}
	}
	if errors.As(err, &e) && (e.Op == "clone3" || e.Field == cgroupField) {
		return x.group.ExplainJoin(e.Err)
	}
	linux := &specs.Linux{UIDMappings: x.UIDMappings, GIDMappings: x.GIDMappings}
	return explainExec(err, x.spec, linux, x.stage.Pid, x.Rootfs)
}
