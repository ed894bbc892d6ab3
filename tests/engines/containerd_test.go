package engines

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Containerd is Debian's containerd, used through ctr.
type Containerd struct {
	*World
	*Daemon
	socket    string
	namespace string // of containerd's own kind; also the cgroup of all containers
}

// containerdConfig is all that is not default.
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
	return c.Call(t, c.ctr(args...)...)
}

func (c *Containerd) ctr(args ...string) []string {
	return append([]string{"ctr", "--address", c.socket, "--namespace", c.namespace}, args...)
}

// Root is where the runtime keeps the state of the containers.
func (c *Containerd) Root() string { return "/run/containerd/runc/" + c.namespace }

// Run runs a container of the image to its end. The flags come before the
// image, the command after "--".
func (c *Containerd) Run(t testing.TB, args ...string) Result {
	t.Helper()
	return c.Call(t, c.run(t, name(), append([]string{"--rm"}, args...)...)...)
}

// Start runs a container of the image in the background, removes it when the
// test ends, and returns its id.
func (c *Containerd) Start(t testing.TB, args ...string) string {
	t.Helper()
	id := name()
	c.Call(t, c.run(t, id, append([]string{"--detach"}, args...)...)...).OK(t)
	t.Cleanup(func() { c.Remove(t, id) })
	return id
}

// Remove takes away what is left of the container.
func (c *Containerd) Remove(t testing.TB, id string) {
	t.Helper()
	c.Ctr(t, "task", "delete", "--force", id)
	c.Ctr(t, "container", "delete", id)
}

// run gives the words of a `ctr run`. Without an image name in front of "--"
// the flags must name a root file system or a configuration.
func (c *Containerd) run(t testing.TB, id string, args ...string) []string {
	flags, command := args, []string(nil)
	for i, arg := range args {
		if arg == "--" {
			flags, command = args[:i], args[i+1:]
			break
		}
	}
	words := c.ctr(strings.Fields(strings.TrimSuffix(snippet(t, "ctr"), "...\n"))[1:]...)
	words = append(words, flags...)
	if !strings.Contains(strings.Join(flags, " "), "--rootfs") && !strings.Contains(strings.Join(flags, " "), "--config") {
		words = append(words, image)
	}
	return append(append(words, id), command...)
}

// PID returns the PID of the container's process, as the world sees it.
func (c *Containerd) PID(t testing.TB, id string) string {
	t.Helper()
	for line := range strings.Lines(c.Ctr(t, "task", "list").OK(t)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == id {
			return f[1]
		}
	}
	t.Fatalf("no task %s", id)
	return ""
}

// Status returns RUNNING, STOPPED, PAUSED, or "" for a task that is not there.
func (c *Containerd) Status(t testing.TB, id string) string {
	t.Helper()
	for line := range strings.Lines(c.Ctr(t, "task", "list").OK(t)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == id {
			return f[2]
		}
	}
	return ""
}

// TestContainerd: everything that ctr can ask for.
func TestContainerd(t *testing.T) {
	t.Parallel()
	c := NewContainerd(t)
	ctrRun(t, c)
	ctrTasks(t, c)
	ctrFailures(t, c)
}

func ctrRun(t *testing.T, c *Containerd) {
	parallel(t, "run", func(t *testing.T) {
		equals(t, "output", c.Run(t, "--", "echo", "hi").OK(t), "hi")
	})
	parallel(t, "run-exit-code", func(t *testing.T) {
		c.Run(t, "--", "sh", "-c", "exit 7").Exits(t, 7)
	})
	parallel(t, "run-stdin", func(t *testing.T) {
		words := c.run(t, name(), "--rm", "--", "sh", "-c", "read line; echo got $line")
		equals(t, "output", c.CallWith(t, "words\n", nil, words...).OK(t), "got words")
	})
	parallel(t, "run-terminal", func(t *testing.T) {
		term := c.Terminal(t, c.run(t, name(), "--rm", "--tty", "--", "sh")...)
		term.Write("tty; " + untilSize("40 120") + "; exit 5\n")
		contains(t, term.Exits(5), "/dev/pts/0", "is now 40 120")
	})
	parallel(t, "run-flags", func(t *testing.T) {
		got := c.Run(t, "--env", "A=b", "--cwd", "/tmp", "--read-only", "--", "sh", "-c", "echo $A; pwd; touch /x 2>&1; true").OK(t)
		equals(t, "output", got, "b\n/tmp\ntouch: /x: Read-only file system")
	})
	parallel(t, "run-mount", func(t *testing.T) {
		dir := c.File("tmp", name())
		check(t, os.Mkdir(dir, 0o755))
		c.Run(t, "--mount", "type=bind,src="+dir+",dst=/v,options=rbind:ro", "--", "sh", "-c", "[ -d /v ] && ! touch /v/x").OK(t)
	})
	parallel(t, "run-limits", func(t *testing.T) {
		id := c.Start(t, "--memory-limit", "104857600", "--cpu-quota", "20000", "--cpu-period", "100000", "--", "sleep", "100")
		pid := c.PID(t, id)
		equals(t, "memory", c.Setting(t, pid, "memory", "memory.limit_in_bytes", "memory.max"), "104857600")
		equals(t, "quota", c.Setting(t, pid, "cpu", "cpu.cfs_quota_us", "cpu.max"), onV1("cpu", "20000", "20000 100000"))
		contains(t, c.Cgroup(t, pid, "memory"), "/"+c.namespace+"/"+id)
	})
	parallel(t, "run-privileged", func(t *testing.T) {
		c.Run(t, "--privileged", "--", "sh", "-c", "mount -t tmpfs t /mnt").OK(t)
	})
	parallel(t, "run-seccomp", func(t *testing.T) {
		contains(t, c.Run(t, "--seccomp", "--", "grep", "Seccomp:", "/proc/self/status").OK(t), "\t2")
	})
	parallel(t, "run-net-host", func(t *testing.T) {
		equals(t, "namespace", c.Run(t, "--net-host", "--", "readlink", "/proc/self/ns/net").OK(t), c.Call(t, "readlink", "/proc/self/ns/net").OK(t))
	})
	parallel(t, "run-pid-file", func(t *testing.T) {
		file := c.File("tmp", name())
		id := c.Start(t, "--pid-file", file, "--", "sleep", "100")
		equals(t, "PID", c.Call(t, "cat", file).OK(t), c.PID(t, id))
	})
	parallel(t, "run-rootfs", func(t *testing.T) { // no image, so no PATH either
		root := c.Rootfs(t, name())
		words := c.run(t, name(), "--rm", "--rootfs", "--", "/bin/echo", "hi")
		for i, word := range words {
			if word == "--rootfs" {
				words = append(append(append([]string{}, words[:i+1]...), root), words[i+1:]...)
				break
			}
		}
		equals(t, "output", c.Call(t, words...).OK(t), "hi")
	})
	parallel(t, "run-native-snapshot", func(t *testing.T) {
		equals(t, "output", c.Run(t, "--snapshotter", "native", "--", "echo", "hi").OK(t), "hi")
	})
	parallel(t, "snapshots", func(t *testing.T) {
		id := c.Start(t, "--", "sh", "-c", "echo changed >/var/www/index.html; sleep 100")
		contains(t, c.Ctr(t, "snapshot", "list").OK(t), id)
		equals(t, "image", c.Run(t, "--", "cat", "/var/www/index.html").OK(t), "served")
	})
	parallel(t, "run-nosuch", func(t *testing.T) {
		c.Run(t, "--", "nosuch").Fails(t, `"nosuch": executable file not found in $PATH`)
	})
}

