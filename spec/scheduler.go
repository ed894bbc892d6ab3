package spec

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const (
	policies   = "SCHED_OTHER SCHED_FIFO SCHED_RR SCHED_BATCH SCHED_ISO SCHED_IDLE SCHED_DEADLINE"
	schedFlags = "SCHED_FLAG_RESET_ON_FORK SCHED_FLAG_RECLAIM SCHED_FLAG_DL_OVERRUN SCHED_FLAG_KEEP_POLICY " +
		"SCHED_FLAG_KEEP_PARAMS SCHED_FLAG_UTIL_CLAMP_MIN SCHED_FLAG_UTIL_CLAMP_MAX"
	ioClasses = "IOPRIO_CLASS_RT IOPRIO_CLASS_BE IOPRIO_CLASS_IDLE"

	minNice, maxNice         = -20, 19
	minRealtime, maxRealtime = 1, 99
	minDeadlineRuntime       = 1024      // nanoseconds, the kernel's DL_SCALE
	maxDeadline              = 1<<63 - 1 // nanoseconds
	maxIOPriority            = 7
)

// scheduler checks the scheduler of config.md#posix-process by the rules of
// sched_setattr(2) and sched(7).
func (c *checker) scheduler(field string, s *specs.Scheduler) {
	if s == nil {
		return
	}
	if !oneOf(s.Policy, policies) {
		c.unknown(field+".policy", "scheduling policy", string(s.Policy), policies)
	}
	if s.Nice < minNice || s.Nice > maxNice {
		c.number(field+".nice", int64(s.Nice), "must be from -20 to 19")
	}
	for i, flag := range s.Flags {
		if !oneOf(flag, schedFlags) {
			c.unknown(at(field+".flags", i), "scheduler flag", string(flag), schedFlags)
		}
	}
	switch s.Policy {
	case specs.SchedFIFO, specs.SchedRR:
		if s.Priority < minRealtime || s.Priority > maxRealtime {
			c.number(field+".priority", int64(s.Priority), "must be from 1 to 99 for "+string(s.Policy))
		}
	default:
		if s.Priority != 0 {
			c.number(field+".priority", int64(s.Priority), "which only SCHED_FIFO and SCHED_RR have")
		}
	}
	if s.Policy == specs.SchedDeadline {
		c.deadline(field, s)
		return
	}
	for _, time := range []struct {
		name  string
		value uint64
	}{{".runtime", s.Runtime}, {".deadline", s.Deadline}, {".period", s.Period}} {
		if time.value != 0 {
			c.problem(field+time.name, "is given, which only SCHED_DEADLINE has")
		}
	}
}

// deadline checks runtime <= deadline <= period; period 0 means the deadline.
func (c *checker) deadline(field string, s *specs.Scheduler) {
	switch {
	case s.Runtime < minDeadlineRuntime:
		c.problem(field+".runtime", "must be at least 1024 nanoseconds for SCHED_DEADLINE")
	case s.Runtime > s.Deadline:
		c.problem(field+".runtime", "is more than deadline")
	}
	switch {
	case s.Period != 0 && s.Deadline > s.Period:
		c.problem(field+".deadline", "is more than period")
	case s.Deadline > maxDeadline:
		c.problem(field+".deadline", "must be less than 2^63 nanoseconds")
	case s.Period > maxDeadline:
		c.problem(field+".period", "must be less than 2^63 nanoseconds")
	}
}

// ioPriority checks config.md#posix-process against ioprio_set(2).
func (c *checker) ioPriority(field string, p *specs.LinuxIOPriority) {
	if p == nil {
		return
	}
	if !oneOf(p.Class, ioClasses) {
		c.unknown(field+".class", "I/O scheduling class", string(p.Class), ioClasses)
	}
	if p.Priority < 0 || p.Priority > maxIOPriority {
		c.number(field+".priority", int64(p.Priority), "must be from 0 to 7")
	}
}

// cpuList checks a list of CPUs or memory nodes such as "0-3,7"; empty is none.
func (c *checker) cpuList(field, list string) {
	if list != "" && !isCPUList(list) {
		c.value(field, list, `must be a list of numbers and ranges such as "0-3,7"`)
	}
}

// isCPUList follows cpuset(7) "List format": numbers and ranges, separated by
// commas. The kernel allows white space around them.
func isCPUList(list string) bool {
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isSmallNumber(first) || isRange && (!isSmallNumber(last) || compareNumbers(first, last) > 0) {
			return false
		}
	}
	return true
}

// isSmallNumber says whether s is a number that any kernel could have as a CPU.
func isSmallNumber(s string) bool { return isDigits(s) && len(s) <= 9 }

// compareNumbers compares two small numbers without leading zeros to worry about.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
