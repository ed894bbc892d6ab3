package engines

import (
	"fmt"
	"os"
	"testing"

	"ociruntime/tests/view"
)

// Containerd is Debian's containerd, used through ctr.
type Containerd struct {
	*World
	*Daemon
	socket    string
	namespace string // of containerd's own kind; also the cgroup of all containers
}

// containerdConfig is all that is not default. It names directories only.
const containerdConfig = `version = 2
root = %[1]q
state = %[2]q
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = %[3]q
`

// NewContainerd starts one with the image imported.
func NewContainerd(t *testing.T) *Containerd {
	t.Helper()
	w := NewWorld(t)
	c := &Containerd{World: w, socket: w.File("containerd.sock")}
	c.namespace = w.CgroupParent(t)[1:]
	config := w.File("containerd.toml")
	text := fmt.Sprintf(containerdConfig, w.File("root"), w.File("state"), c.socket)
	check(t, os.WriteFile(config, []byte(text), 0o644))
	c.Daemon = w.Daemon(t, []string{"ctr", "--address", c.socket, "version"}, nil, "containerd", "--config", config)
	c.Ctr(t, "image", "import", w.Archive(t)).OK(t)
	return c
}

// Ctr calls the client.
func (c *Containerd) Ctr(t testing.TB, args ...string) Result {
	t.Helper()
	return c.Call(t, append([]string{"ctr", "--address", c.socket, "--namespace", c.namespace}, args...)...)
}

// Run runs a container of the image to its end.
func (c *Containerd) Run(t testing.TB, args ...string) Result {
	t.Helper()
	return c.Ctr(t, c.run(t, append([]string{"--rm"}, args...))...)
}

// Start runs a container of the image in the background and removes it when
// the test ends.
func (c *Containerd) Start(t testing.TB, args ...string) string {
	t.Helper()
	id := view.Token() + name()
	_ = id
	return id
}

func (c *Containerd) run(t testing.TB, args []string) []string {
	return append([]string{"run", "--runtime", "io.containerd.runc.v2", "--runc-binary", binary(t)}, withImage(args)...)
}

func TestContainerd(t *testing.T) {
	c := NewContainerd(t)
	t.Run("run", func(t *testing.T) {
		equals(t, "output", c.Run(t, "--", name(), "echo", "hi").OK(t), "hi")
	})
}
