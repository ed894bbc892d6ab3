package engines

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"ociruntime/tests/require"
)

// Podman is Debian's podman as one user.
type Podman struct {
	*World
	parent  string   // cgroup of all containers, "" for an ordinary user on v1
	as      []string // words in front of a command that make it the user's
	global  []string // podman's flags in front of every verb
	scratch string   // a directory of the user's
}

// podmanConfig is what the tests add to the containers.conf of README.md.
const podmanConfig = `[containers]
default_sysctls = []
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
infra_image = %q
`

// NewPodman prepares one for root, with the image loaded.
func NewPodman(t *testing.T) *Podman {
	t.Helper()
	w := NewWorld(t)
	p := &Podman{World: w, parent: w.CgroupParent(t), scratch: w.File("tmp")}
	p.global = []string{"--root", w.File("root"), "--runroot", w.File("runroot"), "--tmpdir", w.File("podman")}
	p.prepare(t)
	return p
}

// NewRootlessPodman prepares one for an ordinary user.
func NewRootlessPodman(t *testing.T) *Podman {
	t.Helper()
	w := NewWorld(t)
	p := &Podman{World: w, scratch: "/home/tester"}
	w.Call(t, "useradd", "--create-home", "--shell", "/bin/sh", "tester").OK(t)
	uid := w.Call(t, "id", "-u", "tester").OK(t)
	runtimeDir := "/run/user/" + uid
	w.Call(t, "install", "-d", "-m", "0700", "-o", "tester", runtimeDir).OK(t)
	p.as = []string{"setpriv", "--reuid=" + uid, "--regid=" + uid, "--init-groups", "env", "--chdir=/home/tester",
		"HOME=/home/tester", "USER=tester", "XDG_RUNTIME_DIR=" + runtimeDir}
	p.global = []string{"--storage-driver", "vfs"}
	p.prepare(t)
	return p
}

func (p *Podman) prepare(t *testing.T) {
	t.Helper()
	config := p.Path("/etc/containers/containers.conf")
	check(t, os.MkdirAll(config+".d", 0o755))
	check(t, os.WriteFile(config, []byte(snippet(t, "podman")), 0o644))
	check(t, os.WriteFile(config+".d/tests.conf", fmt.Appendf(nil, podmanConfig, pauseImage), 0o644))
	p.Podman(t, "load", "--input", p.Archive(t)).OK(t)
}

// Podman calls it.
func (p *Podman) Podman(t testing.TB, args ...string) Result {
	t.Helper()
	return p.Call(t, p.podman(args...)...)
}

// podman gives the words of a call.
func (p *Podman) podman(args ...string) []string {
	words := append(append([]string{}, p.as...), "podman")
	return append(append(words, p.global...), args...)
}

// run gives the words of a `podman run` or `podman create`: the flags come
// before the image, the command after "--".
func (p *Podman) run(args ...string) []string {
	flags := []string{}
	text := strings.Join(args, " ")
	if p.parent != "" && !strings.Contains(text, "--cgroups=disabled") {
		flags = append(flags, "--cgroup-parent", p.parent)
	}
	if !strings.Contains(text, "--net") && !strings.Contains(text, "--pod") {
		flags = append(flags, "--net=none")
	}
	return p.podman(append(append([]string{args[0]}, flags...), withImage(args[1:])...)...)
}

// Run runs a container of the image to its end.
func (p *Podman) Run(t testing.TB, args ...string) Result {
	t.Helper()
	return p.Call(t, p.run(append([]string{"run", "--rm"}, args...)...)...)
}

// Start runs a container of the image in the background, removes it when the
// test ends, and returns its name.
func (p *Podman) Start(t testing.TB, args ...string) string {
	t.Helper()
	n := name()
	p.Call(t, p.run(append([]string{"run", "--detach", "--name", n}, args...)...)...).OK(t)
	t.Cleanup(func() { p.Podman(t, "rm", "--force", "--time", "0", "--volumes", n) })
	return n
}

// Inspect returns what the template makes of the container.
func (p *Podman) Inspect(t testing.TB, container, template string) string {
	t.Helper()
	return p.Podman(t, "inspect", "--format", template, container).OK(t)
}

func TestPodman(t *testing.T) {
	t.Parallel()
	p := NewPodman(t)
	podmanRun(t, p)
	podmanLife(t, p)
	podmanOptions(t, p)
	podmanPods(t, p)
	podmanRoot(t, p)
}

func TestPodmanRootless(t *testing.T) {
	require.Userns(t)
	t.Parallel()
	p := NewRootlessPodman(t)
	podmanRun(t, p)
	podmanLife(t, p)
	podmanOptions(t, p)
	podmanPods(t, p)
	podmanRootless(t, p)
}
