package engines

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// CRI is containerd as a kubelet uses it: through the Container Runtime
// Interface, with a network made by CNI plugins, and the runtime chosen by the
// name of its handler.
type CRI struct {
	*World
	*Daemon
	cri.RuntimeServiceClient
	ctx    context.Context
	socket string
	parent string // cgroup of all pods
	ready  []string
}

// criConfig is what the tests add to README.md's lines for containerd.
const criConfig = `version = 2
root = %[1]q
state = %[2]q
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = %[3]q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %[4]q
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = %[5]q
`

// cniConfig is a bridge in the world's network, in the manner of a node.
const cniConfig = `{"cniVersion": "0.4.0", "name": "pods", "plugins": [
	{"type": "bridge", "bridge": "cni0", "isGateway": true,
	 "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
	{"type": "portmap", "capabilities": {"portMappings": true}}]}`

// NewCRI starts one with the image imported.
func NewCRI(t *testing.T) *CRI {
	t.Helper()
	w := NewWorld(t)
	c := &CRI{World: w, socket: w.File("containerd.sock"), parent: w.CgroupParent(t)}
	networks := w.File("cni")
	check(t, os.Mkdir(networks, 0o755))
	check(t, os.WriteFile(networks+"/pods.conflist", []byte(cniConfig), 0o644))
	config := w.File("containerd.toml")
	text := fmt.Sprintf(criConfig, w.File("root"), w.File("state"), c.socket, pauseImage, networks) + snippet(t, "containerd")
	check(t, os.WriteFile(config, []byte(text), 0o644))
	c.ready = []string{"ctr", "--address", c.socket, "version"}
	c.Daemon = w.Daemon(t, c.ready, nil, "containerd", "--config", config)
	w.Call(t, "ctr", "--address", c.socket, "--namespace", "k8s.io", "image", "import", w.Archive(t)).OK(t)

	conn, err := grpc.NewClient("unix://"+c.socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(t, err)
	c.RuntimeServiceClient = cri.NewRuntimeServiceClient(conn)
	ctx, cancel := context.WithCancel(context.Background())
	c.ctx = ctx
	t.Cleanup(func() {
		cancel()
		conn.Close()
	})
	c.waitReady(t)
	return c
}

// waitReady waits until the kubelet would give the node work.
func (c *CRI) waitReady(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(timeout); ; time.Sleep(20 * time.Millisecond) {
		err := c.isReady()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not ready: %v\n%s", err, c.Log(t))
		}
	}
}

// isReady asks as the kubelet does before it gives a node work.
func (c *CRI) isReady() error {
	status, err := c.Status(c.ctx, &cri.StatusRequest{})
	if err != nil {
		return err
	}
	for _, condition := range status.Status.Conditions {
		if !condition.Status {
			return fmt.Errorf("%s: %s", condition.Type, condition.Message)
		}
	}
	return nil
}

// Pod is a sandbox and its configuration, which each container of it needs.
type Pod struct {
	*CRI
	id     string
	config *cri.PodSandboxConfig
}

// podConfig is a pod that asks for nothing.
func (c *CRI) podConfig() *cri.PodSandboxConfig {
	n := name()
	return &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: n, Uid: n, Namespace: "default"},
		Hostname:     "podname",
		LogDirectory: c.File("tmp", n),
		Linux:        &cri.LinuxPodSandboxConfig{CgroupParent: c.parent + "/pod" + n, SecurityContext: &cri.LinuxSandboxSecurityContext{NamespaceOptions: &cri.NamespaceOption{Pid: cri.NamespaceMode_CONTAINER}}},
	}
}

// Pod runs a pod, changed by the edits, that is removed when the test ends.
func (c *CRI) Pod(t testing.TB, edits ...func(*cri.PodSandboxConfig)) *Pod {
	t.Helper()
	config := c.podConfig()
	for _, edit := range edits {
		edit(config)
	}
	check(t, os.MkdirAll(config.LogDirectory, 0o755))
	answer, err := c.RunPodSandbox(c.ctx, &cri.RunPodSandboxRequest{Config: config, RuntimeHandler: "runtime"})
	check(t, err)
	p := &Pod{CRI: c, id: answer.PodSandboxId, config: config}
	t.Cleanup(func() {
		for range 2 { // what is stopped can be stopped, and what is gone removed
			_, err := c.StopPodSandbox(c.ctx, &cri.StopPodSandboxRequest{PodSandboxId: p.id})
			check(t, err)
		}
		for range 2 {
			_, err := c.RemovePodSandbox(c.ctx, &cri.RemovePodSandboxRequest{PodSandboxId: p.id})
			check(t, err)
		}
		c.removeKubelets(t, config.Linux.CgroupParent)
	})
	return p
}

// Address returns the pod's own.
func (p *Pod) Address(t testing.TB) string {
	t.Helper()
	status, err := p.PodSandboxStatus(p.ctx, &cri.PodSandboxStatusRequest{PodSandboxId: p.id})
	check(t, err)
	return status.Status.Network.Ip
}

// Create makes a container of the image in the pod, changed by the edits.
func (p *Pod) Create(t testing.TB, command []string, edits ...func(*cri.ContainerConfig)) string {
	t.Helper()
	n := name()
	config := &cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: n}, Image: &cri.ImageSpec{Image: image},
		Command: command, LogPath: n + ".log",
		Linux: &cri.LinuxContainerConfig{SecurityContext: &cri.LinuxContainerSecurityContext{
			NamespaceOptions: p.config.Linux.SecurityContext.NamespaceOptions}},
	}
	for _, edit := range edits {
		edit(config)
	}
	answer, err := p.CreateContainer(p.ctx, &cri.CreateContainerRequest{PodSandboxId: p.id, Config: config, SandboxConfig: p.config})
	check(t, err)
	return answer.ContainerId
}

// Start creates and starts a container.
func (p *Pod) Start(t testing.TB, command []string, edits ...func(*cri.ContainerConfig)) string {
	t.Helper()
	id := p.Create(t, command, edits...)
	_, err := p.StartContainer(p.ctx, &cri.StartContainerRequest{ContainerId: id})
	check(t, err)
	return id
}

// Exec runs a command in the container to its end and returns what it printed.
func (p *Pod) Exec(t testing.TB, id string, command ...string) string {
	t.Helper()
	answer, err := p.ExecSync(p.ctx, &cri.ExecSyncRequest{ContainerId: id, Cmd: command, Timeout: int64(timeout.Seconds())})
	check(t, err)
	if answer.ExitCode != 0 {
		t.Fatalf("%q: exit code %d: %s", command, answer.ExitCode, answer.Stderr)
	}
	return string(answer.Stdout)
}

// State returns what is known of the container.
func (p *Pod) State(t testing.TB, id string) *cri.ContainerStatus {
	t.Helper()
	answer, err := p.ContainerStatus(p.ctx, &cri.ContainerStatusRequest{ContainerId: id})
	check(t, err)
	return answer.Status
}

// Wait waits until the container has ended.
func (p *Pod) Wait(t testing.TB, id string) *cri.ContainerStatus {
	t.Helper()
	eventually(t, "the container has ended", func() bool {
		return p.State(t, id).State == cri.ContainerState_CONTAINER_EXITED
	})
	return p.State(t, id)
}

// Log returns what the container has written, in the format that kubectl
// reads: time, stream, F for a full line, text.
func (p *Pod) Log(t testing.TB, id string) string {
	t.Helper()
	text, err := os.ReadFile(p.State(t, id).LogPath)
	check(t, err)
	return string(text)
}