func ctrTasks(t *testing.T, c *Containerd) {
	parallel(t, "exec", func(t *testing.T) {
		id := c.Start(t, "--", "sleep", "100")
		exec := func(args ...string) Result {
			return c.Ctr(t, append([]string{"task", "exec", "--exec-id", name()}, args...)...)
		}
		equals(t, "output", exec(id, "echo", "hi").OK(t), "hi")
		equals(t, "flags", exec("--user", "1000", "--cwd", "/tmp", id, "sh", "-c", "id -u; pwd").OK(t), "1000\n/tmp")
		exec(id, "sh", "-c", "exit 3").Exits(t, 3)
		exec(id, "nosuch").Fails(t, "executable file not found in $PATH")
	})
	parallel(t, "exec-terminal", func(t *testing.T) {
		id := c.Start(t, "--", "sleep", "100")
		term := c.Terminal(t, c.ctr("task", "exec", "--tty", "--exec-id", name(), id, "sh")...)
		term.Write("tty; " + untilSize("40 120") + "; exit 5\n")
		contains(t, term.Exits(5), "/dev/pts/0", "is now 40 120")
	})
	parallel(t, "pause", func(t *testing.T) {
		id := c.Start(t, "--", "sleep", "100")
		c.Ctr(t, "task", "pause", id).OK(t)
		equals(t, "status", c.Status(t, id), "PAUSED")
		c.Ctr(t, "task", "exec", "--exec-id", name(), id, "true").Fails(t)
		c.Ctr(t, "task", "resume", id).OK(t)
		equals(t, "status", c.Status(t, id), "RUNNING")
	})
	parallel(t, "kill", func(t *testing.T) {
		id := c.Start(t, "--", "sh", "-c", "trap 'exit 9' HUP; touch /tmp/up; while :; do usleep 10000; done")
		eventually(t, "up", func() bool {
			return c.Ctr(t, "task", "exec", "--exec-id", name(), id, "test", "-e", "/tmp/up").Code == 0
		})
		c.Ctr(t, "task", "delete", id).Fails(t, "must be stopped")
		c.Ctr(t, "task", "kill", "--signal", "HUP", id).OK(t)
		eventually(t, "stopped", func() bool { return c.Status(t, id) == "STOPPED" })
		c.Ctr(t, "task", "kill", id).Fails(t, "process already finished", "not found")
		contains(t, c.Ctr(t, "task", "delete", id).Stderr, "code 9")
	})
	parallel(t, "kill-all", func(t *testing.T) {
		id := c.Start(t, "--", "sh", "-c", "sleep 100 & sleep 100")
		c.Ctr(t, "task", "kill", "--all", "--signal", "KILL", id).OK(t)
		eventually(t, "stopped", func() bool { return c.Status(t, id) == "STOPPED" })
	})
	parallel(t, "ps", func(t *testing.T) {
		id := c.Start(t, "--", "sh", "-c", "sleep 100 & sleep 100; true")
		pid := c.PID(t, id)
		eventually(t, "three processes", func() bool {
			return len(strings.Split(c.Ctr(t, "task", "ps", id).OK(t), "\n")) == 4
		})
		contains(t, c.Ctr(t, "task", "ps", id).OK(t), pid)
	})
	parallel(t, "metrics", func(t *testing.T) {
		id := c.Start(t, "--memory-limit", "104857600", "--", "sleep", "100")
		c.Cgroup(t, c.PID(t, id), "memory")
		contains(t, c.Ctr(t, "task", "metrics", id).OK(t), "104857600", "pids.current")
	})
}

// cgroups of a container that are left, in any hierarchy.
func (c *Containerd) cgroupsOf(id string) []string {
	found, _ := filepath.Glob("/sys/fs/cgroup/*/" + c.namespace + "/" + id)
	unified, _ := filepath.Glob("/sys/fs/cgroup/" + c.namespace + "/" + id)
	return append(found, unified...)
}
