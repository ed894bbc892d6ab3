package engines

import (
	"path/filepath"
	"strings"
	"testing"
)

// podmanRun: what root and ordinary users can do alike.
func podmanRun(t *testing.T, p *Podman) {
	parallel(t, "run", func(t *testing.T) {
		equals(t, "output", p.Run(t, "--", "echo", "hi").OK(t), "hi")
	})
	parallel(t, "run-named-runtime", func(t *testing.T) {
		p := *p
		p.global = append(p.global[:len(p.global):len(p.global)], "--runtime", installed)
		equals(t, "output", p.Run(t, "--", "echo", "hi").OK(t), "hi")
		c := p.Start(t, "--", "sleep", "100")
		equals(t, "runtime", p.Inspect(t, c, "{{.OCIRuntime}}"), installed)
	})
	parallel(t, "run-stdin", func(t *testing.T) {
		words := p.run("run", "--rm", "-i", "--", "wc", "-l")
		equals(t, "lines", p.CallWith(t, "1\n2\n", nil, words...).OK(t), "2")
	})
	parallel(t, "run-env", func(t *testing.T) {
		got := p.Run(t, "--env", "A=b c", "--hostname", "here", "--workdir", "/tmp", "--umask", "0077", "--", "sh", "-c", "echo $A; hostname; pwd; umask").OK(t)
		equals(t, "output", got, "b c\nhere\n/tmp\n0077")
	})
	parallel(t, "run-user", func(t *testing.T) {
		got := p.Run(t, "--user", "user", "--group-add", "77", "--", "sh", "-c", "id; echo $HOME; echo x >/dev/stderr").OK(t)
		equals(t, "output", got, "uid=1000(user) gid=1000(user) groups=77,1000(user),2000(extra)\n/home/user")
	})
	parallel(t, "run-terminal", func(t *testing.T) {
		c := p.Terminal(t, p.run("run", "--rm", "-it", "--", "sh")...)
		c.Write("tty; " + untilSize("40 120") + "\n")
		c.WaitFor("/dev/pts/0")
		c.WaitFor("is now 40 120")
		c.Resize(50, 100)
		c.Write(untilSize("50 100") + "; exit 5\n")
		contains(t, c.Exits(5), "is now 50 100")
	})
	parallel(t, "run-rootfs", func(t *testing.T) {
		root := p.rootfs(t)
		words := p.podman("run", "--rm", "--net=none")
		if p.parent != "" {
			words = append(words, "--cgroup-parent", p.parent)
		}
		words = append(words, "--rootfs", root, "/bin/echo", "hi")
		equals(t, "output", p.Call(t, words...).OK(t), "hi")
	})
	parallel(t, "run-passwd", func(t *testing.T) { // podman adds the user to the image's passwd by a bind mount
		contains(t, p.Run(t, "--user", "4321", "--", "cat", "/etc/passwd").OK(t), "4321:*:4321:0:container user")
	})
	for _, c := range []struct {
		name string
		code int
		args []string
	}{
		{"exit-code", 7, []string{"--", "sh", "-c", "exit 7"}},
		{"exit-126-permission", 126, []string{"--", "/etc/passwd"}},
		{"exit-126-directory", 126, []string{"--", "/etc"}},
		{"exit-127-path", 127, []string{"--", "nosuch"}},
		{"exit-127-absolute", 127, []string{"--", "/no/such"}},
		{"exit-137", 137, []string{"--", "sh", "-c", `sh -c 'kill -9 $$'; exit $?`}},
	} {
		parallel(t, c.name, func(t *testing.T) { p.Run(t, c.args...).Exits(t, c.code) })
	}
	parallel(t, "error-names-program", func(t *testing.T) {
		p.Run(t, "--", "/no/such").Fails(t, "/no/such", "no such file or directory")
	})
	parallel(t, "failed-create-leaves-nothing", func(t *testing.T) {
		n := name()
		p.Run(t, "--name", n, "--", "nosuch").Exits(t, 127)
		p.Podman(t, "container", "exists", n).Exits(t, 1)
	})
}

