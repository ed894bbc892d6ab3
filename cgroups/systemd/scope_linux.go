package systemd

import (
	"errors"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/cgroups"
	"ociruntime/internal/diag"
)

// Errors of systemd that decide what we do, org.freedesktop.systemd1(5).
const (
	unitExists   = "org.freedesktop.systemd1.UnitExists"
	noSuchUnit   = "org.freedesktop.systemd1.NoSuchUnit"
	readOnly     = "org.freedesktop.DBus.Error.PropertyReadOnly" // also for an unknown property
	unknownProp  = "org.freedesktop.DBus.Error.UnknownProperty"
	invalidArgs  = "org.freedesktop.DBus.Error.InvalidArgs"
	accessDenied = "org.freedesktop.DBus.Error.AccessDenied"
	busy         = "System.Error.EBUSY" // sd-bus's name for the errno
	needsAuth    = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
)

// ErrActive: a unit of that name runs already.
var ErrActive = errors.New("the systemd unit is active")

// Start makes the scope with pid in it and waits until systemd has done so. What
// was left behind by a former unit of the name, in state failed, is cleared
// first. Everything together takes at most timeout.
func (u Unit) Start(pid int, id string, properties []Property, timeout time.Duration) error {
	c, err := dial(u.User, timeout)
	if err != nil {
		return err
	}
	defer c.close()
	all := append(u.own(pid, id), properties...)
	job, err := u.start(c, all)
	if isBus(err, readOnly, unknownProp, invalidArgs) && hasOptional(all) {
		job, err = u.start(c, required(all))
	}
	if isBus(err, unitExists) {
		job, err = u.replace(c, all, err)
	}
	if err != nil {
		return u.explain("start", err)
	}
	return u.finish(c, "start", job)
}

// own are the properties that make it a container's scope.
func (u Unit) own(pid int, id string) []Property {
	return []Property{
		{Name: "Description", Value: "container " + id},
		{Name: "Slice", Value: u.Slice},
		{Name: "PIDs", Value: []uint32{uint32(pid)}},
		{Name: "Delegate", Value: true}, // the cgroup below is ours to write
		{Name: "DefaultDependencies", Value: false},
		{Name: "MemoryAccounting", Value: true},
		{Name: "CPUAccounting", Value: true},
		{Name: "IOAccounting", Value: true, optional: true},
		{Name: "BlockIOAccounting", Value: true, optional: true},
		{Name: "TasksAccounting", Value: true},
		// A scope whose process was killed for want of memory would stay "failed"
		// and be in the way of the next one of its name. Since 236.
		{Name: "CollectMode", Value: "inactive-or-failed", optional: true},
	}
}

func hasOptional(list []Property) bool { return len(required(list)) < len(list) }

func required(list []Property) []Property {
	var kept []Property
	for _, p := range list {
		if !p.optional {
			kept = append(kept, p)
		}
	}
	return kept
}

// start calls StartTransientUnit(s name, s mode, a(sv) properties, a(sa(sv))
// aux) and returns the job.
func (u Unit) start(c *conn, properties []Property) (string, error) {
	var e encoder
	e.string(u.Name)
	e.string("replace")
	e.properties(properties)
	e.array(0, 8, nil)
	return jobOf(c.manager("StartTransientUnit", "ssa(sv)a(sa(sv))", e.b))
}

func jobOf(answer *message, err error) (string, error) {
	if err != nil {
		return "", err
	}
	job := answer.body.string()
	if answer.body.failed {
		return "", errMalformed
	}
	return job, nil
}

// replace starts the unit in the place of one that systemd still remembers. One
// that has processes is not ours to replace.
func (u Unit) replace(c *conn, properties []Property, exists error) (string, error) {
	var e encoder
	e.string(u.Name)
	for pause := 10 * time.Millisecond; pause < 400*time.Millisecond; pause *= 2 {
		if pids := u.members(c); len(pids) > 0 {
			return "", &diag.Error{Err: ErrActive, Hint: "processes " + cgroups.Describe(pids), Code: "systemd-unit"}
		}
		if _, err := c.manager("ResetFailedUnit", "s", e.b); err != nil && !isBus(err, noSuchUnit) {
			return "", err
		}
		job, err := u.start(c, properties)
		if !isBus(err, unitExists) {
			return job, err
		}
		exists = err
		time.Sleep(pause) // a unit that is stopping leaves in its own time, and tells only who asked for it
	}
	return "", exists
}

