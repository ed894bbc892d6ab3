package engines

import (
	"os"
	"strings"
	"testing"

	"ociruntime/tests/require"
)

func podmanPods(t *testing.T, p *Podman) {
	parallel(t, "pod", func(t *testing.T) {
		pod := p.pod(t)
		p.Start(t, append([]string{"--pod", pod, "--"}, serve("80")...)...)
		eventually(t, "served", func() bool {
			return p.Run(t, "--pod", pod, "--", "wget", "-qO-", "http://127.0.0.1/").Stdout == "served\n"
		})
		if p.parent != "" {
			p.Podman(t, "pod", "pause", pod).OK(t)
			p.Podman(t, "pod", "unpause", pod).OK(t)
		}
		p.Podman(t, "pod", "stop", "--time", "0", pod).OK(t)
		equals(t, "state", p.Podman(t, "pod", "inspect", "--format", "{{.State}}", pod).OK(t), "Exited")
		p.Podman(t, "pod", "start", pod).OK(t)
	})
	parallel(t, "pod-shares", func(t *testing.T) {
		pod := p.pod(t, "--share", "ipc,net,uts,pid", "--hostname", "podname")
		c := p.Start(t, "--pod", pod, "--", "sh", "-c", "echo shared >/dev/shm/x; exec sleep 77")
		eventually(t, "shared", func() bool {
			return p.Run(t, "--pod", pod, "--", "cat", "/dev/shm/x").Stdout == "shared\n"
		})
		got := p.Run(t, "--pod", pod, "--", "sh", "-c", "hostname; ps").OK(t)
		contains(t, got, "podname", "sleep 77", "sleep 1000")
		_ = c
	})
	parallel(t, "kube", func(t *testing.T) {
		pod := "pod" + strings.ToLower(name())
		file := p.File("tmp", pod+".yaml")
		text := strings.ReplaceAll(kubePod, "NAME", pod)
		if p.parent == "" { // limits need a cgroup
			text = strings.ReplaceAll(text, "    resources: {limits: {memory: 100Mi}}\n", "")
		}
		check(t, os.WriteFile(file, []byte(text), 0o644))
		p.Podman(t, "play", "kube", "--network", "none", file).OK(t)
		t.Cleanup(func() { p.Podman(t, "pod", "rm", "--force", "--time", "0", pod) })
		eventually(t, "second container's word", func() bool {
			return p.Podman(t, "logs", pod+"-second").Stdout == "written by first, 1000\n"
		})
		contains(t, p.Podman(t, "generate", "kube", pod).OK(t), "name: "+pod, image)
		p.Podman(t, "play", "kube", "--down", file).OK(t)
	})
}

// kubePod is a pod whose containers share a volume.
const kubePod = `apiVersion: v1
kind: Pod
metadata:
  name: NAME
spec:
  restartPolicy: Never
  volumes:
  - name: shared
    emptyDir: {}
  containers:
  - name: first
    image: localhost/box:latest
    command: ["sh", "-c", "printf 'written by first' >/shared/x && mv /shared/x /shared/file && sleep 100"]
    volumeMounts: [{name: shared, mountPath: /shared}]
    resources: {limits: {memory: 100Mi}}
  - name: second
    image: localhost/box:latest
    command: ["sh", "-c", "until [ -e /shared/file ]; do usleep 10000; done; echo $(cat /shared/file), $(id -u); sleep 100"]
    volumeMounts: [{name: shared, mountPath: /shared}]
    securityContext: {runAsUser: 1000, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
`

// pod makes a pod that is removed when the test ends.
func (p *Podman) pod(t *testing.T, args ...string) string {
	t.Helper()
	pod := "pod" + name()
	words := []string{"pod", "create", "--name", pod, "--network", "none"}
	if p.parent != "" {
		words = append(words, "--cgroup-parent", p.parent)
	}
	p.Podman(t, append(words, args...)...).OK(t)
	t.Cleanup(func() { p.Podman(t, "pod", "rm", "--force", "--time", "0", pod) })
	return pod
}