// rootfs makes a root file system that the user may write to.
func (p *Podman) rootfs(t testing.TB) string {
	t.Helper()
	made := p.Rootfs(t, name())
	target := p.scratch + "/" + filepath.Base(made)
	if len(p.as) == 0 {
		return made
	}
	p.Call(t, "cp", "--archive", made, target).OK(t)
	p.Call(t, "chown", "--recursive", "tester", target).OK(t)
	return target
}

func podmanLife(t *testing.T, p *Podman) {
	parallel(t, "detach-logs-wait", func(t *testing.T) {
		c := p.Start(t, "--", "sh", "-c", "echo out; echo err >&2; exit 6")
		equals(t, "exit code", p.Podman(t, "wait", c).OK(t), "6")
		r := p.Podman(t, "logs", c)
		equals(t, "logs", r.Stdout+r.Stderr, "out\nerr\n")
	})
	parallel(t, "exec", func(t *testing.T) {
		c := p.Start(t, "--", "sleep", "100")
		equals(t, "output", p.Podman(t, "exec", c, "echo", "hi").OK(t), "hi")
		equals(t, "flags", p.Podman(t, "exec", "-e", "A=b", "-w", "/tmp", "-u", "1000:2000", c, "sh", "-c", "echo $A; pwd; id -u; id -g").OK(t), "b\n/tmp\n1000\n2000")
		equals(t, "stdin", p.CallWith(t, "text", nil, p.podman("exec", "-i", c, "cat")...).OK(t), "text")
		p.Podman(t, "exec", c, "sh", "-c", "exit 3").Exits(t, 3)
		p.Podman(t, "exec", c, "/etc/passwd").Exits(t, 126)
		p.Podman(t, "exec", c, "nosuch").Exits(t, 127)
	})
	parallel(t, "exec-terminal", func(t *testing.T) {
		c := p.Start(t, "--", "sleep", "100")
		term := p.Terminal(t, p.podman("exec", "-it", c, "sh")...)
		term.Write("tty; " + untilSize("40 120") + "; exit 4\n")
		contains(t, term.Exits(4), "/dev/pts/0", "is now 40 120")
	})
	parallel(t, "exec-detached", func(t *testing.T) {
		c := p.Start(t, "--", "sh", "-c", "while ! [ -e /tmp/there ]; do usleep 10000; done")
		p.Podman(t, "exec", "--detach", c, "touch", "/tmp/there").OK(t)
		equals(t, "exit code", p.Podman(t, "wait", c).OK(t), "0")
	})
	parallel(t, "stop", func(t *testing.T) {
		c := p.Start(t, "--", "sh", "-c", "trap 'echo bye; exit 3' TERM; echo up; while :; do usleep 10000; done")
		eventually(t, "up", func() bool { return p.Podman(t, "logs", c).OK(t) == "up" })
		p.Podman(t, "stop", c).OK(t)
		equals(t, "exit code", p.Inspect(t, c, "{{.State.ExitCode}}"), "3")
	})
	parallel(t, "stop-deaf", func(t *testing.T) {
		c := p.Start(t, "--", "sleep", "100")
		p.Podman(t, "stop", "--time", "1", c).OK(t)
		equals(t, "exit code", p.Inspect(t, c, "{{.State.ExitCode}}"), "137")
	})
	parallel(t, "kill", func(t *testing.T) {
		c := p.Start(t, "--", "sh", "-c", "trap 'exit 9' HUP; echo up; while :; do usleep 10000; done")
		eventually(t, "up", func() bool { return p.Podman(t, "logs", c).OK(t) == "up" })
		p.Podman(t, "kill", "--signal", "HUP", c).OK(t)
		equals(t, "exit code", p.Podman(t, "wait", c).OK(t), "9")
		p.Podman(t, "kill", c).Fails(t)
	})
	parallel(t, "restart", func(t *testing.T) {
		c := p.Start(t, "--", "sh", "-c", "echo up; exec sleep 100")
		p.Podman(t, "restart", "--time", "0", c).OK(t)
		eventually(t, "two starts", func() bool { return p.Podman(t, "logs", c).OK(t) == "up\nup" })
	})
	parallel(t, "restart-policy", func(t *testing.T) {
		c := p.Start(t, "--restart", "on-failure:2", "--", "sh", "-c", "echo try; exit 1")
		eventually(t, "two restarts", func() bool {
			return p.Podman(t, "logs", c).OK(t) == "try\ntry\ntry"
		})
	})
	parallel(t, "health", func(t *testing.T) {
		c := p.Start(t, "--health-cmd", "test -e /tmp/well", "--health-interval", "disable", "--", "sleep", "100")
		p.Podman(t, "healthcheck", "run", c).Exits(t, 1)
		p.Podman(t, "exec", c, "touch", "/tmp/well").OK(t)
		p.Podman(t, "healthcheck", "run", c).OK(t)
	})
	parallel(t, "top-inspect-rm", func(t *testing.T) {
		c := p.Start(t, "--", "sleep", "99")
		contains(t, p.Podman(t, "top", c).OK(t), "sleep 99")
		pid := p.Inspect(t, c, "{{.State.Pid}}")
		p.Call(t, "test", "-e", "/proc/"+pid).OK(t)
		p.Podman(t, "rm", c).Fails(t, "running")
		p.Podman(t, "rm", "--force", "--time", "0", c).OK(t)
		p.Call(t, "test", "-e", "/proc/"+pid).Fails(t)
	})
	parallel(t, "copy-and-diff", func(t *testing.T) {
		c := p.Start(t, "--", "sh", "-c", "echo inside >/tmp/file; exec sleep 100")
		eventually(t, "file", func() bool { return p.Podman(t, "exec", c, "cat", "/tmp/file").Code == 0 })
		file := p.scratch + "/" + c
		p.Podman(t, "cp", c+":/tmp/file", file).OK(t)
		equals(t, "file", p.Call(t, "cat", file).OK(t), "inside")
		contains(t, p.Podman(t, "diff", c).OK(t), "A /tmp/file")
	})
	parallel(t, "checkpoint-fails-cleanly", func(t *testing.T) { // no CRIU here
		c := p.Start(t, "--", "sleep", "100")
		p.Podman(t, "container", "checkpoint", c).Fails(t)
		equals(t, "output", p.Podman(t, "exec", c, "echo", "hi").OK(t), "hi")
	})
	parallel(t, "build", func(t *testing.T) {
		tag := strings.ToLower("img" + name())
		dir := p.scratch + "/" + tag
		p.Call(t, append(append([]string{}, p.as...), "mkdir", dir)...).OK(t)
		text := "FROM " + image + "\nENV A=b\nRUN echo $A >/made && id -u >>/made\nUSER user\nWORKDIR /home/user\nRUN id -u >mine\nCMD cat /made mine\n"
		p.CallWith(t, text, nil, "sh", "-c", "cat >"+dir+"/Dockerfile").OK(t)
		words := []string{"build", "--isolation", "oci", "--tag", tag, "--network", "none"}
		if p.parent != "" {
			// buildah takes it as the path of the cgroup itself.
			words = append(words, "--cgroup-parent", p.parent+"/"+tag)
		}
		p.Podman(t, append(words, dir)...).OK(t)
		words = p.run("run", "--rm")
		words[len(words)-1] = tag
		equals(t, "output", p.Call(t, words...).OK(t), "b\n0\n1000")
		p.Podman(t, "rmi", tag).OK(t)
	})
	parallel(t, "build-fails", func(t *testing.T) {
		dir := p.scratch + "/" + name()
		p.Call(t, append(append([]string{}, p.as...), "mkdir", dir)...).OK(t)
		p.CallWith(t, "FROM "+image+"\nRUN exit 42\n", nil, "sh", "-c", "cat >"+dir+"/Dockerfile").OK(t)
		words := []string{"build", "--isolation", "oci", "--network", "none"}
		if p.parent != "" {
			words = append(words, "--cgroup-parent", p.parent+"/"+filepath.Base(dir))
		}
		p.Podman(t, append(words, dir)...).Fails(t, "exit status 42")
	})
}
