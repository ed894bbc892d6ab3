package process

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// Scheduling policies of linux/sched.h.
const (
	schedOther = iota
	schedFIFO
	schedRR
	schedBatch
	schedISO // reserved: the kernel refuses it
	schedIdle
	schedDeadline
)

// I/O priority classes and layout of linux/ioprio.h.
const (
	ioprioRealtime   = 1
	ioprioBestEffort = 2
	ioprioIdle       = 3
	ioprioClassShift = 13

	ioprioWhoProcess = 1
	ioprioWhoGroup   = 2
)

const (
	schedulerField  = "process.scheduler"
	ioPriorityField = "process.ioPriority"
)

// scheduling is process.scheduler and process.ioPriority as the kernel wants
// them; nil and -1 leave the caller's in place.
type scheduling struct {
	attr   *unix.SchedAttr
	ioprio int
	// fromParent says that the stage may not set them and the parent can: the
	// kernel wants CAP_SYS_NICE in the first user namespace.
	fromParent bool
}

func (x *Process) checkScheduling(h *Host) ([]string, error) {
	x.scheduling.ioprio = -1
	var privileged bool
	var err error
	if s := x.in.Process.Scheduler; s != nil {
		if x.scheduling.attr, err = x.schedAttr(); err != nil {
			return nil, err
		}
		policy := x.scheduling.attr.Policy
		privileged = s.Nice < 0 || policy == schedFIFO || policy == schedRR || policy == schedDeadline
	}
	if s := x.in.Process.IOPriority; s != nil {
		if x.scheduling.ioprio, err = x.ioPriority(); err != nil {
			return nil, err
		}
		privileged = privileged || x.scheduling.ioprio>>ioprioClassShift == ioprioRealtime
	}
	x.scheduling.fromParent = privileged && x.in.Userns && h.Nice()
	return nil, nil
}

func schedPolicy(name string) int {
	switch name {
	case "SCHED_OTHER":
		return schedOther
	case "SCHED_FIFO":
		return schedFIFO
	case "SCHED_RR":
		return schedRR
	case "SCHED_BATCH":
		return schedBatch
	case "SCHED_ISO":
		return schedISO
	case "SCHED_IDLE":
		return schedIdle
	case "SCHED_DEADLINE":
		return schedDeadline
	}
	return -1
}

func schedFlag(name string) uint64 {
	switch name {
	case "SCHED_FLAG_RESET_ON_FORK":
		return unix.SCHED_FLAG_RESET_ON_FORK
	case "SCHED_FLAG_RECLAIM":
		return unix.SCHED_FLAG_RECLAIM
	case "SCHED_FLAG_DL_OVERRUN":
		return unix.SCHED_FLAG_DL_OVERRUN
	case "SCHED_FLAG_KEEP_POLICY":
		return unix.SCHED_FLAG_KEEP_POLICY
	case "SCHED_FLAG_KEEP_PARAMS":
		return unix.SCHED_FLAG_KEEP_PARAMS
	case "SCHED_FLAG_UTIL_CLAMP_MIN":
		return unix.SCHED_FLAG_UTIL_CLAMP_MIN
	case "SCHED_FLAG_UTIL_CLAMP_MAX":
		return unix.SCHED_FLAG_UTIL_CLAMP_MAX
	}
	return 0
}

// schedAttr translates process.scheduler for sched_setattr(2). It refuses what
// the kernel would silently ignore or answer with a mere EINVAL.
func (x *Process) schedAttr() (*unix.SchedAttr, error) {
	s := x.in.Process.Scheduler
	policy := schedPolicy(string(s.Policy))
	realtime := policy == schedFIFO || policy == schedRR
	bad := func(field, format string, args ...any) (*unix.SchedAttr, error) {
		return nil, problem(schedulerField+"."+field, fmt.Errorf(format, args...), "")
	}
	switch {
	case policy < 0:
		return bad("policy", "unknown scheduling policy %q", s.Policy)
	case s.Nice < -20 || s.Nice > 19:
		return bad("nice", "%d is not between -20 and 19", s.Nice)
	case s.Priority != 0 && !realtime:
		return bad("priority", "%s has no priority, only SCHED_FIFO and SCHED_RR do", s.Policy)
	case realtime && (s.Priority < 1 || s.Priority > 99):
		return bad("priority", "%d is not between 1 and 99", s.Priority)
	case policy != schedDeadline && (s.Runtime != 0 || s.Deadline != 0 || s.Period != 0):
		return bad("policy", "%s has no runtime, deadline or period, only SCHED_DEADLINE does", s.Policy)
	}
	a := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: uint32(policy), Nice: s.Nice, Priority: uint32(s.Priority),
		Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period}
	for i, name := range s.Flags {
		flag := schedFlag(string(name))
		if flag == 0 {
			return bad("flags["+strconv.Itoa(i)+"]", "unknown scheduling flag %q", name)
		}
		a.Flags |= flag
	}
	return a, nil
}

