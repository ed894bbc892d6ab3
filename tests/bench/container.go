package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// container is one container of one runtime: how to ask for each verb, and how to see
// that the verb did what it should.
type container struct {
	rt     Runtime
	id     string
	root   string   // the runtime's state directory
	bundle string   // directory of config.json
	rootfs string   // for the floor, which reads no config.json
	args   []string // the process, for the floor
	cgroup string   // below each hierarchy
	view   string   // the floor's VIEW argument
	filter string   // the floor's SECCOMP argument
	pid    int      // after create
}

func (c *container) pidFile() string {
	if c.rt.Floor {
		return filepath.Join(c.root, c.id)
	}
	return filepath.Join(c.bundle, "pid")
}

// argv is the command line of a verb.
func (c *container) argv(verb string) []string {
	if c.rt.Floor {
		return c.floorArgv(verb)
	}
	head := []string{c.rt.Path, "--root", c.root, verb}
	switch verb {
	case "run":
		return append(head, "--bundle", c.bundle, c.id)
	case "create":
		_ = os.Remove(c.pidFile()) // of the last one, lest it pass for this one's
		return append(head, "--bundle", c.bundle, "--pid-file", c.pidFile(), c.id)
	case "exec":
		return append(append(head, c.id), greeter...)
	case execVerb:
		return append(append(head[:len(head)-1], "exec", c.id), idler...)
	case "kill":
		return append(head, c.id, "KILL")
	case "list":
		return head
	default: // start, state, delete
		return append(head, c.id)
	}
}

func (c *container) floorArgv(verb string) []string {
	head := []string{c.rt.Path, verb, c.root}
	switch verb {
	case "list":
		return head
	case execVerb:
		head[1] = "exec"
	}
	head = append(head, c.id, c.cgroup, c.view)
	switch verb {
	case "run", "create":
		return append(append(head, c.rootfs, c.filter), c.args...)
	case "exec":
		return append(append(head, c.rootfs, c.filter), greeter...)
	case execVerb:
		return append(append(head, c.rootfs, c.filter), idler...)
	default:
		return head
	}
}

// verify checks what a verb left behind, after its exit code.
func (c *container) verify(verb, stdout string) error {
	switch verb {
	case "run", "exec":
		return wantOutput(verb, stdout)
	case "create":
		return c.verifyCreated()
	case "start":
		return c.verifyStarted()
	case "state":
		return c.verifyState(stdout)
	case "kill":
		return c.waitDead()
	case "delete":
		return c.verifyGone()
	}
	return nil
}

func wantOutput(verb, stdout string) error {
	if stdout != token+"\n" {
		return fmt.Errorf("%s printed %q, want %q", verb, stdout, token+"\n")
	}
	return nil
}

// findPID reads the pid file.
func (c *container) findPID() error {
	text, err := os.ReadFile(c.pidFile())
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if c.pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
		return fmt.Errorf("create: pid file: %w", err)
	}
	return nil
}

func (c *container) verifyCreated() error {
	if err := c.findPID(); err != nil {
		return err
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", c.pid))
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if isSleeper(cmdline) {
		return errors.New("create has already started the program")
	}
	return nil
}

// verifyStarted waits until the program runs: start may return just before execve.
func (c *container) verifyStarted() error {
	if err := c.findPID(); err != nil {
		return err
	}
	return eventually(func() error {
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", c.pid))
		if err == nil && !isSleeper(cmdline) {
			err = fmt.Errorf("start: process %d is still %q", c.pid, cmdline)
		}
		return err
	})
}

// The programs of containers: two that end at once and one that stays.
var (
	greeter = []string{"/bin/busybox", "echo", token}
	idler   = []string{"/bin/busybox", "true"}
	sleeper = []string{"/bin/sleep", "100000"}
)

func isSleeper(cmdline []byte) bool {
	return string(cmdline) == strings.Join(sleeper, "\x00")+"\x00"
}

func (c *container) verifyState(stdout string) error {
	var state struct {
		ID, Status string
		PID        int
	}
	if err := json.Unmarshal([]byte(stdout), &state); err != nil {
		return fmt.Errorf("state: %w in %q", err, stdout)
	}
	if state.ID != c.id || state.PID != c.pid || state.Status != "running" {
		return fmt.Errorf("state says %+v, want id %s, pid %d, running", state, c.id, c.pid)
	}
	return nil
}

// waitDead waits for the container's process and reaps it, as a shim would: this
// process is the subreaper that it falls to when the create command ends.
func (c *container) waitDead() error {
	var status unix.WaitStatus
	return eventually(func() error {
		pid, err := unix.Wait4(c.pid, &status, unix.WNOHANG, nil)
		if pid == 0 {
			return fmt.Errorf("kill: process %d lives", c.pid)
		}
		if err != nil {
			return fmt.Errorf("kill: wait for %d: %w", c.pid, err)
		}
		if status.Signal() != unix.SIGKILL {
			return fmt.Errorf("kill: process ended with %#x, want SIGKILL", status)
		}
		return nil
	})
}

func (c *container) verifyGone() error {
	if _, err := os.Stat(filepath.Join(c.root, c.id)); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete left %s/%s", c.root, c.id)
	}
	if left := c.cgroups(); len(left) > 0 {
		return fmt.Errorf("delete left %s", left[0])
	}
	return nil
}

// cgroups lists the container's cgroups that exist.
func (c *container) cgroups() []string {
	one, _ := filepath.Glob(filepath.Join(cgroupMount, c.cgroup))
	many, _ := filepath.Glob(filepath.Join(cgroupMount, "*", c.cgroup))
	return append(one, many...)
}

// destroy removes whatever is left of the container, by force and without asking the
// runtime twice; for failures and the end.
func (c *container) destroy(l *launcher) {
	if !c.rt.Floor {
		_, _ = l.run(0, []string{c.rt.Path, "--root", c.root, "delete", "--force", c.id})
	}
	for _, path := range c.cgroups() {
		killAll(filepath.Join(path, "cgroup.procs"))
		_ = removeDir(path)
	}
	_ = os.RemoveAll(filepath.Join(c.root, c.id))
	_ = os.Remove(filepath.Join(c.root, "."+c.id))
	reapAll()
}

// eventually calls try until it succeeds, and returns its last error after five seconds.
// It yields rather than sleeps at first: what it waits for is usually a few scheduler ticks away.
func eventually(try func() error) error {
	end := time.Now().Add(5 * time.Second)
	for {
		err := try()
		if err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// reapAll waits for every process that has fallen to this subreaper and is dead.
func reapAll() {
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if pid <= 0 || err != nil {
			return
		}
	}
}
