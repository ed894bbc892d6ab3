package systemd

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
	"ociruntime/tests/view"
)

// TestRootlessScopeTraffic: one call makes a container, and one ends it; start,
// exec, state and kill need none.
func TestRootlessScopeTraffic(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	id := h.ID()
	b := h.bundle(id, harness.Forever)
	h.want("create", h.asked(h.command("create", b, id)), "connect StartTransientUnit")
	c := h.Container(id, b)
	c.Pid = c.State().Pid
	h.want("start", h.asked(h.Command("start", id)), "")
	h.want("state", h.asked(h.Command("state", id)), "")
	exec := "" // but see TestRootlessScopeSession
	if h.outside() {
		exec = "connect AttachProcessesToUnit"
	}
	h.want("exec", h.asked(h.Command("exec", id, "true")), exec)
	h.want("kill", h.asked(h.Command("kill", id, "KILL")), "")
	c.Wait()
	h.want("delete", h.asked(h.Command("delete", id)), "connect StopUnit")
	h.wantGone(unitOf(id))
}

// outside tells whether the caller is a user in a session beside his manager, from
// where he may not move processes to the cgroups of that, cgroups(7). Version 1
// has no such rule.
func (h *host) outside() bool {
	own, err := os.ReadFile("/proc/self/cgroup")
	h.check(err)
	return h.user && view.Current() == view.V2 && !strings.Contains(string(own), "/user@")
}

// TestRootlessScopeSession: exec from a login session, which is outside the
// manager's cgroups, has the manager move the process; from a scope of the
// manager it needs nobody.
func TestRootlessScopeSession(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	if !h.outside() {
		t.Skip("only for a user in a login session")
	}
	c := h.running()
	_, pid := c.ExecDetached(nil, "sleep", "1000")
	c.wantInScope(strconv.Itoa(pid))
	require.Program(t, "systemd-run")
	h.want("exec from a scope", h.asked(h.Command("exec", c.ID, "true"), "systemd-run", "--user", "--scope", "--quiet"), "")

	// A cgroup below, by choice. Where the container's own takes no process, as it
	// has handed controllers down, there is no way from outside.
	dir := c.CgroupDir("")
	below := filepath.Join(dir, "below")
	h.check(os.Mkdir(below, 0o755))
	_, pid = c.ExecDetached([]string{"--cgroup", "below"}, "sleep", "1000")
	h.wantCgroup(pid, below)
	procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	h.check(err)
	for pid := range strings.FieldsSeq(string(procs)) {
		h.check(os.WriteFile(filepath.Join(below, "cgroup.procs"), []byte(pid), 0))
	}
	h.check(os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+pids"), 0))
	c.Exec("true").WantError(t, 255, c.unit)
}

func (h *host) wantCgroup(pid int, dir string) {
	h.t.Helper()
	dirs, err := view.CgroupDirs(strconv.Itoa(pid))
	h.check(err)
	h.want("cgroup", dirs[""], dir)
}