func (x *Process) ioPriority() (int, error) {
	s := x.in.Process.IOPriority
	class := 0
	switch s.Class {
	case "IOPRIO_CLASS_RT":
		class = ioprioRealtime
	case "IOPRIO_CLASS_BE":
		class = ioprioBestEffort
	case "IOPRIO_CLASS_IDLE":
		class = ioprioIdle
	default:
		return 0, problem(ioPriorityField+".class", fmt.Errorf("unknown I/O priority class %q", s.Class), "")
	}
	if s.Priority < 0 || s.Priority > 7 {
		return 0, problem(ioPriorityField+".priority", fmt.Errorf("%d is not between 0 and 7", s.Priority), "")
	}
	return class<<ioprioClassShift | s.Priority, nil
}

// setScheduling is recorded while the stage still has its capabilities. The
// I/O priority is that of the process group, which since setsid is the stage.
func (x *Process) setScheduling(p *nsenter.Program) {
	s := &x.scheduling
	if s.fromParent {
		return
	}
	if s.attr != nil {
		p.At(schedulerField)
		p.SchedSetattr(*s.attr)
	}
	if s.ioprio >= 0 {
		p.At(ioPriorityField)
		p.IoprioSet(ioprioWhoGroup, 0, uint64(s.ioprio))
	}
}

// Grant gives the stage, which is process pid, what only the runtime may give:
// hard limits and priorities that take a capability in the first user
// namespace, and pipes of the runtime's own standard input and output to a user
// of another. The parent calls it between Ready and the start of the program.
func (x *Process) Grant(pid int) error {
	if err := x.raiseLimits(pid); err != nil {
		return err
	}
	x.grantStdio()
	s := &x.scheduling
	if !s.fromParent {
		return nil
	}
	if s.attr != nil {
		if err := unix.SchedSetAttr(pid, s.attr, 0); err != nil {
			return &diag.Error{Field: schedulerField, Op: "sched_setattr", Err: err}
		}
	}
	if s.ioprio >= 0 {
		_, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, uintptr(pid), uintptr(s.ioprio))
		if errno != 0 {
			return &diag.Error{Field: ioPriorityField, Op: "ioprio_set", Err: errno}
		}
	}
	return nil
}

// maxCPUs is the highest CONFIG_NR_CPUS.
const maxCPUs = 8192

// checkAffinity reads process.execCPUAffinity, which is for exec alone
// (config.md#linux-process).
func (x *Process) checkAffinity() (err error) {
	a := x.in.Process.ExecCPUAffinity
	if a == nil || !x.in.Exec {
		return nil
	}
	if x.initial, err = affinity("initial", a.Initial); err != nil {
		return err
	}
	x.final, err = affinity("final", a.Final)
	return err
}

func affinity(name, list string) ([]uint64, error) {
	if list == "" {
		return nil, nil
	}
	mask, err := parseList(list, maxCPUs)
	if err == nil && mask == nil {
		err = errors.New("lists no CPU")
	}
	if err != nil {
		return nil, problem("process.execCPUAffinity."+name, err, "")
	}
	return mask, nil
}

// InitialAffinity records on which CPUs an exec runs before it is moved to the
// container's cgroup: where it must not disturb. It reports whether there is
// such a rule; then the stage has to join the cgroup rather than be born there.
func (x *Process) InitialAffinity(p *nsenter.Program) bool {
	setAffinity(p, "process.execCPUAffinity.initial", x.initial)
	return x.initial != nil
}

// HasInitialAffinity says what InitialAffinity will return.
func (x *Process) HasInitialAffinity() bool { return x.initial != nil }

// FinalAffinity records on which CPUs an exec runs once it is in the cgroup.
// Without a rule the kernel decides.
func (x *Process) FinalAffinity(p *nsenter.Program) {
	setAffinity(p, "process.execCPUAffinity.final", x.final)
}

func setAffinity(p *nsenter.Program, field string, mask []uint64) {
	if mask != nil {
		p.At(field)
		p.SchedSetaffinity(mask)
	}
}
