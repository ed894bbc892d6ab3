package harness

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"ociruntime/tests/view"
)

// State is what `runtime state` prints.
type State struct {
	OCIVersion  string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Pid         int               `json:"pid"`
	Status      string            `json:"status"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     string            `json:"created"`
	Annotations map[string]string `json:"annotations"`
	Owner       string            `json:"owner"`
}

// Container is a container that `create` has made.
type Container struct {
	ID     string
	Pid    int // of its first process
	Bundle *Bundle

	env    *Env
	create *Process
}

// Run runs the bundle in the foreground to its end, under a fresh id. Flags
// are put before the id.
func (e *Env) Run(b *Bundle, flags ...string) Result {
	e.T.Helper()
	return e.RunCommand(b, flags...).Run()
}

// RunCommand prepares a foreground run under a fresh id, the last argument.
func (e *Env) RunCommand(b *Bundle, flags ...string) *Command {
	e.T.Helper()
	args := append([]string{"run", "--bundle", b.Dir}, flags...)
	c := e.Command(append(args, e.ID())...)
	e.T.Cleanup(func() {
		// A test that ends early says one thing, not a list of leaks as well.
		if e.T.Failed() {
			e.Call("delete", "--force", c.ID())
		}
	})
	return c
}

// Stdout runs the bundle in the foreground, expects exit code 0 and silence on
// stderr, and returns its output without the last newline.
func (e *Env) Stdout(edits ...Edit) string {
	e.T.Helper()
	r := e.Run(e.Bundle(edits...))
	if r.Code != 0 || r.Stderr != "" {
		e.T.Fatal(r)
	}
	return strings.TrimSuffix(r.Stdout, "\n")
}

// Create makes a container from the bundle; the test fails when that does. It
// is deleted by force at the end of the test, if it still exists then.
func (e *Env) Create(b *Bundle, flags ...string) *Container {
	e.T.Helper()
	args := append([]string{"create", "--bundle", b.Dir}, flags...)
	return e.Adopt(e.Command(append(args, e.ID())...), b)
}

// ID is the id of a command made by RunCommand or by the caller with the id last.
func (c *Command) ID() string { return c.Args[len(c.Args)-1] }

// Container describes a container that exists already, and deletes it by force
// at the end of the test.
func (e *Env) Container(id string, b *Bundle) *Container {
	e.T.Helper()
	c := &Container{ID: id, Bundle: b, env: e}
	e.T.Cleanup(c.discard)
	return c
}

// Adopt runs a create or detached run whose last argument is the id, and
// returns its container.
func (e *Env) Adopt(create *Command, b *Bundle) *Container {
	e.T.Helper()
	c := e.Container(create.ID(), b)
	c.create = create.Start()
	if r := c.create.Wait(); r.Code != 0 {
		e.T.Fatal(r)
	}
	c.Pid = c.State().Pid
	return c
}

// discard deletes the container by force at the end of a test.
func (c *Container) discard() {
	call := c.env.Command("delete", "--force", c.ID).Start()
	_ = Eventually(Timeout(), func() bool {
		view.ReapOrphans() // a container cannot end before what died in it was waited for
		return !call.Running()
	})
	if r := call.Wait(); r.Code != 0 {
		c.env.T.Errorf("clean-up: %s", r)
	}
	c.reap()
}

// reap collects the first process. We are its parent, for the runtime has
// exited and this process is PID 1 of the view.
func (c *Container) reap() {
	if c.Pid > 0 {
		_, _ = unix.Wait4(c.Pid, nil, unix.WNOHANG, nil)
	}
}

// Call runs `runtime VERB [args] ID`.
func (c *Container) Call(verb string, args ...string) Result {
	c.env.T.Helper()
	return c.env.Call(append(append([]string{verb}, args...), c.ID)...)
}

// do is Call for what has to succeed without a word.
func (c *Container) do(verb string, args ...string) {
	c.env.T.Helper()
	if r := c.Call(verb, args...); r.Code != 0 {
		c.env.T.Fatal(r)
	}
}

// Start starts the user's program.
func (c *Container) Start() *Container {
	c.env.T.Helper()
	c.do("start")
	return c
}

// Delete deletes the container; not by force.
func (c *Container) Delete() {
	c.env.T.Helper()
	c.do("delete")
}

// Kill sends a signal, spelled as on the command line.
func (c *Container) Kill(signal string) {
	c.env.T.Helper()
	if r := c.env.Call("kill", c.ID, signal); r.Code != 0 {
		c.env.T.Fatal(r)
	}
}

// State returns the decoded answer of `runtime state`.
func (c *Container) State() State {
	c.env.T.Helper()
	r := c.Call("state")
	if r.Code != 0 {
		c.env.T.Fatal(r)
	}
	var s State
	if err := json.Unmarshal([]byte(r.Stdout), &s); err != nil {
		c.env.T.Fatalf("state is not JSON: %v\n%s", err, r.Stdout)
	}
	return s
}

// WantStatus fails the test unless the container is in this status.
func (c *Container) WantStatus(want string) {
	c.env.T.Helper()
	if got := c.State().Status; got != want {
		c.env.T.Fatalf("status: got %q, want %q", got, want)
	}
}

// Wait waits for the first process to end and returns how it did.
func (c *Container) Wait() syscall.WaitStatus {
	c.env.T.Helper()
	if err := waitExit(c.Pid, Timeout()); err != nil {
		c.env.T.Fatalf("container process %s: %v", view.Describe(c.Pid), err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(c.Pid, &status, 0, nil); err != nil {
		c.env.T.Fatalf("wait for container process %d: %v", c.Pid, err)
	}
	return syscall.WaitStatus(status)
}

// Stop kills the program and waits until the container is stopped.
func (c *Container) Stop() {
	c.env.T.Helper()
	c.Kill("KILL")
	c.Wait()
	c.WantStatus("stopped")
}

// Stdout is what create and the container have written so far.
func (c *Container) Stdout() string { return c.create.Stdout() }

// Stderr is Stdout's twin.
func (c *Container) Stderr() string { return c.create.Stderr() }

// WaitStdout waits until the output contains the text.
func (c *Container) WaitStdout(text string) {
	c.env.T.Helper()
	c.create.WaitStdout(text)
}

// Proc is the path of a file in /proc/PID of the first process.
func (c *Container) Proc(name string) string {
	return "/proc/" + pidString(c.Pid) + "/" + name
}

// CgroupDir is the directory of the container's cgroup: in the v1 hierarchy of
// the controller or, where there is none, in the cgroup2 tree.
func (c *Container) CgroupDir(controller string) string {
	c.env.T.Helper()
	dirs, err := view.CgroupDirs(pidString(c.Pid))
	must(c.env.T, err)
	if dir := dirs[controller]; dir != "" {
		return dir
	}
	return dirs[""]
}

// Setting reads a file of the container's cgroup, fileV1 where the controller
// has a v1 hierarchy and fileV2 elsewhere.
func (c *Container) Setting(controller, fileV1, fileV2 string) string {
	c.env.T.Helper()
	file := fileV2
	if view.HasControllerV1(controller) {
		file = fileV1
	}
	text, err := os.ReadFile(filepath.Join(c.CgroupDir(controller), file))
	must(c.env.T, err)
	return strings.TrimSpace(string(text))
}

func pidString(pid int) string { return strconv.Itoa(pid) }
