package engines

import (
	"strings"
	"testing"
)

// TestDocker: everything that one daemon with default options can show.
func TestDocker(t *testing.T) {
	t.Parallel()
	d := NewDocker(t)
	dockerRun(t, d)
	dockerExec(t, d)
	dockerLife(t, d)
	dockerNetwork(t, d)
	dockerVolumes(t, d)
	dockerResources(t, d)
	dockerDevices(t, d)
	dockerSecurity(t, d)
	dockerNamespaces(t, d)
	dockerBuild(t, d)
	dockerFailures(t, d)
}

// parallel runs the subtest beside its siblings.
func parallel(t *testing.T, name string, run func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		run(t)
	})
}

func dockerRun(t *testing.T, d *Docker) {
	parallel(t, "run", func(t *testing.T) {
		equals(t, "output", d.Run(t, "--", "echo", "hi").OK(t), "hi")
	})
	parallel(t, "run-named-runtime", func(t *testing.T) {
		equals(t, "output", d.Run(t, "--runtime", "runtime", "--", "echo", "hi").OK(t), "hi")
	})
	parallel(t, "run-stderr", func(t *testing.T) {
		r := d.Run(t, "--", "sh", "-c", "echo out; echo err >&2")
		equals(t, "stdout", r.OK(t), "out")
		equals(t, "stderr", r.Stderr, "err\n")
	})
	parallel(t, "run-stdin", func(t *testing.T) {
		r := d.CallWith(t, "one\ntwo\n", nil, "docker", "run", "--rm", "--net=none", "-i", image, "wc", "-l")
		equals(t, "lines", r.OK(t), "2")
	})
	parallel(t, "run-much-output", func(t *testing.T) {
		got := d.Run(t, "--", "sh", "-c", "yes 0123456789 | head -c 3000000").OK(t)
		equals(t, "bytes", len(got), 3000000)
	})
	parallel(t, "run-env", func(t *testing.T) {
		got := d.Run(t, "--env", "A=b c", "--hostname", "here", "--workdir", "/new/dir", "--", "sh", "-c", "echo $A $HOSTNAME $HOME; hostname; pwd").OK(t)
		equals(t, "output", got, "b c here /root\nhere\n/new/dir")
	})
	parallel(t, "run-user", func(t *testing.T) {
		got := d.Run(t, "--user", "user", "--group-add", "extra", "--group-add", "77", "--", "sh", "-c", "id; echo $HOME; echo x >/dev/stderr").OK(t)
		equals(t, "output", got, "uid=1000(user) gid=1000(user) groups=77,1000(user),2000(extra)\n/home/user")
	})
	parallel(t, "run-entrypoint", func(t *testing.T) {
		equals(t, "output", d.Run(t, "--entrypoint", "/bin/echo", "--", "a", "b").OK(t), "a b")
	})
	parallel(t, "run-init", func(t *testing.T) {
		got := d.Run(t, "--init", "--", "sh", "-c", "cat /proc/1/comm; sh -c 'sleep 0.1 & exit'; sleep 0.5; ps -o stat | grep -c Z; true").OK(t)
		equals(t, "output", got, "docker-init\n0")
	})
	parallel(t, "run-descriptors", func(t *testing.T) { // the shim hands the runtime sockets of its own
		// ls has a fourth one, for the directory itself.
		equals(t, "run", d.Run(t, "--", "ls", "/proc/self/fd").OK(t), "0\n1\n2\n3")
		c := d.Start(t, "--", "sleep", "100")
		equals(t, "exec", d.Docker(t, "exec", c, "ls", "/proc/self/fd").OK(t), "0\n1\n2\n3")
		contains(t, d.Docker(t, "exec", c, "ls", "-l", "/proc/1/fd").OK(t), " 2 -> pipe:")
		lacks(t, d.Docker(t, "exec", c, "ls", "-l", "/proc/1/fd").OK(t), " 3 -> ")
	})
	parallel(t, "run-many-at-once", func(t *testing.T) {
		results := make(chan Result, 8)
		for range cap(results) {
			go func() { results <- d.Run(t, "--", "cat", "/proc/self/cgroup") }()
		}
		for range cap(results) {
			contains(t, (<-results).OK(t), ":")
		}
	})
	dockerTerminal(t, d)
	dockerExitCodes(t, d)
}

