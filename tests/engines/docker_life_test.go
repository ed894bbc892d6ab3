package engines

import (
	"strings"
	"testing"
	"time"

	"ociruntime/tests/require"
	"ociruntime/tests/view"
)

func dockerExec(t *testing.T, d *Docker) {
	parallel(t, "exec", func(t *testing.T) {
		c := d.Start(t, "--", "sleep", "100")
		equals(t, "output", d.Docker(t, "exec", c, "echo", "hi").OK(t), "hi")
		equals(t, "environment", d.Docker(t, "exec", "-e", "A=b", "-w", "/tmp", "-u", "1000:2000", c, "sh", "-c", "echo $A; pwd; id -u; id -g").OK(t), "b\n/tmp\n1000\n2000")
		equals(t, "stdin", d.CallWith(t, "text", nil, "docker", "exec", "-i", c, "cat").OK(t), "text")
	})
	parallel(t, "exec-exit-codes", func(t *testing.T) {
		c := d.Start(t, "--", "sleep", "100")
		d.Docker(t, "exec", c, "sh", "-c", "exit 3").Exits(t, 3)
		d.Docker(t, "exec", c, "sh", "-c", "kill -9 $$").Exits(t, 137)
		d.Docker(t, "exec", c, "/etc/passwd").Exits(t, 126)
		// Version 20.10 says 126 for all that cannot be started.
		d.Docker(t, "exec", c, "nosuch").Exits(t, 126)
		d.Docker(t, "exec", c, "/no/such").Exits(t, 126)
	})
	parallel(t, "exec-terminal", func(t *testing.T) {
		c := d.Start(t, "--", "sleep", "100")
		term := d.Terminal(t, "docker", "exec", "-it", c, "sh")
		term.Write("tty; " + untilSize("40 120") + "\n")
		term.WaitFor("/dev/pts/0")
		term.WaitFor("is now 40 120")
		term.Write("exit 4\n")
		term.Exits(4)
	})
	parallel(t, "exec-detached", func(t *testing.T) {
		c := d.Start(t, "--", "sh", "-c", "while ! [ -e /tmp/there ]; do usleep 10000; done")
		d.Docker(t, "exec", "--detach", c, "touch", "/tmp/there").OK(t)
		equals(t, "exit code", d.Docker(t, "wait", c).OK(t), "0")
	})
	parallel(t, "exec-privileged", func(t *testing.T) {
		c := d.Start(t, "--", "sleep", "100")
		got := d.Docker(t, "exec", "--privileged", c, "grep", "CapEff", "/proc/self/status").OK(t)
		equals(t, "capabilities", strings.Fields(got)[1], d.dockerCaps(t))
	})
	parallel(t, "exec-as-container", func(t *testing.T) { // what the container is confined by holds for exec too
		c := d.Start(t, "--security-opt", "no-new-privileges", "--cap-drop", "ALL", "--cap-add", "CHOWN", "--", "sleep", "100")
		got := d.Docker(t, "exec", c, "sh", "-c", "grep -E 'NoNewPrivs|CapEff|Seccomp:' /proc/self/status; cat /proc/self/cgroup >/tmp/a; cat /proc/1/cgroup >/tmp/b; cmp /tmp/a /tmp/b; for n in ipc mnt net pid uts; do [ $(readlink /proc/self/ns/$n) = $(readlink /proc/1/ns/$n) ] || echo $n differs; done").OK(t)
		equals(t, "status", strings.Join(strings.Fields(got), " "), "CapEff: 0000000000000001 NoNewPrivs: 1 Seccomp: 2")
	})
	parallel(t, "exec-ends-with-container", func(t *testing.T) {
		c := d.Start(t, "--", "sleep", "100")
		ended := make(chan Result, 1)
		go func() { ended <- d.Docker(t, "exec", c, "sleep", "100") }()
		eventually(t, "exec runs", func() bool { return strings.Count(d.Docker(t, "top", c).OK(t), "sleep") == 2 })
		d.Docker(t, "kill", c).OK(t)
		(<-ended).Exits(t, 137)
	})
}

