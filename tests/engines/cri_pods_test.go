package engines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"ociruntime/tests/require"
	"ociruntime/tests/view"
)

// TestCRI: what a kubelet asks for.
func TestCRI(t *testing.T) {
	t.Parallel()
	c := NewCRI(t)
	criPods(t, c)
	criContainers(t, c)
	criResources(t, c)
	criSecurity(t, c)
	criStreams(t, c)
}

// removeKubelets removes the pod's cgroup, which is the kubelet's to make and
// to remove.
func (c *CRI) removeKubelets(t testing.TB, parent string) {
	t.Helper()
	for _, h := range view.Hierarchies() {
		dir := filepath.Join(h.Point, parent)
		eventually(t, "no cgroup is left in "+dir, func() bool { return os.Remove(dir) == nil || !exists(dir) })
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func criPods(t *testing.T, c *CRI) {
	parallel(t, "sandbox", func(t *testing.T) {
		p := c.Pod(t)
		status, err := c.PodSandboxStatus(c.ctx, &cri.PodSandboxStatusRequest{PodSandboxId: p.id})
		check(t, err)
		equals(t, "state", status.Status.State, cri.PodSandboxState_SANDBOX_READY)
		equals(t, "handler", status.Status.RuntimeHandler, "runtime")
		id := p.Start(t, []string{"sleep", "100"})
		equals(t, "host name", p.Exec(t, id, "hostname"), "podname\n")
		contains(t, p.Exec(t, id, "ip", "-4", "addr", "show", "eth0"), "inet "+p.Address(t)+"/16")
	})
	parallel(t, "shared-namespaces", func(t *testing.T) {
		p := c.Pod(t, func(s *cri.PodSandboxConfig) {
			s.Linux.SecurityContext.NamespaceOptions = &cri.NamespaceOption{Pid: cri.NamespaceMode_POD, Ipc: cri.NamespaceMode_POD}
		})
		first := p.Start(t, serve("80"))
		second := p.Start(t, []string{"sleep", "99"})
		eventually(t, "served", func() bool {
			answer, err := p.ExecSync(p.ctx, &cri.ExecSyncRequest{ContainerId: second, Cmd: []string{"wget", "-qO-", "http://127.0.0.1/"}})
			return err == nil && string(answer.Stdout) == "served\n"
		})
		contains(t, p.Exec(t, first, "ps"), "sleep 1000", "httpd", "sleep 99") // the pause container's is the first
		p.Exec(t, first, "sh", "-c", "echo shared >/dev/shm/x")
		equals(t, "shared memory", p.Exec(t, second, "cat", "/dev/shm/x"), "shared\n")
	})
	parallel(t, "host-namespaces", func(t *testing.T) {
		p := c.Pod(t, func(s *cri.PodSandboxConfig) {
			s.Hostname = "" // it is the node's
			s.Linux.SecurityContext.NamespaceOptions = &cri.NamespaceOption{Network: cri.NamespaceMode_NODE, Pid: cri.NamespaceMode_NODE, Ipc: cri.NamespaceMode_NODE}
		})
		id := p.Start(t, []string{"sleep", "100"})
		for _, kind := range []string{"net", "pid", "ipc"} {
			own := c.Call(t, "readlink", "/proc/self/ns/"+kind).OK(t)
			equals(t, kind, strings.TrimSpace(p.Exec(t, id, "readlink", "/proc/self/ns/"+kind)), own)
		}
	})
	parallel(t, "between-pods", func(t *testing.T) {
		server := c.Pod(t)
		server.Start(t, serve("80"))
		c.fetch(t, server.Address(t))
		client := c.Pod(t)
		id := client.Start(t, []string{"sleep", "100"})
		equals(t, "page", client.Exec(t, id, "wget", "-qO-", "http://"+server.Address(t)), "served\n")
	})
	parallel(t, "host-port", func(t *testing.T) {
		p := c.Pod(t, func(s *cri.PodSandboxConfig) {
			s.PortMappings = []*cri.PortMapping{{ContainerPort: 80, HostPort: 8085}}
		})
		p.Start(t, serve("80"))
		c.fetch(t, c.gateway(t)+":8085")
	})
	parallel(t, "sysctls", func(t *testing.T) {
		p := c.Pod(t, func(s *cri.PodSandboxConfig) {
			s.Linux.Sysctls = map[string]string{"net.ipv4.ip_local_port_range": "1024 65000", "kernel.shm_rmid_forced": "1"}
		})
		id := p.Start(t, []string{"sleep", "100"})
		equals(t, "values", p.Exec(t, id, "cat", "/proc/sys/net/ipv4/ip_local_port_range", "/proc/sys/kernel/shm_rmid_forced"), "1024\t65000\n1\n")
	})
	parallel(t, "sandbox-fails", func(t *testing.T) {
		config := c.podConfig()
		config.Linux.Sysctls = map[string]string{"kernel.nosuch": "1"}
		_, err := c.RunPodSandbox(c.ctx, &cri.RunPodSandboxRequest{Config: config, RuntimeHandler: "runtime"})
		if err == nil {
			t.Fatal("a sysctl that is not there is set")
		}
		contains(t, err.Error(), "kernel.nosuch")
		c.removeKubelets(t, config.Linux.CgroupParent)
	})
	parallel(t, "oom-score", func(t *testing.T) {
		// containerd asks for -998 for the sandbox's own process. Without
		// CAP_SYS_RESOURCE nobody may lower it: it stays the one of the shim,
		// and the pod has to run all the same.
		p := c.Pod(t)
		pid := c.pidOf(t, p.id)
		wanted := "-998"
		if !may(t, unix.CAP_SYS_RESOURCE) {
			wanted = c.oomScore(t, strings.Fields(c.Call(t, "cat", "/proc/"+pid+"/stat").OK(t))[3]) // its parent
		}
		equals(t, "of the sandbox", c.oomScore(t, pid), wanted)
		id := p.Start(t, []string{"sleep", "100"}, func(s *cri.ContainerConfig) {
			s.Linux.Resources = &cri.LinuxContainerResources{OomScoreAdj: 900}
		})
		equals(t, "of the container", strings.TrimSpace(p.Exec(t, id, "cat", "/proc/1/oom_score_adj")), "900")
	})
}

// gateway is the world's address in the pods' network.
func (c *CRI) gateway(t testing.TB) string {
	t.Helper()
	for line := range strings.Lines(c.Call(t, "ip", "-4", "-o", "addr", "show", "cni0").OK(t)) {
		address, _, _ := strings.Cut(strings.Fields(line)[3], "/")
		return address
	}
	t.Fatal("cni0 has no address")
	return ""
}

// oomScore reads the adjustment of a process of the world.
func (c *CRI) oomScore(t testing.TB, pid string) string {
	t.Helper()
	return c.Call(t, "cat", "/proc/"+pid+"/oom_score_adj").OK(t)
}

// may tells whether the tests, and so the engines, have the capability.
func may(t testing.TB, capability uint) bool {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	check(t, unix.Capget(&header, &sets[0]))
	return sets[capability/32].Effective&(1<<(capability%32)) != 0
}

func criContainers(t *testing.T, c *CRI) {
	parallel(t, "life", func(t *testing.T) {
		p := c.Pod(t)
		id := p.Create(t, []string{"sh", "-c", "echo out; echo err >&2; exit 7"})
		equals(t, "state", p.State(t, id).State, cri.ContainerState_CONTAINER_CREATED)
		_, err := c.StartContainer(c.ctx, &cri.StartContainerRequest{ContainerId: id})
		check(t, err)
		end := p.Wait(t, id)
		equals(t, "exit code", end.ExitCode, 7)
		equals(t, "reason", end.Reason, "Error")
		eventually(t, "log", func() bool {
			text := p.Log(t, id)
			return strings.Contains(text, " stdout F out\n") && strings.Contains(text, " stderr F err\n")
		})
		for range 2 {
			_, err = c.RemoveContainer(c.ctx, &cri.RemoveContainerRequest{ContainerId: id})
			check(t, err)
		}
	})
	parallel(t, "exec-sync", func(t *testing.T) {
		p := c.Pod(t)
		id := p.Start(t, []string{"sleep", "100"})
		answer, err := c.ExecSync(c.ctx, &cri.ExecSyncRequest{ContainerId: id, Cmd: []string{"sh", "-c", "echo out; echo err >&2; exit 3"}})
		check(t, err)
		equals(t, "stdout", string(answer.Stdout), "out\n")
		equals(t, "stderr", string(answer.Stderr), "err\n")
		equals(t, "exit code", answer.ExitCode, 3)
		_, err = c.ExecSync(c.ctx, &cri.ExecSyncRequest{ContainerId: id, Cmd: []string{"sleep", "100"}, Timeout: 1})
		if err == nil || !strings.Contains(err.Error(), "timeout 1s exceeded") {
			t.Errorf("a command that takes too long: %v", err)
		}
		_, err = c.ExecSync(c.ctx, &cri.ExecSyncRequest{ContainerId: id, Cmd: []string{"nosuch"}})
		if err == nil || !strings.Contains(err.Error(), `exec: "nosuch": executable file not found in $PATH`) {
			t.Errorf("a command that is not there: %v", err)
		}
	})
	parallel(t, "stop", func(t *testing.T) {
		p := c.Pod(t)
		id := p.Start(t, []string{"sh", "-c", "trap 'exit 4' TERM; touch /tmp/up; while :; do usleep 10000; done"})
		eventually(t, "up", func() bool {
			answer, err := c.ExecSync(c.ctx, &cri.ExecSyncRequest{ContainerId: id, Cmd: []string{"test", "-e", "/tmp/up"}})
			return err == nil && answer.ExitCode == 0
		})
		deaf := p.Start(t, []string{"sleep", "100"})
		for id, code := range map[string]int32{id: 4, deaf: 137} {
			for range 2 {
				_, err := c.StopContainer(c.ctx, &cri.StopContainerRequest{ContainerId: id, Timeout: 1})
				check(t, err)
			}
			equals(t, "exit code", p.State(t, id).ExitCode, code)
		}
	})
	parallel(t, "nosuch", func(t *testing.T) {
		p := c.Pod(t)
		id := p.Create(t, []string{"nosuch"})
		_, err := c.StartContainer(c.ctx, &cri.StartContainerRequest{ContainerId: id})
		if err == nil {
			t.Fatal("it has started")
		}
		contains(t, err.Error(), `exec: "nosuch": executable file not found in $PATH`)
		status := p.State(t, id)
		equals(t, "reason", status.Reason, "StartError")
		equals(t, "exit code", status.ExitCode, 128)
	})
	parallel(t, "mounts", func(t *testing.T) {
		p := c.Pod(t)
		dir := c.File("tmp", name())
		check(t, os.MkdirAll(dir+"/below", 0o755))
		id := p.Start(t, []string{"sleep", "100"}, func(s *cri.ContainerConfig) {
			s.WorkingDir = "/rw"
			s.Envs = []*cri.KeyValue{{Key: "A", Value: []byte("b c")}}
			s.Mounts = []*cri.Mount{
				{HostPath: dir, ContainerPath: "/rw", Propagation: cri.MountPropagation_PROPAGATION_HOST_TO_CONTAINER},
				{HostPath: dir, ContainerPath: "/ro", Readonly: true},
			}
		})
		p.Exec(t, id, "sh", "-c", "echo $A >file && ! touch /ro/x")
		equals(t, "file", c.Call(t, "cat", dir+"/file").OK(t), "b c")
		c.Call(t, "mount", "-t", "tmpfs", "t", dir+"/below").OK(t)
		contains(t, p.Exec(t, id, "cat", "/proc/self/mounts"), " /rw/below ")
		c.Call(t, "umount", dir+"/below").OK(t)
	})
	parallel(t, "daemon-killed", func(t *testing.T) {
		// Not of the shared one.
		c := NewCRI(t)
		p := c.Pod(t)
		id := p.Start(t, []string{"sleep", "100"})
		c.Daemon.Kill(t)
		c.Daemon.start(t, c.ready)
		c.waitReady(t)
		equals(t, "state", p.State(t, id).State, cri.ContainerState_CONTAINER_RUNNING)
		equals(t, "output", p.Exec(t, id, "echo", "hi"), "hi\n")
	})
}

func criResources(t *testing.T, c *CRI) {
	limited := func(s *cri.ContainerConfig) {
		s.Linux.Resources = &cri.LinuxContainerResources{MemoryLimitInBytes: 64 << 20, CpuShares: 512, CpuQuota: 30000, CpuPeriod: 100000}
	}
	parallel(t, "limits-and-update", func(t *testing.T) {
		require.Controller(t, "memory")
		p := c.Pod(t)
		id := p.Start(t, []string{"sleep", "100"}, limited)
		pid := c.pidOf(t, id)
		equals(t, "memory", c.Setting(t, pid, "memory", "memory.limit_in_bytes", "memory.max"), "67108864")
		equals(t, "quota", c.Setting(t, pid, "cpu", "cpu.cfs_quota_us", "cpu.max"), onV1("cpu", "30000", "30000 100000"))
		_, err := c.UpdateContainerResources(c.ctx, &cri.UpdateContainerResourcesRequest{ContainerId: id, Linux: &cri.LinuxContainerResources{CpuQuota: 50000}})
		check(t, err)
		equals(t, "quota", c.Setting(t, pid, "cpu", "cpu.cfs_quota_us", "cpu.max"), onV1("cpu", "50000", "50000 100000"))
		equals(t, "memory", c.Setting(t, pid, "memory", "memory.limit_in_bytes", "memory.max"), "67108864")
		_, err = c.UpdateContainerResources(c.ctx, &cri.UpdateContainerResourcesRequest{ContainerId: id, Linux: &cri.LinuxContainerResources{MemoryLimitInBytes: 128 << 20, CpusetCpus: "0"}})
		check(t, err)
		equals(t, "memory", c.Setting(t, pid, "memory", "memory.limit_in_bytes", "memory.max"), "134217728")
		equals(t, "CPUs", p.Exec(t, id, "nproc"), "1\n")
	})
	parallel(t, "oom-killed", func(t *testing.T) {
		require.Controller(t, "memory")
		p := c.Pod(t)
		id := p.Start(t, hog("300M"), limited)
		end := p.Wait(t, id)
		equals(t, "exit code", end.ExitCode, 137)
		eventually(t, "the reason is known", func() bool { return p.State(t, id).Reason == "OOMKilled" })
	})
	parallel(t, "stats", func(t *testing.T) {
		require.Controller(t, "memory")
		p := c.Pod(t)
		id := p.Start(t, []string{"sleep", "100"}, limited)
		answer, err := c.ContainerStats(c.ctx, &cri.ContainerStatsRequest{ContainerId: id})
		check(t, err)
		if answer.Stats.Memory.WorkingSetBytes.GetValue() == 0 || answer.Stats.Cpu.UsageCoreNanoSeconds.GetValue() == 0 {
			t.Errorf("stats: %v", answer.Stats)
		}
	})
}

// pidOf returns the PID of a container's first process, as the world sees it.
func (c *CRI) pidOf(t testing.TB, id string) string {
	t.Helper()
	for line := range strings.Lines(c.Call(t, "ctr", "--address", c.socket, "--namespace", "k8s.io", "task", "list").OK(t)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == id {
			return f[1]
		}
	}
	t.Fatalf("no task %s", id)
	return ""
}

func criSecurity(t *testing.T, c *CRI) {
	secured := func(edit func(*cri.LinuxContainerSecurityContext)) func(*cri.ContainerConfig) {
		return func(s *cri.ContainerConfig) { edit(s.Linux.SecurityContext) }
	}
	parallel(t, "restricted", func(t *testing.T) { // Kubernetes' restricted pod security standard
		p := c.Pod(t)
		id := p.Start(t, []string{"sleep", "100"}, secured(func(s *cri.LinuxContainerSecurityContext) {
			s.RunAsUser, s.RunAsGroup = &cri.Int64Value{Value: 1000}, &cri.Int64Value{Value: 1000}
			s.SupplementalGroups = []int64{77}
			s.ReadonlyRootfs, s.NoNewPrivs = true, true
			s.Capabilities = &cri.Capability{DropCapabilities: []string{"ALL"}}
			s.Seccomp = &cri.SecurityProfile{ProfileType: cri.SecurityProfile_RuntimeDefault}
		}))
		got := p.Exec(t, id, "sh", "-c", "id -u; id -G; grep -E 'CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; touch /x 2>&1; true")
		equals(t, "output", strings.Join(strings.Fields(got), " "),
			"1000 1000 77 2000 CapBnd: 0000000000000000 NoNewPrivs: 1 Seccomp: 2 touch: /x: Read-only file system")
	})
	parallel(t, "default", func(t *testing.T) {
		p := c.Pod(t)
		id := p.Start(t, []string{"sleep", "100"}, secured(func(s *cri.LinuxContainerSecurityContext) {
			s.MaskedPaths, s.ReadonlyPaths = []string{"/proc/kcore", "/proc/keys"}, []string{"/proc/sys"}
			s.Seccomp = &cri.SecurityProfile{ProfileType: cri.SecurityProfile_Unconfined}
		}))
		got := p.Exec(t, id, "sh", "-c", "grep -E 'CapEff|Seccomp:' /proc/self/status; cat /proc/keys | wc -c; echo x >/proc/sys/kernel/core_pattern; true")
		equals(t, "output", strings.Join(strings.Fields(got), " "), "CapEff: 00000000a80425fb Seccomp: 0 0")
	})
	parallel(t, "privileged", func(t *testing.T) {
		p := c.Pod(t, func(s *cri.PodSandboxConfig) { s.Linux.SecurityContext.Privileged = true })
		id := p.Start(t, []string{"sleep", "100"}, secured(func(s *cri.LinuxContainerSecurityContext) { s.Privileged = true }))
		p.Exec(t, id, "sh", "-c", "mount -t tmpfs t /mnt && : <>/dev/fuse && echo 1 >/proc/sys/net/ipv4/ip_forward")
	})
	parallel(t, "device", func(t *testing.T) {
		p := c.Pod(t)
		id := p.Start(t, []string{"sleep", "100"}, func(s *cri.ContainerConfig) {
			s.Devices = []*cri.Device{{HostPath: "/dev/fuse", ContainerPath: "/dev/other", Permissions: "rw"}}
		})
		p.Exec(t, id, "sh", "-c", ": <>/dev/other")
	})
}
