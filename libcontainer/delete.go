package libcontainer

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/cgroups"
	"ociruntime/cgroups/systemd"
	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
)

// Delete removes what create made: a stopped or created container always, any
// other only with force, which also succeeds when there is nothing, and cleans
// up what a killed command has left. Poststop hooks run last; their failures
// are logged.
func (r *Runtime) Delete(id string, force bool) error {
	c, err := r.find(id)
	if errors.Is(err, ErrNotExist) {
		finished, finishErr := r.finishDelete(id)
		switch {
		case finishErr != nil:
			return finishErr
		case finished || force:
			return nil
		}
	}
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.lock(); err != nil {
		if errors.Is(err, ErrNotExist) && force {
			return nil
		}
		return err
	}
	if err := c.read(); err != nil {
		if !force {
			return err
		}
		r.Log.Warnf("%v; deleting what can be found of %q", err, id)
		c.record = c.guess()
	}
	if c.ID == "" { // a create that was killed before it wrote anything
		if !c.blank() {
			return c.notOurs()
		}
		err := c.remove()
		if err == nil && !force {
			err = &diag.Error{Path: id, Err: ErrNotExist, Code: "not-found"}
		}
		return err
	}
	if err := c.deletable(force); err != nil {
		return err
	}
	return c.destroy()
}

// deletable refuses a container that still does something, unless forced.
func (c *container) deletable(force bool) error {
	if force {
		return nil
	}
	status, err := c.status()
	if err != nil {
		return err
	}
	if status == Stopped || status == Created {
		return nil
	}
	return &diag.Error{Err: fmt.Errorf("cannot delete container %s that is not stopped: %s", c.id, status),
		Hint: "kill it first, or delete --force", Code: "not-stopped"}
}

// destroy ends all processes and removes cgroup and directory, in an order in
// which each step can be repeated: whoever is killed here, the next delete
// finds the record until everything else is gone.
func (c *container) destroy() error {
	if !c.outlivedBoot() {
		if err := c.dismantle(); err != nil {
			return err
		}
	}
	if c.hasHooks("poststop") {
		return c.runPoststop()
	}
	return c.remove()
}

// dismantle takes away what the container has in the kernel.
func (c *container) dismantle() error {
	group := c.cgroup()
	defer group.Close()
	ours := group.Ours()
	if err := c.end(group); err != nil {
		return err
	}
	c.keepCause(group)
	if err := c.stopScope(ours || c.Pid > 0); err != nil && !systemd.Unreachable(err) { // else there is no unit to forget
		return err
	}
	if err := group.Remove(c.runtime.timeout()); err != nil {
		return err
	}
	if c.IntelRdt != nil {
		return c.IntelRdt.Remove()
	}
	return nil
}

// end kills the container's processes and waits for the first of them.
func (c *container) end(group *cgroups.Group) error {
	pidfd, err := c.alive()
	if err != nil && !errors.Is(err, ErrNotRunning) {
		return err
	}
	if err := ignoreNoCgroup(group.Kill(c.runtime.timeout())); err != nil {
		return err
	}
	if pidfd < 0 {
		return nil
	}
	defer unix.Close(pidfd)
	if err := signalPidfd(pidfd, unix.SIGKILL); err != nil && !errors.Is(err, ErrNotRunning) {
		return err
	}
	return c.waitGone(pidfd)
}

// waitGone waits until the process has ended.
func (c *container) waitGone(pidfd int) error {
	deadline := time.Now().Add(c.runtime.timeout())
	for {
		left := time.Until(deadline)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, max(int(left.Milliseconds()), 0))
		if n > 0 {
			return nil
		}
		if err != nil && err != unix.EINTR {
			return &diag.Error{Op: "poll", Err: err}
		}
		if err == nil {
			return &diag.Error{Op: "wait for process", Path: strconv.Itoa(c.Pid),
				Err: errors.New("it did not end after SIGKILL"), Hint: sys.Doing(c.Pid), Code: "timeout"}
		}
	}
}

// remove takes away the directory. The record goes last, so that a directory
// without one never stands for anything but itself.
func (c *container) remove() error {
	if err := c.removeNotify(); err != nil {
		return err
	}
	for _, name := range []string{gateFile, configFile, "." + configFile, "." + recordFile, recordFile} {
		if err := unix.Unlinkat(c.dir, name, 0); err != nil && err != unix.ENOENT {
			return &diag.Error{Op: "remove", Path: c.path(name), Err: err}
		}
	}
	root, err := c.runtime.openRoot()
	if err != nil {
		return err
	}
	defer unix.Close(root)
	if err := unix.Unlinkat(root, c.entry, unix.AT_REMOVEDIR); err != nil && err != unix.ENOENT {
		return &diag.Error{Op: "remove", Path: c.runtime.Root + "/" + c.entry, Err: err}
	}
	return nil
}

// blank reports whether the directory holds nothing but, perhaps, a record that
// was being written: so create leaves it before there is anything else, and
// remove after there was.
func (c *container) blank() bool {
	names, err := readNames(c.dir, c.path(""))
	return err == nil && (len(names) == 0 || len(names) == 1 && names[0] == "."+recordFile)
}

func (c *container) notOurs() error {
	return &diag.Error{Op: "delete", Path: c.runtime.Root + "/" + c.entry, Err: errors.New("is not the directory of a container"), Code: "state-damaged",
		Hint: "it holds other files, and no " + recordFile}
}

// guess makes up the record of a damaged one from config.json: enough to find
// the cgroup, and never a process to signal.
func (c *container) guess() *record {
	r := &record{Version: recordVersion, ID: c.id, Readiness: true}
	raw, err := c.readFile(configFile)
	if err != nil {
		return r
	}
	config, err := decodeConfig(raw)
	if err != nil || config.Linux == nil {
		return r
	}
	host, err := cgroups.Detect()
	if err != nil {
		return r
	}
	defer host.Close()
	group, err := host.New(c.id, config.Linux.CgroupsPath, cgroups.Options{Lenient: true})
	if err != nil {
		return r
	}
	defer group.Close()
	r.Cgroup = group.Location()
	// The last element of each path was made by create, if by anybody.
	for i := range r.Cgroup.Places {
		r.Cgroup.Places[i].Made = 1
	}
	r.Hooks = hookKinds(config.Hooks)
	return r
}