// podmanRoot: what only root can have.
func podmanRoot(t *testing.T, p *Podman) {
	parallel(t, "pause", func(t *testing.T) {
		c := p.Start(t, "--", "sleep", "100")
		p.Podman(t, "pause", c).OK(t)
		equals(t, "status", p.Inspect(t, c, "{{.State.Status}}"), "paused")
		p.Podman(t, "exec", c, "true").Fails(t)
		p.Podman(t, "unpause", c).OK(t)
		equals(t, "output", p.Podman(t, "exec", c, "echo", "hi").OK(t), "hi")
		p.Podman(t, "pause", c).OK(t)
		p.Podman(t, "rm", "--force", "--time", "0", c).OK(t)
	})
	parallel(t, "memory-hog", func(t *testing.T) {
		require.Controller(t, "memory")
		c := p.Start(t, append([]string{"--memory", "100m", "--"}, hog("300M")...)...)
		equals(t, "exit code", p.Podman(t, "wait", c).OK(t), "137")
	})
	parallel(t, "limits", func(t *testing.T) {
		require.Controller(t, "memory")
		c := p.Start(t, "--memory", "100m", "--cpus", "0.5", "--pids-limit", "7", "--cpu-shares", "300", "--", "sleep", "100")
		pid := p.Inspect(t, c, "{{.State.Pid}}")
		equals(t, "memory", p.Setting(t, pid, "memory", "memory.limit_in_bytes", "memory.max"), "104857600")
		equals(t, "quota", p.Setting(t, pid, "cpu", "cpu.cfs_quota_us", "cpu.max"), onV1("cpu", "50000", "50000 100000"))
		equals(t, "pids", p.Setting(t, pid, "pids", "pids.max", "pids.max"), "7")
	})
	parallel(t, "stats", func(t *testing.T) {
		require.Controller(t, "memory")
		c := p.Start(t, "--memory", "64m", "--", "sleep", "100")
		contains(t, p.Podman(t, "stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDS}}", c).OK(t), "/ 67.11MB 1")
	})
	parallel(t, "device-rules", func(t *testing.T) {
		p.Run(t, "--device", "/dev/fuse:/dev/other:r", "--", "sh", "-c", ": </dev/other && echo read; : >/dev/other").Fails(t, "read", "Operation not permitted")
		p.Run(t, "--cap-add", "MKNOD", "--", "sh", "-c", "mknod /tmp/fuse c 10 229 && : </tmp/fuse").Fails(t, "Operation not permitted")
	})
	parallel(t, "userns", func(t *testing.T) {
		got := p.Run(t, "--uidmap", "0:200000:5000", "--gidmap", "0:300000:5000", "--", "cat", "/proc/self/uid_map", "/proc/self/gid_map").OK(t)
		equals(t, "maps", strings.Join(strings.Fields(got), " "), "0 200000 5000 0 300000 5000")
	})
	parallel(t, "volume-idmapped", func(t *testing.T) {
		dir := p.scratch + "/" + name()
		check(t, os.Mkdir(dir, 0o755))
		check(t, os.Chown(dir, 5, 6))
		got := p.Run(t, "--uidmap", "0:200000:5000", "--gidmap", "0:200000:5000", "--volume", dir+":/v:idmap", "--", "stat", "-c", "%u:%g", "/v").OK(t)
		equals(t, "owner", got, "5:6")
	})
	parallel(t, "net-bridge", func(t *testing.T) {
		c := p.Start(t, append([]string{"--network", "podman", "--publish", "127.0.0.1:8082:80", "--"}, serve("80")...)...)
		p.fetch(t, p.Inspect(t, c, "{{.NetworkSettings.IPAddress}}"))
	})
	parallel(t, "propagation", func(t *testing.T) {
		dir := p.scratch + "/" + name()
		check(t, os.MkdirAll(dir+"/sub", 0o755))
		c := p.Start(t, "--volume", dir+":/v:rslave", "--", "sleep", "100")
		p.Call(t, "mount", "-t", "tmpfs", "t", dir+"/sub").OK(t)
		contains(t, p.Podman(t, "exec", c, "cat", "/proc/self/mounts").OK(t), "/v/sub")
		p.Call(t, "umount", dir+"/sub").OK(t)
	})
	parallel(t, "cgroupns", func(t *testing.T) {
		contains(t, p.Run(t, "--cgroupns=host", "--", "cat", "/proc/self/cgroup").OK(t), p.parent)
		lacks(t, p.Run(t, "--cgroupns=private", "--", "cat", "/proc/self/cgroup").OK(t), p.parent)
	})
	parallel(t, "systemd-mode", func(t *testing.T) { // writable cgroup of its own, tmpfs on /run
		got := p.Run(t, "--systemd=always", "--", "sh", "-c", "grep -E ' /run |/sys/fs/cgroup/systemd' /proc/mounts; echo $container").OK(t)
		contains(t, got, "tmpfs /run tmpfs rw", "podman")
	})
}

// podmanRootless: what is different without privileges.
func podmanRootless(t *testing.T, p *Podman) {
	parallel(t, "owner", func(t *testing.T) {
		c := p.Start(t, "--user", "1000", "--", "sleep", "100")
		pid := p.Inspect(t, c, "{{.State.Pid}}")
		if uid := p.Call(t, "stat", "-c", "%u", "/proc/"+pid).OK(t); uid == "0" || uid == "1000" {
			t.Fatalf("uid %s outside", uid)
		}
	})
	parallel(t, "userns-keep-id", func(t *testing.T) {
		uid := p.Call(t, "id", "-u", "tester").OK(t)
		equals(t, "user", p.Run(t, "--userns=keep-id", "--", "id", "-u").OK(t), uid)
	})
	parallel(t, "keep-groups", func(t *testing.T) { // crun's run.oci.keep_original_groups
		dir := p.scratch + "/" + name()
		p.Call(t, "groupadd", "--gid", "7777", "team").OK(t)
		p.Call(t, "install", "-d", "-g", "team", "-m", "2770", dir).OK(t)
		p.Call(t, "usermod", "--append", "--groups", "team", "tester").OK(t)
		p.Run(t, "--volume", dir+":/v", "--", "touch", "/v/x").Fails(t, "Permission denied")
		p.Run(t, "--group-add", "keep-groups", "--volume", dir+":/v", "--", "touch", "/v/x").OK(t)
		c := p.Start(t, "--group-add", "keep-groups", "--volume", dir+":/v", "--", "sleep", "100")
		p.Podman(t, "exec", c, "touch", "/v/y").OK(t)
	})
	parallel(t, "net-slirp", func(t *testing.T) {
		require.Program(t, "slirp4netns")
		require.File(t, "/dev/net/tun")
		p.Start(t, append([]string{"--network", "slirp4netns:port_handler=slirp4netns", "--publish", "127.0.0.1:8083:80", "--"}, serve("80")...)...)
		p.fetch(t, "127.0.0.1:8083")
	})
	parallel(t, "unshare-nested", func(t *testing.T) { // the runtime as root of a user namespace
		equals(t, "output", p.Call(t, append(append([]string{}, p.as...), "podman", "unshare", "id", "-u")...).OK(t), "0")
	})
}
