package engines

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Daemon is an engine's server, running in a World.
type Daemon struct {
	world *World
	name  string
	args  []string
	env   []string
	cmd   *exec.Cmd
	log   string // path of what it writes
	// pid is the daemon's as the test sees it; cmd is nsenter, which waits for it.
	pid int
}

// Daemon starts the program and waits until ready succeeds.
func (w *World) Daemon(t testing.TB, ready []string, env []string, args ...string) *Daemon {
	t.Helper()
	d := &Daemon{world: w, name: args[0], args: args, env: env, log: w.File(args[0] + ".log")}
	d.start(t, ready)
	t.Cleanup(func() { d.Stop(t) })
	return d
}

func (d *Daemon) start(t testing.TB, ready []string) {
	t.Helper()
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	check(t, err)
	defer log.Close()
	all := d.world.inside(d.args...)
	d.cmd = exec.Command(all[0], all[1:]...)
	d.cmd.Env = append(d.world.env[:len(d.world.env):len(d.world.env)], d.env...)
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	check(t, d.cmd.Start())
	deadline := time.Now().Add(timeout)
	for d.world.Call(t, ready...).Code != 0 {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer:\n%s", d.name, d.Log(t))
		}
		time.Sleep(100 * time.Millisecond)
	}
	d.pid = d.child(t)
}

// child returns the daemon's own PID: the one child of nsenter.
func (d *Daemon) child(t testing.TB) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", d.cmd.Process.Pid))
	check(t, err)
	var pid int
	_, err = fmt.Sscan(string(text), &pid)
	check(t, err)
	return pid
}

// Signal sends the daemon a signal.
func (d *Daemon) Signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	check(t, unix.Kill(d.pid, signal))
}

// Kill ends the daemon as the OOM killer may; what it has started stays.
func (d *Daemon) Kill(t testing.TB) {
	t.Helper()
	d.Signal(t, unix.SIGKILL)
	_ = d.cmd.Wait() // "signal: killed"
	d.cmd = nil
}

// Stop ends the daemon as a service manager does, and waits for it.
func (d *Daemon) Stop(t testing.TB) {
	t.Helper()
	if d.cmd == nil {
		return
	}
	d.Signal(t, unix.SIGTERM)
	ended := make(chan error, 1)
	go func() { ended <- d.cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(timeout):
		d.Signal(t, unix.SIGKILL)
		_ = d.cmd.Process.Kill() // the world's end takes the daemon, but nsenter is outside
		<-ended
		t.Errorf("%s does not end:\n%s", d.name, d.Log(t))
	}
	d.cmd = nil
}

// Log returns the last lines of the daemon's output.
func (d *Daemon) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(d.log)
	check(t, err)
	lines := strings.Split(string(text), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}
