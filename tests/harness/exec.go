package harness

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"ociruntime/tests/view"
)

// ExecCommand prepares `exec [flags] ID program...` in the container.
func (c *Container) ExecCommand(flags []string, program ...string) *Command {
	c.env.T.Helper()
	args := append([]string{"exec"}, flags...)
	return c.env.Command(append(append(args, c.ID), program...)...)
}

// Exec runs a program in the container, without flags and in the foreground.
func (c *Container) Exec(program ...string) Result {
	c.env.T.Helper()
	return c.ExecCommand(nil, program...).Run()
}

// ExecShell is Exec of a script with the flags.
func (c *Container) ExecShell(script string, flags ...string) Result {
	c.env.T.Helper()
	return c.ExecCommand(flags, "sh", "-c", script).Run()
}

// Running creates a container from the bundle, starts it, and waits until it
// says "ready" as Forever does.
func (e *Env) Running(b *Bundle, flags ...string) *Container {
	e.T.Helper()
	c := e.Create(b, flags...).Start()
	c.WaitStdout("ready")
	return c
}

// ExecDetached runs a program in the container in the background. It returns
// the call, which has ended, and the pid of the program, which ends with the test.
func (c *Container) ExecDetached(flags []string, program ...string) (*Process, int) {
	t := c.env.T
	t.Helper()
	pidFile := c.env.File(c.env.next("pid"))
	call := c.ExecCommand(append([]string{"--detach", "--pid-file", pidFile}, flags...), program...).Start()
	if r := call.Wait(); r.Code != 0 {
		t.Fatal(r)
	}
	text, err := os.ReadFile(pidFile)
	must(t, err)
	pid, err := strconv.Atoi(string(text)) // digits and nothing else, as engines read it
	must(t, err)
	view.Claim(pid)
	t.Cleanup(func() {
		defer view.Unclaim(pid)
		_ = unix.Kill(pid, unix.SIGKILL) // it may have ended
		_ = waitExit(pid, Timeout())
		_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
	})
	return call, pid
}

// WaitPid waits for a process that ExecDetached has returned, and returns how it ended.
func (c *Container) WaitPid(pid int) unix.WaitStatus {
	t := c.env.T
	t.Helper()
	if err := waitExit(pid, Timeout()); err != nil {
		t.Fatalf("process %d: %v", pid, err)
	}
	var status unix.WaitStatus
	_, err := unix.Wait4(pid, &status, 0, nil)
	must(t, err)
	return status
}
