package engines

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Podman is Debian's podman as one user.
type Podman struct {
	*World
	parent string   // cgroup of all containers
	global []string // flags in front of every verb
}

// podmanConfig is a containers.conf: what podman reads from Debian's one is
// the default, but that file names runtimes.
const podmanConfig = `[containers]
default_sysctls = []
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "tested"
runtime_supports_json = [%[2]q]
runtime_supports_nocgroups = [%[2]q]
infra_image = "localhost/box"
infra_command = "sleep 1000"
[engine.runtimes]
tested = [%[1]q]
`

// NewPodman prepares one for root, with the image loaded.
func NewPodman(t *testing.T) *Podman {
	t.Helper()
	w := NewWorld(t)
	p := &Podman{World: w, parent: w.CgroupParent(t)}
	config := w.File("containers.conf")
	text := fmt.Sprintf(podmanConfig, binary(t), filepath.Base(binary(t)))
	check(t, os.WriteFile(config, []byte(text), 0o644))
	w.env = append(w.env, "CONTAINERS_CONF="+config)
	p.global = []string{"--root", w.File("root"), "--runroot", w.File("runroot"), "--tmpdir", w.File("podman"), "--runtime", binary(t)}
	p.Podman(t, "load", "--input", w.Archive(t)).OK(t)
	return p
}

// Podman calls it.
func (p *Podman) Podman(t testing.TB, args ...string) Result {
	t.Helper()
	return p.Call(t, append(append([]string{"podman"}, p.global...), args...)...)
}

// Run runs a container of the image to its end.
func (p *Podman) Run(t testing.TB, args ...string) Result {
	t.Helper()
	return p.Podman(t, append([]string{"run", "--rm", "--cgroup-parent", p.parent}, withImage(args)...)...)
}

func TestPodman(t *testing.T) {
	p := NewPodman(t)
	t.Run("run", func(t *testing.T) {
		equals(t, "output", p.Run(t, "--", "echo", "hi").OK(t), "hi")
	})
	t.Run("run-nonet", func(t *testing.T) {
		equals(t, "output", p.Run(t, "--net=none", "--", "echo", "hi").OK(t), "hi")
	})
}
