package engines

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// ctrFailures: what containerd meets when something goes wrong, and must be
// able to clean up with the runtime's help.
func ctrFailures(t *testing.T, c *Containerd) {
	ctrKills(t, c)
	parallel(t, "failed-create-leaves-nothing", func(t *testing.T) {
		id := name()
		c.Call(t, c.run(t, id, "--rm", "--", "nosuch")...).Fails(t)
		c.gone(t, id)
	})
	parallel(t, "checkpoint-fails-cleanly", func(t *testing.T) { // no CRIU here
		id := c.Start(t, "--", "sleep", "100")
		c.Ctr(t, "task", "checkpoint", "--image-path", c.File("tmp", name()), id).Fails(t)
		equals(t, "status", c.Status(t, id), "RUNNING")
		equals(t, "exec", c.Ctr(t, "task", "exec", "--exec-id", name(), id, "echo", "hi").OK(t), "hi")
	})
	parallel(t, "deleted-behind-its-back", func(t *testing.T) { // "does not exist" is success for containerd
		id := c.Start(t, "--", "sleep", "100")
		c.Call(t, installed, "--root", c.Root(), "delete", "--force", id).OK(t)
		eventually(t, "stopped", func() bool { return c.Status(t, id) == "STOPPED" })
		contains(t, c.Ctr(t, "task", "delete", id).Stderr, "code 137")
		c.gone(t, id)
	})
	parallel(t, "delete-again", func(t *testing.T) {
		for range 2 {
			c.Call(t, installed, "--root", c.Root(), "delete", "--force", name()).OK(t)
		}
		c.Call(t, installed, "--root", c.Root(), "delete", name()).Fails(t, "does not exist")
	})
	parallel(t, "disk-full", func(t *testing.T) {
		other := *c // with a state directory of its own
		other.namespace = c.namespace + "full"
		t.Cleanup(func() { removeParent(t, "/"+other.namespace) })
		other.Ctr(t, "image", "import", c.File("image.tar")).OK(t)
		c.Call(t, "mkdir", "-p", other.Root()).OK(t)
		c.Call(t, "mount", "-t", "tmpfs", "-o", "size=64k,mode=0711", "small", other.Root()).OK(t)
		c.Call(t, "dd", "if=/dev/zero", "of="+other.Root()+"/filler").Fails(t, "No space left")
		id := name()
		c.Call(t, other.run(t, id, "--rm", "--", "echo", "hi")...).Fails(t, "no space left on device")
		other.gone(t, id)
		c.Call(t, "rm", other.Root()+"/filler").OK(t)
		equals(t, "output", c.Call(t, other.run(t, id, "--rm", "--", "echo", "hi")...).OK(t), "hi")
		other.gone(t, id)
		c.Call(t, "umount", other.Root()).OK(t)
	})
	parallel(t, "shim-killed", func(t *testing.T) {
		id := c.Start(t, "--", "sleep", "100")
		pid := c.PID(t, id)
		c.killShim(t, id)
		eventually(t, "the process is gone", func() bool { return c.Call(t, "test", "-e", "/proc/"+pid).Code != 0 })
		c.Remove(t, id)
		c.gone(t, id)
		equals(t, "again", c.Call(t, c.run(t, id, "--rm", "--", "echo", "hi")...).OK(t), "hi")
	})
	parallel(t, "shim-killed-in-create", func(t *testing.T) { // the runtime dies with it, in the middle
		id := name()
		config, reached := c.slowHook(t, id, "createRuntime")
		done := make(chan Result, 1)
		go func() { done <- c.Call(t, c.run(t, id, "--rm", "--config", config)...) }()
		eventually(t, "in the hook", func() bool {
			select {
			case r := <-done:
				t.Fatal(r)
			default:
			}
			_, err := os.Stat(reached)
			return err == nil
		})
		c.killShim(t, id)
		(<-done).Fails(t)
		c.Remove(t, id)
		c.gone(t, id)
		equals(t, "again", c.Call(t, c.run(t, id, "--rm", "--", "echo", "hi")...).OK(t), "hi")
	})
}

// ctrKills: whichever process of a container is killed while it starts, shim,
// runtime, stage or program, all of it can be removed.
func ctrKills(t *testing.T, c *Containerd) {
	for nth := range 6 {
		parallel(t, fmt.Sprintf("killed-%d", nth+1), func(t *testing.T) {
			id := name()
			ended := make(chan Result, 1)
			go func() { ended <- c.Call(t, c.run(t, id, "--detach", "--", "sleep", "100")...) }()
			killNth(nth+1, ended, func(args string) bool {
				return strings.Contains(args, id) && !strings.Contains(args, "ctr --address")
			})
			for range 2 { // a shim that has just died may not have been noticed
				c.Remove(t, id)
			}
			c.gone(t, id)
			equals(t, "again", c.Call(t, c.run(t, id, "--rm", "--", "echo", "hi")...).OK(t), "hi")
		})
	}
}

// gone waits until nothing of the container is left but what containerd knows.
func (c *Containerd) gone(t testing.TB, id string) {
	t.Helper()
	eventually(t, "all of "+id+" is gone", func() bool {
		state := c.Call(t, "test", "-e", c.Root()+"/"+id).Code == 0 || exists(c.File("state", "io.containerd.runtime.v2.task", c.namespace, id))
		running := false
		for _, args := range c.Processes() {
			running = running || strings.Contains(args, id)
		}
		return !state && !running && len(c.cgroupsOf(id)) == 0
	})
}

// killShim ends the shim of the container as the OOM killer may.
func (c *Containerd) killShim(t testing.TB, id string) {
	t.Helper()
	for pid, args := range c.Processes() {
		if strings.HasPrefix(args, "/usr/bin/containerd-shim") && strings.Contains(args, "-id "+id+" ") {
			check(t, unix.Kill(pid, unix.SIGKILL))
			return
		}
	}
	t.Fatalf("no shim of %s among %v", id, c.Processes())
}

// slowHook makes a configuration for a container on the image's root file
// system, with a hook that takes for ever once it has made the file that is
// also returned.
func (c *Containerd) slowHook(t testing.TB, id, kind string) (config, reached string) {
	t.Helper()
	reached = c.File("tmp", name())
	config = reached + ".json"
	script := reached + ".sh"
	check(t, os.WriteFile(script, fmt.Appendf(nil, "#!/bin/sh\ntouch %s\nexec sleep 1000\n", reached), 0o755))
	var spec map[string]any
	check(t, json.Unmarshal([]byte(c.Ctr(t, "oci", "spec").OK(t)), &spec))
	spec["root"] = map[string]any{"path": c.Rootfs(t, name())}
	spec["process"].(map[string]any)["args"] = []string{"/bin/true"}
	spec["linux"].(map[string]any)["cgroupsPath"] = "/" + c.namespace + "/" + id
	spec["hooks"] = map[string]any{kind: []any{map[string]any{"path": script}}}
	check(t, os.WriteFile(config, jsonText(t, spec), 0o644))
	return config, reached
}
