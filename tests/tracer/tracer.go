// Package tracer runs a command under ptrace(2) and, at the Nth of its system
// calls that have an effect, kills it or makes the call fail. So every point
// at which a command can be interrupted is reached by counting, not by luck.
//
//	report, err := tracer.Run(cmd, tracer.Plan{Target: tracer.Runtime, Nth: 17})
//
// The tracing is done by a process of its own: a second start of the test
// binary, whose TestMain has to call Main first.
//
// A command that ends before its Nth call shows that all have been tried.
package tracer

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Target says whose system calls count.
type Target int

// The targets: the process that was started, with all its threads, or those
// that it starts itself, and theirs.
const (
	Runtime Target = iota
	Children
)

// Plan is what to do, and when.
type Plan struct {
	Target  Target
	Nth     int           // counted from 1; 0 only counts
	Group   bool          // kill the whole process group, as a service manager does
	Errno   syscall.Errno // have the call fail with it, undone; 0: SIGKILL once it has been done
	Calls   []uintptr     // which calls count; nil: those that have an effect
	Timeout time.Duration // then everything is killed, and the error is ErrTimeout
}

// Report tells what happened.
type Report struct {
	Status    syscall.WaitStatus // of the process that was started
	Calls     int                // how many calls counted
	Hit       bool               // the Nth was reached
	Call      string             // what it was
	Processes int                // with the target Children: how many it has started, and they
}

// ErrTimeout means that the command did not end in time.
var ErrTimeout = errors.New("the traced command did not end")

// tracer is one run in progress.
type tracer struct {
	plan    Plan
	report  Report
	leader  int          // the process that was started
	entered map[int]bool // threads that are inside a system call
	doomed  int          // thread whose call is to fail, while inside
}

func (t *tracer) run(cmd *exec.Cmd) (Report, error) {
	// Only the thread that attached may trace, ptrace(2).
	runtime.LockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return t.report, err
	}
	t.leader = cmd.Process.Pid
	var expired atomic.Bool
	timer := time.AfterFunc(t.plan.Timeout, func() {
		expired.Store(true)
		_ = unix.Kill(t.leader, unix.SIGKILL) // it may have ended just now
	})
	defer timer.Stop()
	err := t.follow()
	if expired.Load() {
		err = ErrTimeout
	}
	return t.report, err
}

// follow handles one stop after the other, until the leader has ended.
func (t *tracer) follow() error {
	var status unix.WaitStatus
	if _, err := unix.Wait4(t.leader, &status, unix.WALL, nil); err != nil || !status.Stopped() {
		return fmt.Errorf("first stop: %v, status %#x", err, status)
	}
	options := unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE
	if t.plan.Target == Children {
		options |= unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC
	}
	if err := unix.PtraceSetOptions(t.leader, options); err != nil {
		return fmt.Errorf("PTRACE_SETOPTIONS: %w", err)
	}
	for pid := t.leader; ; {
		if err := t.resume(pid, status); err != nil && err != unix.ESRCH { // ESRCH: killed meanwhile
			return err
		}
		var err error
		for pid, err = unix.Wait4(-1, &status, unix.WALL, nil); err == unix.EINTR; {
			pid, err = unix.Wait4(-1, &status, unix.WALL, nil)
		}
		if err != nil {
			return fmt.Errorf("wait4: %w", err)
		}
		if pid == t.leader && (status.Exited() || status.Signaled()) {
			t.report.Status = syscall.WaitStatus(status)
			return nil
		}
	}
}

// syscallStop is the signal of a stop at a system call, PTRACE_O_TRACESYSGOOD.
const syscallStop = unix.SIGTRAP | 0x80

// resume looks at a stop and lets the thread go on, up to its next call.
func (t *tracer) resume(pid int, status unix.WaitStatus) error {
	if !status.Stopped() {
		delete(t.entered, pid)
		return nil
	}
	if _, known := t.entered[pid]; !known {
		t.entered[pid] = false
		if pid != t.leader && threadGroup(pid) == pid {
			t.report.Processes++
		}
	}
	signal := 0
	switch s := status.StopSignal(); s {
	case syscallStop:
		t.entered[pid] = !t.entered[pid]
		if err := t.atCall(pid); err != nil {
			return err
		}
	case unix.SIGTRAP: // an event, or the first stop
		if status.TrapCause() == unix.PTRACE_EVENT_EXEC {
			t.entered[pid] = true // what follows is the end of execve
		}
	case unix.SIGSTOP: // a new thread or process
	default:
		signal = int(s)
	}
	return unix.PtraceSyscall(pid, signal)
}

// atCall counts the call that the thread enters or leaves.
func (t *tracer) atCall(pid int) error {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(pid, &regs); err != nil {
		return err
	}
	if t.entered[pid] {
		if t.plan.Errno != 0 && t.counts(pid, &regs) {
			t.doomed = pid
			return skipCall(pid, &regs)
		}
		return nil
	}
	if t.doomed == pid {
		t.doomed = 0
		return setResult(pid, &regs, t.plan.Errno)
	}
	if t.plan.Errno == 0 && t.counts(pid, &regs) {
		if t.plan.Group {
			return unix.Kill(-t.leader, unix.SIGKILL)
		}
		return unix.Kill(t.group(pid), unix.SIGKILL)
	}
	return nil
}

// counts reports whether this is the call to act on.
func (t *tracer) counts(pid int, regs *unix.PtraceRegs) bool {
	if t.report.Hit || t.isLeader(pid) != (t.plan.Target == Runtime) {
		return false
	}
	number := callNumber(regs)
	if !t.matters(number, regs) {
		return false
	}
	t.report.Calls++
	if t.report.Calls != t.plan.Nth {
		return false
	}
	t.report.Hit, t.report.Call = true, fmt.Sprintf("%s by %d", callName(number), pid)
	return true
}

func (t *tracer) matters(number uintptr, regs *unix.PtraceRegs) bool {
	if t.plan.Calls == nil {
		return hasEffect(number, regs)
	}
	for _, n := range t.plan.Calls {
		if n == number {
			return true
		}
	}
	return false
}

func (t *tracer) isLeader(pid int) bool { return t.group(pid) == t.leader }

// group is the process of a thread.
func (t *tracer) group(tid int) int {
	if tid == t.leader {
		return tid
	}
	return threadGroup(tid)
}
