package cgroups

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Kill sends SIGKILL to every process of the cgroup and of those below it, and
// makes sure they can act on it: a frozen cgroup is thawed. It does not wait
// for them to be gone, Remove does. timeout bounds the freezing where the
// kernel has no cgroup.kill (before Linux 5.14, and version 1). A cgroup that
// is not the container's is not ours to kill: ErrNoCgroup, see SetMark.
func (g *Group) Kill(timeout time.Duration) error {
	t := g.census()
	if t != nil && t.Path == "/" && g.taken {
		return &diag.Error{Op: "kill cgroup", Path: t.Dir(), Err: errors.New("is the root of its hierarchy"), Code: "cgroup"}
	}
	if !g.Ours() {
		return ErrNoCgroup
	}
	killed := false
	if u := g.unified(); u != nil && g.owns(u) {
		err := u.killAll()
		killed = err == nil
		if g.mode == V2 && err != unix.ENOENT { // ENOENT: a kernel without the file
			return err
		}
	}
	if killed && g.idle(t) {
		return nil
	}
	return t.freezeAndKill(time.Now().Add(timeout))
}

// killAll writes cgroup.kill, which also reaches processes that are forking
// and those in frozen cgroups. A cgroup that is gone has nothing to kill.
func (t *tree) killAll() error {
	dir, err := t.open()
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	err = writeFile(dir, "cgroup.kill", "1")
	if err == nil || err == unix.ENOENT {
		return err
	}
	return pathErr("write", t.Dir()+"/cgroup.kill", err)
}

// idle reports whether a version 1 cgroup has no processes: on a hybrid host
// cgroup.kill may have missed one that was moved in the version 2 tree, or that
// the version 1 freezer keeps from dying.
func (g *Group) idle(t *tree) bool {
	pids, err := t.pids()
	return err == nil && len(pids) == 0
}

// freezeAndKill stops the cgroup so that nothing can fork out of the list of
// processes, kills what is on it, and lets the signals work. If it does not
// freeze in time, kills go on without it until a look finds nobody new.
func (t *tree) freezeAndKill(deadline time.Time) error {
	freezing := t.setFrozen(true, deadline)
	pids, err := t.pids()
	if err == nil {
		err = killPids(pids)
	}
	if freezing != nil && err == nil {
		err = t.killUntilStable(deadline)
	}
	if t.freezeState() != "" {
		if thawing := t.setFrozen(false, time.Now().Add(time.Second)); thawing != nil && err == nil && !gone(thawing) {
			err = thawing
		}
	}
	return err
}

// killUntilStable kills in rounds; each round's signals are fatal, so only a
// fork that raced with it can make another round needed.
func (t *tree) killUntilStable(deadline time.Time) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		pids, err := t.pids()
		if err != nil || len(pids) == 0 {
			return err
		}
		if err := killPids(pids); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return &diag.Error{Op: "kill cgroup", Path: t.Dir(), Err: &countError{ErrBusy, len(pids)}, Hint: describe(pids), Code: "cgroup-busy"}
		}
		time.Sleep(pause)
	}
}

func killPids(pids []int) error {
	for _, pid := range pids {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && err != unix.ESRCH {
			return &diag.Error{Op: "kill", Path: describe([]int{pid}), Err: err}
		}
	}
	return nil
}

// gone reports whether err says that a cgroup has been removed: ENOENT when
// looking for it, ENODEV when using a descriptor of it.
func gone(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) }