// untilSize is a command that waits until the terminal has the size. What it
// prints then is not in the echo of the command.
func untilSize(size string) string {
	return "until [ \"$(stty size)\" = '" + size + "' ]; do usleep 10000; done; echo is\" \"now $(stty size)"
}

func dockerTerminal(t *testing.T, d *Docker) {
	parallel(t, "run-terminal", func(t *testing.T) {
		c := d.Terminal(t, "docker", "run", "--rm", "--net=none", "-it", image)
		// The client sets the size when the container is running already.
		c.Write("tty; " + untilSize("40 120") + "\n")
		c.WaitFor("/dev/pts/0")
		c.WaitFor("is now 40 120")
		c.Resize(50, 100)
		c.Write(untilSize("50 100") + "; exit 5\n")
		contains(t, c.Exits(5), "is now 50 100")
	})
	parallel(t, "run-terminal-interrupt", func(t *testing.T) {
		c := d.Terminal(t, "docker", "run", "--rm", "--net=none", "-it", image, "sh", "-c", "echo go; sleep 100; echo late")
		c.WaitFor("go")
		c.Write("\x03")
		lacks(t, c.Exits(130), "late")
	})
	parallel(t, "run-console", func(t *testing.T) {
		c := d.Terminal(t, "docker", "run", "--rm", "--net=none", "-it", "--user", "user", image, "sh", "-c", "stat -c '%F %t %U' /dev/console; stat -L -c %U /dev/stdin; echo ok >/dev/tty")
		got := strings.ReplaceAll(c.Exits(0), "\r", "")
		contains(t, got, "character special file 88 user\nuser\n", "ok\n")
	})
	parallel(t, "run-terminal-only", func(t *testing.T) { // -t without -i
		c := d.Start(t, "--tty", "--", "sh", "-c", "tty; stty size; echo done; sleep 100")
		eventually(t, "logs", func() bool { return strings.Contains(d.Docker(t, "logs", c).OK(t), "done") })
		contains(t, d.Docker(t, "logs", c).OK(t), "/dev/pts/0")
	})
}

// dockerExitCodes: 125 to 127 are dockerd's reading of the runtime's message.
func dockerExitCodes(t *testing.T, d *Docker) {
	for _, c := range []struct {
		name string
		code int
		args []string
	}{
		{"exit-code", 7, []string{"--", "sh", "-c", "exit 7"}},
		{"exit-125-docker", 125, []string{"--runtime", "nosuch", "--", "true"}},
		{"exit-126-permission", 126, []string{"--", "/etc/passwd"}},
		{"exit-127-path", 127, []string{"--", "nosuch"}},
		{"exit-127-absolute", 127, []string{"--", "/no/such"}},
		{"exit-137", 137, []string{"--init", "--", "sh", "-c", "kill -9 $$"}},
	} {
		parallel(t, c.name, func(t *testing.T) { d.Run(t, c.args...).Exits(t, c.code) })
	}
	parallel(t, "exit-126-directory", func(t *testing.T) {
		d.Run(t, "--", "/etc").Exits(t, 126)
	})
	parallel(t, "error-names-program", func(t *testing.T) {
		d.Run(t, "--", "/no/such").Fails(t, "/no/such", "no such file or directory")
	})
	parallel(t, "failed-create-leaves-nothing", func(t *testing.T) {
		n := name()
		d.Run(t, "--name", n, "--", "nosuch").Exits(t, 127)
		equals(t, "containers", d.Docker(t, "ps", "--all", "--quiet", "--filter", "name="+n).OK(t), "")
	})
}
