package engines

import (
	"os"
	"strings"
	"testing"

	"ociruntime/tests/require"
)

// TestDockerUserns: containers whose root is an ordinary user of the host.
func TestDockerUserns(t *testing.T) {
	require.Userns(t)
	t.Parallel()
	d := NewDocker(t, "--userns-remap", "default")
	parallel(t, "run", func(t *testing.T) {
		got := d.Run(t, "--", "sh", "-c", "id -u; awk '{print $1, $3}' /proc/self/uid_map /proc/self/gid_map").OK(t)
		equals(t, "output", got, "0\n0 65536\n0 65536")
	})
	parallel(t, "owner-outside", func(t *testing.T) {
		c := d.Start(t, "--", "sleep", "100")
		pid := d.Inspect(t, c, "{{.State.Pid}}")
		if uid := d.Call(t, "stat", "-c", "%u", "/proc/"+pid).OK(t); uid == "0" {
			t.Fatal("the process is root outside")
		}
	})
	parallel(t, "exec", func(t *testing.T) {
		c := d.Start(t, "--", "sleep", "100")
		equals(t, "output", d.Docker(t, "exec", "-u", "user", c, "sh", "-c", "id -u; readlink /proc/self/ns/user >/tmp/a; readlink /proc/1/ns/user; true").OK(t), "1000")
		term := d.Terminal(t, "docker", "exec", "-it", c, "sh", "-c", "tty; stat -c %u $(tty)")
		contains(t, term.Exits(0), "/dev/pts/0\r\n0\r\n")
	})
	parallel(t, "terminal", func(t *testing.T) {
		c := d.Terminal(t, "docker", "run", "--rm", "-it", "--net=none", image, "sh", "-c", "tty; echo ok >/dev/tty; stat -c %U /dev/console")
		contains(t, c.Exits(0), "/dev/pts/0\r\nok\r\nroot\r\n")
	})
	parallel(t, "network", func(t *testing.T) {
		c := d.Start(t, append([]string{"--net=bridge", "--"}, serve("80")...)...)
		d.fetch(t, d.Inspect(t, c, "{{.NetworkSettings.IPAddress}}"))
	})
	parallel(t, "volume", func(t *testing.T) {
		v := "vol" + name()
		equals(t, "file", d.Run(t, "--volume", v+":/v", "--", "sh", "-c", "echo x >/v/f; stat -c %u:%g /v/f").OK(t), "0:0")
		d.Docker(t, "volume", "rm", v).OK(t)
		file := d.File("tmp", name())
		check(t, os.WriteFile(file, nil, 0o600))
		d.Run(t, "--volume", file+":/f:ro", "--", "cat", "/f").Fails(t, "Permission denied")
	})
	parallel(t, "devices", func(t *testing.T) {
		got := d.Run(t, "--device", "/dev/fuse", "--", "sh", "-c", "stat -c %t:%T /dev/fuse /dev/null; echo x >/dev/null && head -c 3 /dev/zero | wc -c").OK(t)
		equals(t, "output", got, "a:e5\n1:3\n3")
	})
	parallel(t, "mounts", func(t *testing.T) {
		got := d.Run(t, "--read-only", "--tmpfs", "/t:size=1m", "--shm-size", "3m", "--", "sh", "-c", "touch /t/x && touch /dev/shm/x && ls /sys/class >/dev/null && stat -c %u /t/x /proc/1; touch /x 2>&1; true").OK(t)
		equals(t, "output", got, "0\n0\ntouch: /x: Read-only file system")
	})
	parallel(t, "limits", func(t *testing.T) {
		require.Controller(t, "memory")
		d.Run(t, append([]string{"--memory", "100m", "--"}, hog("300M")...)...).Exits(t, 137)
	})
	parallel(t, "sysctl", func(t *testing.T) {
		equals(t, "value", d.Run(t, "--sysctl", "net.ipv4.ip_forward=0", "--", "cat", "/proc/sys/net/ipv4/ip_forward").OK(t), "0")
	})
	parallel(t, "privileges", func(t *testing.T) {
		contains(t, d.Run(t, "--cap-add", "SYS_TIME", "--", "date", "-s", "@1000000000").Stderr, "Operation not permitted")
		d.Run(t, "--cap-add", "SYS_ADMIN", "--", "mount", "-t", "tmpfs", "t", "/mnt").OK(t)
	})
	parallel(t, "userns-host", func(t *testing.T) {
		got := d.Run(t, "--userns=host", "--privileged", "--", "sh", "-c", "awk '{print $1, $2}' /proc/self/uid_map").OK(t)
		equals(t, "map", got, "0 0")
	})
}

// TestDockerLiveRestore: containers outlive the daemon, and the next one takes
// care of them.
func TestDockerLiveRestore(t *testing.T) {
	t.Parallel()
	d := NewDocker(t, "--live-restore")
	stays := d.Start(t, "--", "sleep", "1000")
	ends := d.Start(t, "--", "sh", "-c", "until [ -e /tmp/end ]; do usleep 10000; done; exit 7")
	pid := d.Inspect(t, stays, "{{.State.Pid}}")

	d.Kill(t)
	d.Call(t, "test", "-e", "/proc/"+pid).OK(t)
	d.Daemon.start(t, d.ready)

	equals(t, "PID", d.Inspect(t, stays, "{{.State.Pid}} {{.State.Running}}"), pid+" true")
	equals(t, "exec", d.Docker(t, "exec", stays, "echo", "hi").OK(t), "hi")
	d.Docker(t, "pause", stays).OK(t)
	d.Docker(t, "unpause", stays).OK(t)
	d.Docker(t, "exec", ends, "touch", "/tmp/end").OK(t)
	equals(t, "exit code", d.Docker(t, "wait", ends).OK(t), "7")
	d.Docker(t, "stop", "--time", "1", stays).OK(t)
	equals(t, "state", d.Inspect(t, stays, "{{.State.Status}}"), "exited")
	d.Docker(t, "start", stays).OK(t)
	contains(t, strings.TrimSpace(d.Docker(t, "ps", "--quiet", "--no-trunc").OK(t)), d.Inspect(t, stays, "{{.Id}}"))
}
