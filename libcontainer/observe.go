package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/cgroups"
	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
	"ociruntime/nsenter"
)

// Small observations about processes and files, mostly to word failures.

// isStage reports whether pid may still be the stage. A program that has been
// given the name of its image looks the same.
func isStage(pid int) bool {
	exe, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return err == nil && nsenter.IsImage(exe)
}

// stuckError words a wait for the stage that took longer than timeout: what was
// waited for, where in its Program the stage is, and what the kernel says of it.
func stuckError(op string, s *nsenter.Stage, timeout time.Duration) error {
	e := &diag.Error{Op: op, Err: errors.New("the stage did not answer in " + timeout.String()), Hint: sys.Doing(s.Pid), Code: "timeout"}
	if where := s.Where(); where != "" {
		e.Hint = "in " + where + "; " + e.Hint
	}
	return e
}

// frozenHint adds to the error of a wait that the cgroup is frozen, if it is.
func frozenHint(err error, group *cgroups.Group) error {
	var e *diag.Error
	if !errors.As(err, &e) || group == nil {
		return err
	}
	if frozen, readErr := group.Frozen(); readErr != nil {
		return err // there is no cgroup
	} else if frozen {
		e.Hint += "; its cgroup is frozen"
	} else {
		e.Hint += "; its cgroup is not frozen"
	}
	return err
}

// stageDied words the end of a stage that had not finished.
func stageDied(s *nsenter.Stage) error {
	status, err := s.Reap(reapTimeout)
	if err != nil {
		return stuckError("wait for the end of the stage", s, reapTimeout)
	}
	how := fmt.Sprintf("exited with status %d", status.ExitStatus())
	if status.Signaled() {
		how = "was killed by " + unix.SignalName(status.Signal())
	}
	return &diag.Error{Op: "container init", Err: errors.New(how), Code: "init-died"}
}

// died is stageDied with what the cgroup knows about it.
func (b *birth) died() error {
	err := stageDied(b.stage)
	var e *diag.Error
	if errors.As(err, &e) {
		e.Hint = causeHint(b.group.Cause())
	}
	return err
}

// owner names the owner of the container's directory, as list shows him.
func (c *container) owner() string {
	var st unix.Stat_t
	if unix.Fstat(c.dir, &st) != nil {
		return ""
	}
	return userName(st.Uid)
}

// userName looks up uid in /etc/passwd; an unknown one is "#uid".
func userName(uid uint32) string {
	if uid == 0 {
		return "root" // every list asks for it
	}
	text, _ := os.ReadFile("/etc/passwd")
	id := strconv.FormatUint(uint64(uid), 10)
	for line := range strings.Lines(string(text)) {
		f := strings.Split(line, ":")
		if len(f) > 2 && f[2] == id {
			return f[0]
		}
	}
	return "#" + id
}

// timeOffsets lists the clocks in a fixed order.
func timeOffsets(m map[string]specs.LinuxTimeOffset) []nsenter.Offset {
	var list []nsenter.Offset
	for clock, o := range m {
		list = append(list, nsenter.Offset{Clock: clock, Line: timeOffsetLine(clock, o)})
	}
	slices.SortFunc(list, func(a, b nsenter.Offset) int { return strings.Compare(a.Clock, b.Clock) })
	return list
}

// indexed is field[i].
func indexed(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

func closeFD(fd int) {
	if fd >= 0 {
		unix.Close(fd)
	}
}

// causeHint is what a cgroup knows about the end of its processes, if anything.
func causeHint(c cgroups.Cause) string { return c.String() }
