package process

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// rlimit is one checked entry of process.rlimits.
type rlimit struct {
	field      string
	name       string
	resource   int
	soft, hard uint64
}

// resourceNumber returns the number of a resource of getrlimit(2), or -1.
func resourceNumber(name string) int {
	switch name {
	case "RLIMIT_CPU":
		return unix.RLIMIT_CPU
	case "RLIMIT_FSIZE":
		return unix.RLIMIT_FSIZE
	case "RLIMIT_DATA":
		return unix.RLIMIT_DATA
	case "RLIMIT_STACK":
		return unix.RLIMIT_STACK
	case "RLIMIT_CORE":
		return unix.RLIMIT_CORE
	case "RLIMIT_RSS":
		return unix.RLIMIT_RSS
	case "RLIMIT_NPROC":
		return unix.RLIMIT_NPROC
	case "RLIMIT_NOFILE":
		return unix.RLIMIT_NOFILE
	case "RLIMIT_MEMLOCK":
		return unix.RLIMIT_MEMLOCK
	case "RLIMIT_AS":
		return unix.RLIMIT_AS
	case "RLIMIT_LOCKS":
		return unix.RLIMIT_LOCKS
	case "RLIMIT_SIGPENDING":
		return unix.RLIMIT_SIGPENDING
	case "RLIMIT_MSGQUEUE":
		return unix.RLIMIT_MSGQUEUE
	case "RLIMIT_NICE":
		return unix.RLIMIT_NICE
	case "RLIMIT_RTPRIO":
		return unix.RLIMIT_RTPRIO
	case "RLIMIT_RTTIME":
		return unix.RLIMIT_RTTIME
	}
	return -1
}

// checkRlimits reads process.rlimits. A hard limit above the runtime's own takes
// CAP_SYS_RESOURCE in the first user namespace. The parent then raises it, see
// Grant, because the stage may be in another; without the capability the limit
// is lowered to what there is. Engines ask for more than a host gives (podman
// does by default), and a container with fewer is better than none.
func (x *Process) checkRlimits(h *Host) (warnings []string, err error) {
	seen := 0
	for i, r := range x.in.Process.Rlimits {
		l := rlimit{"process.rlimits[" + strconv.Itoa(i) + "]", r.Type, resourceNumber(r.Type), r.Soft, r.Hard}
		switch {
		case l.resource < 0:
			return nil, problem(l.field+".type", fmt.Errorf("unknown resource limit %q", r.Type), "")
		case seen&(1<<l.resource) != 0:
			return nil, problem(l.field+".type", fmt.Errorf("%q is listed twice", r.Type), "")
		case l.soft > l.hard:
			return nil, problem(l.field+".soft", fmt.Errorf("%d is more than the hard limit, %d", r.Soft, r.Hard), "")
		}
		seen |= 1 << l.resource
		own, err := h.HardLimit(l.resource)
		if err != nil {
			return nil, &diag.Error{Field: l.field, Op: "prlimit64", Path: l.name, Err: err}
		}
		if l.hard > own {
			warnings = append(warnings, x.exceed(&l, own, h)...)
		}
		x.rlimits = append(x.rlimits, l)
	}
	return warnings, nil
}

// exceed plans for a limit above own, the runtime's.
func (x *Process) exceed(l *rlimit, own uint64, h *Host) []string {
	if h.Resource() {
		x.raise = append(x.raise, *l)
		return nil
	}
	warning := fmt.Sprintf("%s: %s is %d instead of %d, because the runtime's own hard limit is that and it has no CAP_SYS_RESOURCE",
		l.field, l.name, own, l.hard)
	l.hard, l.soft = own, min(l.soft, own)
	return []string{warning}
}

// setRlimits applies all of them, including those that Grant has raised: the
// soft limits are still the caller's.
func (x *Process) setRlimits(p *nsenter.Program) {
	for _, l := range x.rlimits {
		p.At(l.field)
		p.Prlimit(l.resource, l.soft, l.hard)
	}
}

// raiseLimits gives process pid the hard limits that it may not take itself.
func (x *Process) raiseLimits(pid int) error {
	for _, l := range x.raise {
		old := unix.Rlimit{}
		err := unix.Prlimit(pid, l.resource, nil, &old)
		if err == nil {
			err = unix.Prlimit(pid, l.resource, &unix.Rlimit{Cur: old.Cur, Max: l.hard}, nil)
		}
		if err != nil {
			e := &diag.Error{Field: l.field, Op: "raise", Path: l.name, Err: err}
			if errors.Is(err, unix.EPERM) && l.resource == unix.RLIMIT_NOFILE {
				e.Hint = "no limit can be above fs.nr_open"
			}
			return e
		}
	}
	return nil
}