func dockerLife(t *testing.T, d *Docker) {
	parallel(t, "create-start-wait", func(t *testing.T) {
		n := name()
		d.Docker(t, "create", "--name", n, image, "sh", "-c", "echo once; exit 9").OK(t)
		equals(t, "status", d.Inspect(t, n, "{{.State.Status}}"), "created")
		d.Docker(t, "start", "--attach", n).Exits(t, 9)
		d.Docker(t, "start", n).OK(t) // again
		equals(t, "exit code", d.Docker(t, "wait", n).OK(t), "9")
		equals(t, "logs", d.Docker(t, "logs", n).OK(t), "once\nonce")
		d.Docker(t, "rm", n).OK(t)
	})
	parallel(t, "attach", func(t *testing.T) {
		n := name()
		d.Docker(t, "create", "-i", "--name", n, image, "sh", "-c", "read line; echo got $line").OK(t)
		got := d.CallWith(t, "words\n", nil, "docker", "start", "--attach", "--interactive", n).OK(t)
		equals(t, "output", got, "got words")
		d.Docker(t, "rm", n).OK(t)
	})
	parallel(t, "attach-running", func(t *testing.T) {
		c := d.Start(t, "-i", "--", "sh", "-c", "read line; echo got $line; exit 5")
		// At the end of its input dockerd would no longer send output.
		script := `mkfifo "$0" && exec 3<>"$0" && echo words >&3 && exec docker attach "$1" <&3`
		equals(t, "output", d.Call(t, "sh", "-c", script, d.File("tmp", c), c).Exits(t, 5), "got words")
		equals(t, "logs", d.Docker(t, "logs", "--follow", c).OK(t), "got words")
	})
	parallel(t, "attach-terminal", func(t *testing.T) {
		c := d.Start(t, "-it", "--", "sh")
		term := d.Terminal(t, "docker", "attach", c)
		term.Write("tty; " + untilSize("40 120") + "; exit 5\n")
		contains(t, term.Exits(5), "/dev/pts/0", "is now 40 120")
	})
	parallel(t, "stop", func(t *testing.T) {
		c := d.Start(t, "--", "sh", "-c", "trap 'echo bye; exit 3' TERM; echo up; while :; do usleep 10000; done")
		eventually(t, "up", func() bool { return d.Docker(t, "logs", c).OK(t) == "up" })
		d.Docker(t, "stop", c).OK(t)
		equals(t, "exit code", d.Inspect(t, c, "{{.State.ExitCode}}"), "3")
		equals(t, "logs", d.Docker(t, "logs", c).OK(t), "up\nbye")
	})
	parallel(t, "stop-deaf", func(t *testing.T) { // PID 1 without a handler ignores SIGTERM
		c := d.Start(t, "--", "sleep", "100")
		d.Docker(t, "stop", "--time", "1", c).OK(t)
		equals(t, "exit code", d.Inspect(t, c, "{{.State.ExitCode}}"), "137")
	})
	parallel(t, "kill", func(t *testing.T) {
		c := d.Start(t, "--", "sh", "-c", "trap 'echo usr1' USR1; trap 'exit 0' HUP; echo up; while :; do usleep 10000; done")
		eventually(t, "up", func() bool { return d.Docker(t, "logs", c).OK(t) == "up" })
		d.Docker(t, "kill", "--signal", "USR1", c).OK(t)
		eventually(t, "usr1", func() bool { return d.Docker(t, "logs", c).OK(t) == "up\nusr1" })
		d.Docker(t, "kill", "--signal", "HUP", c).OK(t)
		equals(t, "exit code", d.Docker(t, "wait", c).OK(t), "0")
		d.Docker(t, "kill", c).Fails(t, "is not running")
	})
	parallel(t, "pause", func(t *testing.T) {
		c := d.Start(t, "--", "sh", "-c", "while :; do echo >>/tmp/count; usleep 1000; done")
		d.Docker(t, "pause", c).OK(t)
		equals(t, "status", d.Inspect(t, c, "{{.State.Status}}"), "paused")
		d.Docker(t, "exec", c, "true").Fails(t, "paused")
		d.Docker(t, "pause", c).Fails(t, "paused")
		d.Docker(t, "unpause", c).OK(t)
		equals(t, "output", d.Docker(t, "exec", c, "echo", "hi").OK(t), "hi")
	})
	parallel(t, "rm-paused", func(t *testing.T) {
		c := d.Start(t, "--", "sleep", "100")
		d.Docker(t, "pause", c).OK(t)
		d.Docker(t, "rm", "--force", c).OK(t)
		d.Docker(t, "inspect", c).Fails(t)
	})
	parallel(t, "restart", func(t *testing.T) {
		c := d.Start(t, "--", "sh", "-c", "echo up; sleep 100")
		before := d.Inspect(t, c, "{{.State.Pid}}")
		d.Docker(t, "restart", "--time", "0", c).OK(t)
		if d.Inspect(t, c, "{{.State.Pid}}") == before {
			t.Fatal("the process is the same")
		}
		eventually(t, "two starts", func() bool { return d.Docker(t, "logs", c).OK(t) == "up\nup" })
	})
	parallel(t, "restart-always", func(t *testing.T) {
		c := d.Start(t, "--restart", "always", "--", "sh", "-c", "echo up; exec sleep 100")
		pid := d.Inspect(t, c, "{{.State.Pid}}")
		d.Call(t, "kill", "-KILL", pid).OK(t)
		eventually(t, "a new process", func() bool {
			return d.Inspect(t, c, "{{.RestartCount}} {{.State.Running}}") == "1 true" && d.Inspect(t, c, "{{.State.Pid}}") != pid
		})
	})
	parallel(t, "restart-policy", func(t *testing.T) {
		c := d.Start(t, "--restart", "on-failure:2", "--", "sh", "-c", "echo try; exit 1")
		eventually(t, "two restarts", func() bool {
			return d.Inspect(t, c, "{{.RestartCount}} {{.State.Status}}") == "2 exited"
		})
		equals(t, "logs", d.Docker(t, "logs", c).OK(t), "try\ntry\ntry")
	})
	parallel(t, "health", func(t *testing.T) {
		c := d.Start(t, "--health-cmd", "test -e /tmp/well", "--health-interval", "200ms", "--health-retries", "1", "--", "sleep", "100")
		eventually(t, "unhealthy", func() bool { return d.Inspect(t, c, "{{.State.Health.Status}}") == "unhealthy" })
		d.Docker(t, "exec", c, "touch", "/tmp/well").OK(t)
		eventually(t, "healthy", func() bool { return d.Inspect(t, c, "{{.State.Health.Status}}") == "healthy" })
	})
	dockerLook(t, d)
}

