package cgroups

import (
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Freeze stops every process of the cgroup and waits until all have stopped.
// When that takes longer than timeout the cgroup is thawed again and the error
// is ErrTimeout.
func (g *Group) Freeze(timeout time.Duration) error {
	t := g.census()
	if t == nil {
		return ErrNoCgroup
	}
	err := t.setFrozen(true, time.Now().Add(timeout))
	if err != nil {
		_ = t.setFrozen(false, time.Now().Add(timeout)) // best effort: the first error tells more
	}
	return err
}

// Thaw lets a frozen cgroup run on. One that is not frozen is left alone. If it
// has to wait for one above it to be thawed, the error is ErrFrozenAbove.
func (g *Group) Thaw(timeout time.Duration) error {
	t := g.census()
	if t == nil {
		return ErrNoCgroup
	}
	return t.setFrozen(false, time.Now().Add(timeout))
}

// Frozen reports whether the cgroup is frozen or freezing, by itself or by one above.
func (g *Group) Frozen() (bool, error) {
	t := g.census()
	if t == nil || t.Path == "/" {
		return false, nil
	}
	if !t.old && path.Dir(t.Path) == "/" && t.Made == 1 {
		return false, nil // just made, and the root of a hierarchy cannot be frozen
	}
	return t.frozen()
}

func (t *tree) frozen() (bool, error) {
	dir, err := t.open()
	if err != nil {
		return false, err
	}
	file := t.freezeState()
	if file == "" {
		return false, nil
	}
	text, err := readFile(dir, file)
	if err != nil {
		return false, pathErr("read", t.Dir()+"/"+file, err)
	}
	if t.saysFrozen(text) || t.Controllers != "" {
		return t.saysFrozen(text), nil
	}
	// The kernel calls a cgroup not frozen as long as one process has not
	// stopped, which may just have been moved there or be about to die.
	text, err = readFile(dir, "cgroup.freeze")
	return err == nil && strings.HasPrefix(text, "1"), nil // the file is missing in the root
}

// freezeState is the file that tells whether the cgroup is frozen.
func (t *tree) freezeState() string {
	switch {
	case t.Controllers == "":
		return "cgroup.events"
	case t.Has("freezer"):
		return "freezer.state"
	}
	return ""
}

func (t *tree) saysFrozen(text string) bool {
	if t.Controllers == "" {
		return keyed(text, "frozen") == "1"
	}
	return !strings.HasPrefix(text, "THAWED") // FREEZING counts
}

func (t *tree) setFrozen(frozen bool, deadline time.Time) error {
	if t.Controllers == "" {
		return t.freezeV2(frozen, deadline)
	}
	if !t.Has("freezer") {
		return &diag.Error{Op: "freeze", Path: t.Dir(), Err: ErrNoController, Hint: "no hierarchy has the freezer", Code: "cgroup-controller-missing"}
	}
	return t.freezeV1(frozen, deadline)
}

// freezeV2 writes cgroup.freeze and waits for cgroup.events to agree,
// cgroup-v2.rst (Linux 5.2).
func (t *tree) freezeV2(frozen bool, deadline time.Time) error {
	dir, err := t.open()
	if err != nil {
		return err
	}
	value := "0"
	if frozen {
		value = "1"
	}
	if err := writeFile(dir, "cgroup.freeze", value); err != nil {
		return pathErr("write", t.Dir()+"/cgroup.freeze", err)
	}
	if above := t.frozenAt(); above != "" && !frozen {
		return t.staysFrozen(above)
	}
	done, err := t.waitEvent(deadline, func(events string) bool { return keyed(events, "frozen") == value })
	if err == nil && !done {
		err = t.frozenTimeout(frozen)
	}
	return err
}

// freezeV1 writes freezer.state until it sticks: a process that forks while
// the kernel walks the list can leave the state at FREEZING for ever,
// cgroup-v1/freezer-subsystem.rst; writing again walks again. There is no event
// to wait for.
func (t *tree) freezeV1(frozen bool, deadline time.Time) error {
	dir, err := t.open()
	if err != nil {
		return err
	}
	value := "THAWED"
	if frozen {
		value = "FROZEN"
	}
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		if err := writeFile(dir, "freezer.state", value); err != nil {
			return pathErr("write", t.Dir()+"/freezer.state", err)
		}
		state, err := readFile(dir, "freezer.state")
		if err != nil {
			return pathErr("read", t.Dir()+"/freezer.state", err)
		}
		if strings.TrimSpace(state) == value {
			return nil
		}
		if above := t.frozenAt(); above != "" && !frozen {
			return t.staysFrozen(above)
		}
		if time.Now().After(deadline) {
			return t.frozenTimeout(frozen)
		}
		time.Sleep(pause)
	}
}

func (t *tree) staysFrozen(above string) error {
	return &diag.Error{Op: "thaw", Path: t.Dir(), Err: ErrFrozenAbove, Hint: above + "; it goes on when that is thawed", Code: "cgroup-frozen"}
}

func (t *tree) frozenTimeout(frozen bool) error {
	e := &diag.Error{Op: "freeze", Path: t.Dir(), Err: ErrTimeout, Code: "cgroup-freeze-timeout"}
	if !frozen {
		e.Op = "thaw"
	}
	e.Hint = t.frozenAt()
	if e.Hint == "" {
		pids, _ := t.pids()
		e.Hint = "processes: " + describe(pids)
	}
	return e
}

// frozenAt names the topmost cgroup on the way down that is frozen, or about to be.
func (g *Group) frozenAt() string { return g.census().frozenAt() }

func (t *tree) frozenAt() string {
	for i := 1; i < len(t.Path); i++ {
		if t.Path[i] == '/' && t.keepsFrozen(t.Path[1:i]) {
			return t.Mount + t.Path[:i] + " above it is frozen"
		}
	}
	return ""
}

// keepsFrozen reports whether the cgroup p is to be frozen by its own setting.
func (t *tree) keepsFrozen(p string) bool {
	if t.Controllers == "" {
		text, err := readFile(t.root, p+"/cgroup.freeze")
		return err == nil && strings.HasPrefix(text, "1")
	}
	text, err := readFile(t.root, p+"/freezer.self_freezing")
	return err == nil && strings.HasPrefix(text, "1")
}

// waitEvent waits until the content of cgroup.events satisfies done. The file
// answers poll(2) with POLLPRI at each change, cgroup-v2.rst.
func (t *tree) waitEvent(deadline time.Time, done func(events string) bool) (bool, error) {
	dir, err := t.open()
	if err != nil {
		return false, err
	}
	fd, err := openat(dir, "cgroup.events", unix.O_RDONLY)
	if err != nil {
		return false, pathErr("open", t.Dir()+"/cgroup.events", err)
	}
	defer unix.Close(fd)
	for {
		var buf [256]byte
		n, err := unix.Pread(fd, buf[:], 0)
		if err != nil && err != unix.EINTR {
			return false, pathErr("read", t.Dir()+"/cgroup.events", err)
		}
		if err == nil && done(string(buf[:n])) {
			return true, nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			return false, nil
		}
		set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}
		if _, err := unix.Poll(set, int(left.Milliseconds())+1); err != nil && err != unix.EINTR {
			return false, pathErr("poll", t.Dir()+"/cgroup.events", err)
		}
	}
}
