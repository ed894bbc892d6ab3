// Package systemd tests the runtime on a host whose cgroups systemd owns, by
// --systemd-cgroup: as root with the system's manager, and what is named
// TestRootless also as an ordinary user with his own. Everything is done on the
// host itself, in units named after the test.
package systemd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
	"ociruntime/tests/tracer"
	"ociruntime/tests/view"
)

func TestMain(m *testing.M) {
	tracer.Main()
	os.Exit(view.InPlace(m))
}

// host is one test on this host, as root or as a user.
type host struct {
	*harness.Env
	t    *testing.T
	user bool
}

func newHost(t *testing.T) *host {
	t.Helper()
	require.Systemd(t)
	h := &host{t: t, user: os.Geteuid() != 0}
	if h.user {
		h.Env = harness.NewForUser(t)
	} else {
		h.Env = harness.New(t)
	}
	return h
}

// container is one that systemd has made the cgroup of.
type container struct {
	*harness.Container
	host *host
	unit string
}

// bundle is an ordinary one, or what `spec --rootless` makes for the user, in
// the unit rt-NAME.scope.
func (h *host) bundle(name string, edits ...harness.Edit) *harness.Bundle {
	h.t.Helper()
	b := h.Bundle()
	if h.user {
		h.check(os.Remove(filepath.Join(b.Dir, "config.json")))
		h.BareCommand("spec", "--rootless", "--bundle", b.Dir).Run().WantQuiet(h.t)
		b.Edit(func(c *specs.Spec) { c.Process.Terminal = false })
	}
	b.Edit(func(c *specs.Spec) { c.Linux.CgroupsPath = ":rt:" + name })
	b.Edit(edits...)
	return b
}

func unitOf(name string) string { return "rt-" + name + ".scope" }

// command prepares `runtime --systemd-cgroup VERB --bundle DIR ID`.
func (h *host) command(verb string, b *harness.Bundle, id string) *harness.Command {
	h.t.Helper()
	return h.Command("--systemd-cgroup", verb, "--bundle", b.Dir, id)
}

// create makes a container whose unit is named after its id.
func (h *host) create(edits ...harness.Edit) *container {
	h.t.Helper()
	id := h.ID()
	b := h.bundle(id, edits...)
	return &container{Container: h.Adopt(h.command("create", b, id), b), host: h, unit: unitOf(id)}
}

// running makes one and waits for its program to be ready.
func (h *host) running(edits ...harness.Edit) *container {
	h.t.Helper()
	c := h.create(append([]harness.Edit{harness.Forever}, edits...)...)
	c.Start().WaitStdout("ready")
	return c
}

func resources(edit func(r *specs.LinuxResources)) harness.Edit {
	return func(c *specs.Spec) {
		if c.Linux.Resources == nil {
			c.Linux.Resources = &specs.LinuxResources{}
		}
		edit(c.Linux.Resources)
	}
}

// systemctl asks the manager.
func (h *host) systemctl(args ...string) string {
	h.t.Helper()
	if h.user {
		args = append([]string{"--user"}, args...)
	}
	cmd := exec.Command("systemctl", args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_BUS_TIMEOUT="+harness.Timeout().String()) // 25 s are not enough everywhere
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Errorf("systemctl %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (h *host) show(unit, property string) string {
	h.t.Helper()
	return h.systemctl("show", "--value", "-p", property, unit)
}

// wantShown compares properties of the unit.
func (h *host) wantShown(when, unit string, properties map[string]string) {
	h.t.Helper()
	for property, value := range properties {
		if got := h.show(unit, property); got != value {
			h.t.Errorf("%s: %s of %s is %q, want %q", when, property, unit, got, value)
		}
	}
}

// wantGone waits until systemd has forgotten the unit.
func (h *host) wantGone(unit string) {
	h.t.Helper()
	state := ""
	if harness.Eventually(harness.Timeout(), func() bool { state = h.show(unit, "LoadState"); return state == "not-found" }) != nil {
		h.t.Errorf("unit %s is still there: %s, %s", unit, state, h.show(unit, "ActiveState"))
	}
}

// daemonReload has systemd apply everything anew. It does so after its answer,
// and before the next.
func (h *host) daemonReload() {
	h.t.Helper()
	h.systemctl("daemon-reload")
	h.systemctl("list-jobs")
}

// limited tells whether limits of the controller reach the container's files: a
// user has no controllers on version 1.
func (h *host) limited(controller string) bool {
	return !h.user || view.HasControllerV2(controller)
}

// wantSetting compares a file of the container's cgroup.
func (c *container) wantSetting(when, controller, fileV1, fileV2, value string) {
	c.host.t.Helper()
	if !c.host.limited(controller) {
		return
	}
	if got := c.Setting(controller, fileV1, fileV2); got != value {
		c.host.t.Errorf("%s: %s/%s is %q, want %q", when, fileV1, fileV2, got, value)
	}
}

// wantInScope fails unless the process is in the unit's cgroup, or below it.
func (c *container) wantInScope(pid string) {
	c.host.t.Helper()
	dirs, err := view.CgroupDirs(pid)
	c.host.check(err)
	dir := dirs["name=systemd"] // which version 1 and hybrid hosts have
	if dir == "" {
		dir = dirs[""]
	}
	if !strings.Contains(dir+"/", "/"+c.unit+"/") {
		c.host.t.Errorf("process %s is in %s, want %s", pid, dir, c.unit)
	}
}

func (h *host) check(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) want(what string, got, want any) {
	h.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		h.t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
