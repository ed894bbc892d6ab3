package engines

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/tests/view"
)

// dockerFailures: the runtime is killed in the middle of what dockerd asks for.
func dockerFailures(t *testing.T, d *Docker) {
	for nth := range 4 { // create, start, and what follows the end of the container
		parallel(t, fmt.Sprintf("runtime-killed-%d", nth+1), func(t *testing.T) {
			n := name()
			d.Docker(t, "create", "--net=bridge", "--name", n, image, "sh", "-c", "usleep 200000").OK(t)
			id := d.Inspect(t, n, "{{.Id}}")
			ended := make(chan Result, 1)
			go func() { ended <- d.Docker(t, "start", "--attach", n) }()
			killNth(nth+1, ended, func(args string) bool {
				return strings.HasPrefix(args, installed+" ") && strings.Contains(args, id)
			})
			d.Docker(t, "rm", "--force", n).OK(t)
			d.waitGone(t, id)
		})
	}
}

// killNth kills the process that is the nth to be seen of those that match by
// their command lines. Short ones are not always seen; the end of the client is
// the end.
func killNth(nth int, ended <-chan Result, match func(args string) bool) {
	seen := map[int]bool{}
	for {
		select {
		case <-ended:
			return
		default:
		}
		for _, pid := range view.Processes() {
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if seen[pid] || !match(strings.ReplaceAll(string(text), "\x00", " ")) {
				continue
			}
			seen[pid] = true
			if len(seen) == nth {
				_ = unix.Kill(pid, unix.SIGKILL) // it may have ended
			}
		}
	}
}

// waitGone waits until nothing is left of the container. containerd may be
// about to learn of it only now, from a shim that is still at work.
func (d *Docker) waitGone(t testing.TB, id string) {
	t.Helper()
	for deadline := time.Now().Add(timeout); d.leftOf(id) != ""; time.Sleep(100 * time.Millisecond) {
		d.forgotten(t)
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %s\nrunning: %v\n%s", d.leftOf(id), d.Processes(), d.Log(t))
		}
	}
}

// leftOf tells what there is of a container besides dockerd's own records.
func (d *Docker) leftOf(id string) string {
	for _, args := range d.Processes() {
		if strings.Contains(args, id) {
			return "process " + args
		}
	}
	for _, h := range view.Hierarchies() {
		if dir := filepath.Join(h.Point, d.parent, id); exists(dir) {
			return "cgroup " + dir
		}
	}
	if state := d.File("exec", "runtime-runc", "moby", id); exists(state) {
		return "state " + state
	}
	return ""
}

// TestDockerKilled: dockerd is killed while containers start, and the next one
// removes whatever there is.
func TestDockerKilled(t *testing.T) {
	if os.Getenv("TEST_FAULTS") != "all" {
		t.Skip("kills dockerd at random, which may forget a container and leave its shim; TEST_FAULTS=all asks for it")
	}
	t.Parallel()
	d := NewDocker(t)
	for round := range 3 {
		names := []string{name(), name(), name()}
		ended := make(chan Result, len(names))
		for _, n := range names {
			go func() { ended <- d.Run(t, "--name", n, "--", "sleep", "100") }()
		}
		// At another moment in each round.
		time.Sleep(time.Duration(round) * 150 * time.Millisecond)
		d.Daemon.Kill(t)
		for range names {
			<-ended
		}
		d.Daemon.start(t, d.ready)
		for _, n := range names {
			d.Docker(t, "rm", "--force", n) // it may never have been made
		}
		equals(t, "containers", d.Docker(t, "ps", "--all", "--quiet").OK(t), "")
		for _, dir := range cgroupsBelow(filepath.Join(view.Hierarchies()[0].Point, d.parent)) {
			if id := filepath.Base(dir); len(id) == 64 {
				d.waitGone(t, id)
			}
		}
		equals(t, "output", d.Run(t, "--", "echo", "hi").OK(t), "hi")
	}
}

// forgotten removes the tasks that dockerd does not know any more: it leaves
// them to containerd when it, or the runtime, is killed between create and
// start, whatever the runtime is.
func (d *Docker) forgotten(t testing.TB) {
	t.Helper()
	ctr := []string{"ctr", "--address", d.File("exec", "containerd", "containerd.sock"), "--namespace", "moby"}
	tasks := d.Call(t, append(ctr, "task", "list", "--quiet")...).OK(t)
	known := d.Docker(t, "ps", "--all", "--quiet", "--no-trunc").OK(t) // afterwards: others start containers all the time
	for id := range strings.FieldsSeq(tasks) {
		if !strings.Contains(known, id) {
			d.Call(t, append(ctr, "task", "delete", "--force", id)...) // it may be on its way already
		}
	}
}
