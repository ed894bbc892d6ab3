package engines

import (
	"errors"
	"os/exec"
	"syscall"
	"testing"

	"ociruntime/tests/harness"
)

// Terminal is a client that runs on a terminal.
type Terminal struct {
	*harness.Pty
	t   testing.TB
	cmd *exec.Cmd
}

// Terminal starts the program on a terminal of 40 rows and 120 columns.
func (w *World) Terminal(t *testing.T, args ...string) *Terminal {
	t.Helper()
	pty := (&harness.Env{T: t}).NewPty(40, 120)
	all := w.inside(args...)
	cmd := exec.Command(all[0], all[1:]...)
	cmd.Env = append(w.env[:len(w.env):len(w.env)], "TERM=xterm")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = pty.Slave, pty.Slave, pty.Slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	check(t, cmd.Start())
	pty.CloseSlave()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // ended already, unless the test has failed
		_ = cmd.Wait()
	})
	return &Terminal{Pty: pty, t: t, cmd: cmd}
}

// Exits reads to the end and fails the test unless the client's exit code is
// the wanted one. It returns all that was written to the terminal.
func (c *Terminal) Exits(code int) string {
	c.t.Helper()
	text := c.ReadAll()
	err := c.cmd.Wait()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		c.t.Fatal(err)
	}
	if got := c.cmd.ProcessState.ExitCode(); got != code {
		c.t.Fatalf("exit code %d, want %d; terminal: %q", got, code, text)
	}
	return text
}
