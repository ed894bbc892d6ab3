package nsenter

import (
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Namespace is one that the container process shall be in: a new one, or the
// existing one behind Path.
type Namespace struct {
	Type  Type
	Path  string // empty: new
	Field string // config field to blame, e.g. "linux.namespaces[2].path"
}

// Entry is the way into a set of namespaces. Which of them the stage is born
// in, joins, or makes itself depends on who owns what:
//
//   - Without a user namespace, new ones come with the clone and existing ones
//     are joined by the stage.
//   - A new user namespace alone comes with the clone, and owns the others.
//   - Existing namespaces may belong to the runtime's user namespace. So they
//     are joined before a user namespace is made or joined, and only then the
//     new ones are made, for the user namespace to own them.
//
// A cgroup namespace is always made by the stage, as its root is the cgroup
// the stage is in at that moment.
type Entry struct {
	CloneFlags uintptr // for Options
	KeepGroups bool    // leave the caller's supplementary groups; set it before Emit

	joins   []join
	unshare uintptr // made by the stage, user namespace first
	user    bool    // a new user namespace
	fork    bool    // a pid namespace only takes effect for a child
	late    uintptr // made once the stage is in its cgroup
	offsets []Offset
}

type join struct {
	Namespace
	fd int
}

// Offset shifts a clock of a new time namespace, time_namespaces(7).
type Offset struct{ Clock, Line string } // e.g. "monotonic", "monotonic 10 0"

// Syncs of an Entry; Serve answers them.
const (
	SyncForked Sync = 1 // value: pid of the child that carries on
	SyncUser   Sync = 2 // a user namespace waits for its mappings
)

// Enter opens what has to be joined. Close the Entry after Start.
func Enter(list []Namespace, offsets []Offset) (*Entry, error) {
	e := &Entry{offsets: offsets}
	userJoin := -1
	var made uintptr
	for _, n := range list {
		switch {
		case n.Path != "":
			fd, err := OpenNamespace(n.Type, n.Path)
			if err != nil {
				e.Close()
				return nil, &diag.Error{Field: n.Field, Err: err}
			}
			if n.Type == User {
				userJoin = len(e.joins)
			}
			e.joins = append(e.joins, join{n, fd})
		case n.Type == Cgroup, n.Type == Time && len(offsets) > 0:
			e.late |= n.Type.Flag()
		default:
			made |= n.Type.Flag()
		}
		e.fork = e.fork || n.Type == PID && n.Path != ""
	}
	e.user = made&unix.CLONE_NEWUSER != 0
	e.divide(made, userJoin)
	return e, nil
}

// divide decides between clone and unshare, and moves a joined user namespace
// to the end: the stage may lose its rights over the others with it.
func (e *Entry) divide(made uintptr, userJoin int) {
	if userJoin >= 0 {
		user := e.joins[userJoin]
		e.joins = append(append(e.joins[:userJoin:userJoin], e.joins[userJoin+1:]...), user)
	}
	if userJoin < 0 && (!e.user || len(e.joins) == 0) {
		e.CloneFlags = made
		return
	}
	e.unshare = made
	e.fork = e.fork || made&unix.CLONE_NEWPID != 0
}

// Emit records the joins and what else must happen before the stage is
// where it belongs, except for Late.
func (e *Entry) Emit(p *Program) {
	for _, j := range e.joins {
		p.At(j.Field)
		if j.Type == User && !e.KeepGroups {
			DropGroups(p)
		}
		p.Setns(p.Inherit(j.fd, "ns:"+string(j.Type)), j.Type.Flag())
		if j.Type == User {
			BecomeRoot(p)
		}
	}
	p.At("linux.namespaces")
	if e.unshare != 0 {
		p.Unshare(e.unshare)
	}
	if e.user {
		e.mapUser(p)
	}
	if e.fork {
		p.At("linux.namespaces")
		p.Fork(unix.CLONE_PARENT, 0, AtCWD, func(pid Word) {
			p.Send(SyncForked, pid)
			p.Exit(0)
		})
		p.Wait() // for the parent to know whom it talks to
	}
}

// mapUser waits for the mappings, then becomes root of the user namespace: so
// that what the stage makes belongs to it.
func (e *Entry) mapUser(p *Program) {
	p.At("linux.uidMappings")
	p.Send(SyncUser, 0)
	p.Wait()
	BecomeRoot(p)
}

// DropGroups takes the runtime's supplementary groups away from the stage while
// it still may: in a user namespace that denies setgroups(2) it would have to
// keep them.
func DropGroups(p *Program) {
	p.Setgroups(nil)
	p.Allow(unix.EPERM)
}

// BecomeRoot makes the stage root of the user namespace it is in, if that maps
// an id 0.
func BecomeRoot(p *Program) {
	p.Setresgid(0)
	p.Allow(unix.EINVAL)
	p.Setresuid(0)
	p.Allow(unix.EINVAL)
}

// Late records the namespaces that depend on what was done since Emit: the
// cgroup namespace on the cgroup, a time namespace with offsets on nothing
// having started in it.
func (e *Entry) Late(p *Program) {
	if e.late == 0 {
		return
	}
	p.At("linux.namespaces")
	p.Unshare(e.late)
	if e.late&unix.CLONE_NEWTIME == 0 {
		return
	}
	p.At("linux.timeOffsets")
	file := p.Openat2(AtCWD, "/proc/self/timens_offsets", unix.OpenHow{Flags: unix.O_WRONLY})
	for _, o := range e.offsets {
		p.At("linux.timeOffsets." + o.Clock)
		p.Write(file, o.Line+"\n")
	}
	ns := p.Openat2(AtCWD, "/proc/self/ns/time_for_children", unix.OpenHow{})
	p.Setns(ns, unix.CLONE_NEWTIME)
}

// Syncs is how many reports the recorded joins make that the parent has to
// answer, before anything that is recorded later.
func (e *Entry) Syncs() int {
	n := 0
	if e.user {
		n++
	}
	if e.fork {
		n++
	}
	return n
}

// NewUser reports whether a user namespace is made, and mappings are needed.
func (e *Entry) NewUser() bool { return e.user }

// Close closes the namespaces that were opened.
func (e *Entry) Close() {
	for _, j := range e.joins {
		unix.Close(j.fd)
	}
	e.joins = nil
}