// dockerLook: what people look at running containers with.
func dockerLook(t *testing.T, d *Docker) {
	parallel(t, "top", func(t *testing.T) {
		c := d.Start(t, "--", "sh", "-c", "sleep 98 & sleep 99")
		eventually(t, "both", func() bool {
			got := d.Docker(t, "top", c).OK(t)
			return strings.Contains(got, "sleep 98") && strings.Contains(got, "sleep 99")
		})
	})
	parallel(t, "stats", func(t *testing.T) {
		require.Controller(t, "memory")
		c := d.Start(t, "--memory", "64m", "--", "sh", "-c", "sleep 100")
		got := d.Docker(t, "stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}}", c).OK(t)
		contains(t, got, "/ 64MiB")
		lacks(t, got, "0B /")
	})
	parallel(t, "inspect", func(t *testing.T) {
		c := d.Start(t, "--", "sleep", "100")
		pid := d.Inspect(t, c, "{{.State.Pid}}")
		equals(t, "state", d.Inspect(t, c, "{{.State.Running}} {{.HostConfig.Runtime}}"), "true runtime")
		contains(t, d.Call(t, "cat", "/proc/"+pid+"/cmdline").OK(t), "sleep\x00100")
	})
	parallel(t, "rm-force", func(t *testing.T) {
		c := d.Start(t, "--", "sleep", "100")
		pid := d.Inspect(t, c, "{{.State.Pid}}")
		d.Docker(t, "rm", c).Fails(t, "running")
		d.Docker(t, "rm", "--force", c).OK(t)
		d.Call(t, "test", "-e", "/proc/"+pid).Fails(t)
	})
	parallel(t, "update", func(t *testing.T) {
		require.Controller(t, "memory")
		c := d.Start(t, "--memory", "100m", "--cpus", "1", "--pids-limit", "50", "--", "sleep", "100")
		pid := d.Inspect(t, c, "{{.State.Pid}}")
		// dockerd sends zeros for all that it does not mean to change.
		d.Docker(t, "update", "--cpus", "0.2", c).OK(t)
		equals(t, "quota", d.Setting(t, pid, "cpu", "cpu.cfs_quota_us", "cpu.max"), onV1("cpu", "20000", "20000 100000"))
		equals(t, "memory", d.Setting(t, pid, "memory", "memory.limit_in_bytes", "memory.max"), "104857600")
		d.Docker(t, "update", "--memory", "200m", "--memory-swap", "400m", "--pids-limit", "60", c).OK(t)
		equals(t, "memory", d.Setting(t, pid, "memory", "memory.limit_in_bytes", "memory.max"), "209715200")
		equals(t, "pids", d.Setting(t, pid, "pids", "pids.max", "pids.max"), "60")
		equals(t, "quota", d.Setting(t, pid, "cpu", "cpu.cfs_quota_us", "cpu.max"), onV1("cpu", "20000", "20000 100000"))
	})
	parallel(t, "copy-and-diff", func(t *testing.T) {
		c := d.Start(t, "--", "sleep", "100")
		d.Docker(t, "exec", c, "sh", "-c", "echo inside >/tmp/file").OK(t)
		d.Docker(t, "cp", c+":/tmp/file", d.File("tmp", c)).OK(t)
		equals(t, "file", d.Call(t, "cat", d.File("tmp", c)).OK(t), "inside")
		contains(t, d.Docker(t, "diff", c).OK(t), "A /tmp/file")
	})
	parallel(t, "events", func(t *testing.T) {
		from := time.Now().Format(time.RFC3339Nano)
		n := name()
		d.Run(t, "--name", n, "--", "sh", "-c", "exit 6").Exits(t, 6)
		got := d.Docker(t, "events", "--since", from, "--until", time.Now().Add(time.Second).Format(time.RFC3339Nano),
			"--filter", "container="+n, "--format", "{{.Action}} {{.Actor.Attributes.exitCode}}").OK(t)
		contains(t, got, "create", "start", "die 6", "destroy")
	})
}

// onV1 chooses between what the controller calls a value on v1 and on v2.
func onV1(controller, v1, v2 string) string {
	if view.HasControllerV1(controller) {
		return v1
	}
	return v2
}
