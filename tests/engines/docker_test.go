package engines

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"ociruntime/tests/view"
)

// Docker is a dockerd of Debian's, with the runtime under test as default.
type Docker struct {
	*World
	*Daemon
	ready  []string
	parent string // cgroup of all containers
}

// NewDocker starts one with the image loaded. More arguments are dockerd's.
func NewDocker(t *testing.T, args ...string) *Docker {
	t.Helper()
	w := NewWorld(t)
	d := &Docker{World: w, parent: w.CgroupParent(t), ready: []string{"docker", "version"}}
	// What README.md says, to the letter.
	check(t, os.MkdirAll(w.Path("/etc/docker"), 0o755))
	check(t, os.WriteFile(w.Path("/etc/docker/daemon.json"), []byte(snippet(t, "dockerd")), 0o644))
	w.Call(t, strings.Fields(snippet(t, "docker build"))...).OK(t)
	d.Daemon = w.Daemon(t, d.ready, nil, append([]string{"dockerd",
		"--data-root", w.File("data"), "--exec-root", w.File("exec"), "--pidfile", w.File("dockerd.pid"),
		"--cgroup-parent", d.parent, "--storage-driver", "overlay2", "--raw-logs", "--shutdown-timeout", "2",
	}, args...)...)
	w.Call(t, "docker", "load", "--input", w.Archive(t)).OK(t)
	return d
}

// serial numbers the containers of all engines.
var serial atomic.Int64

// name returns a name that nothing else has.
func name() string { return "c" + strconv.FormatInt(serial.Add(1), 10) + view.Token() }

// Docker calls the client.
func (d *Docker) Docker(t testing.TB, args ...string) Result {
	t.Helper()
	return d.Call(t, append([]string{"docker"}, args...)...)
}

// Run runs a container of the image to its end. The flags come before the
// image, the command after "--".
func (d *Docker) Run(t testing.TB, args ...string) Result {
	t.Helper()
	return d.Docker(t, append([]string{"run", "--rm"}, withDefaults(args)...)...)
}

// Start runs a container of the image in the background, removes it when the
// test ends, and returns its name.
func (d *Docker) Start(t testing.TB, args ...string) string {
	t.Helper()
	n := name()
	d.Docker(t, append([]string{"run", "--detach", "--name", n}, withDefaults(args)...)...).OK(t)
	t.Cleanup(func() { d.Docker(t, "rm", "--force", "--volumes", n) })
	return n
}

// withDefaults adds the image, and no network where none is asked for: making
// one takes a lock that the whole machine shares.
func withDefaults(args []string) []string {
	for _, arg := range args {
		if arg == "--" {
			break
		}
		if strings.HasPrefix(arg, "--net") {
			return withImage(args)
		}
	}
	return append([]string{"--net=none"}, withImage(args)...)
}

// withImage replaces the first "--" by the image, or adds it at the end.
func withImage(args []string) []string {
	out := append([]string{}, args...)
	for i, arg := range out {
		if arg == "--" {
			out[i] = image
			return out
		}
	}
	return append(out, image)
}

// Inspect returns what the template makes of the object.
func (d *Docker) Inspect(t testing.TB, object, template string) string {
	t.Helper()
	return d.Docker(t, "inspect", "--format", template, object).OK(t)
}