// members asks which processes are in the unit, wherever its cgroup is: it may be
// in another slice than ours. GetUnitProcesses(s name) returns a(sus): cgroup,
// pid and command line. Since systemd 230.
func (u Unit) members(c *conn) []int {
	var e encoder
	e.string(u.Name)
	answer, err := c.manager("GetUnitProcesses", "s", e.b)
	if err != nil || answer.signature != "a(sus)" {
		return nil // what cannot be read has no processes that we could name
	}
	var pids []int
	d := &answer.body
	end := int(d.uint32())
	d.align(8)
	for end += d.at; d.at < end && !d.failed; d.align(8) {
		d.string()
		pids = append(pids, int(d.uint32()))
		d.string()
	}
	return pids
}

// finish waits for a job.
func (u Unit) finish(c *conn, op, job string) error {
	result, err := c.waitJob(job)
	if err != nil {
		return u.explain(op, err)
	}
	if result != "done" {
		return u.explain(op, errors.New("systemd's job ended with \""+result+`"`))
	}
	return nil
}

// Set changes properties of the running scope, for update.
func (u Unit) Set(properties []Property, timeout time.Duration) error {
	c, err := dial(u.User, timeout)
	if err != nil {
		return err
	}
	defer c.close()
	err = u.set(c, properties)
	if isBus(err, readOnly, unknownProp, invalidArgs) && hasOptional(properties) {
		err = u.set(c, required(properties))
	}
	if err != nil {
		return u.explain("set properties of", err)
	}
	return nil
}

// set calls SetUnitProperties(s name, b runtime, a(sv) properties). runtime: not
// to be kept over a reboot.
func (u Unit) set(c *conn, properties []Property) error {
	var e encoder
	e.string(u.Name)
	e.uint32(1)
	e.properties(properties)
	_, err := c.manager("SetUnitProperties", "sba(sv)", e.b)
	return err
}

// Stop ends the scope and waits until systemd has removed it. A unit that is
// gone already, as when its last process has ended, is no error.
func (u Unit) Stop(timeout time.Duration) error {
	c, err := dial(u.User, timeout)
	if err != nil {
		return err
	}
	defer c.close()
	return u.stop(c)
}

// StopEmpty is Stop for a unit that may be another's: one with processes is left
// alone. systemd ends an empty one by itself, unless it has not noticed, as may be
// on version 1.
func (u Unit) StopEmpty(timeout time.Duration) error {
	c, err := dial(u.User, timeout)
	if err != nil {
		return err
	}
	defer c.close()
	if len(u.members(c)) > 0 {
		return nil
	}
	return u.stop(c)
}

// stop calls StopUnit(s name, s mode).
func (u Unit) stop(c *conn) error {
	var e encoder
	e.string(u.Name)
	e.string("replace")
	job, err := jobOf(c.manager("StopUnit", "ss", e.b))
	if isBus(err, noSuchUnit) {
		return nil
	}
	if err != nil {
		return u.explain("stop", err)
	}
	return u.finish(c, "stop", job)
}

// Attach has the manager move processes into the scope's own cgroup: an
// unprivileged caller in a session of its own may not do so himself (cgroups(7),
// "delegation containment"). A cgroup below can be named, too, but a user's manager
// has that refused to it from there (systemd 252). Since systemd 238.
func (u Unit) Attach(pids []int, timeout time.Duration) error {
	c, err := dial(u.User, timeout)
	if err != nil {
		return err
	}
	defer c.close()
	var e encoder
	e.string(u.Name)
	e.string("")
	e.array(len(pids), 4, func(i int) { e.uint32(uint32(pids[i])) })
	_, err = c.manager("AttachProcessesToUnit", "ssau", e.b)
	if isBus(err, busy) {
		return &diag.Error{Op: "attach process to systemd unit", Path: u.Name, Err: unix.EBUSY, Code: "systemd-unit"}
	}
	if err != nil {
		return u.explain("attach processes to", err)
	}
	return nil
}

func isBus(err error, names ...string) bool {
	var e *busError
	if !errors.As(err, &e) {
		return false
	}
	for _, name := range names {
		if e.name == name {
			return true
		}
	}
	return false
}

// explain words an error with the unit's name and what may be done.
func (u Unit) explain(op string, err error) error {
	e := &diag.Error{Op: op + " systemd unit", Path: u.Name, Err: err, Code: "systemd-unit"}
	manager := "systemctl"
	if u.User {
		manager += " --user"
	}
	switch {
	case errors.Is(err, unix.ETIMEDOUT):
		e.Err = errors.New("systemd did not answer in time")
		e.Hint = "see: " + manager + " list-jobs"
	case isBus(err, accessDenied, needsAuth):
		e.Hint = "the system's systemd obeys root only; a user needs a manager of his own (--rootless)"
	case isBus(err, unitExists):
		e.Hint = "see: " + manager + " status " + u.Name
	case strings.Contains(err.Error(), "job ended"):
		e.Hint = "see: " + strings.Replace(manager, "systemctl", "journalctl", 1) + " --unit " + u.Name
	}
	return e
}
