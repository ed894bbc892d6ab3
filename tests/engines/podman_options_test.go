package engines

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// podmanOptions: flags that end in config.json.
func podmanOptions(t *testing.T, p *Podman) {
	parallel(t, "volume", func(t *testing.T) {
		dir := p.scratch + "/" + name()
		p.Call(t, append(append([]string{}, p.as...), "mkdir", dir)...).OK(t)
		p.Run(t, "--volume", dir+":/v", "--", "sh", "-c", "echo inside >/v/file").OK(t)
		equals(t, "file", p.Call(t, "cat", dir+"/file").OK(t), "inside")
		p.Run(t, "--volume", dir+":/v:ro,noexec", "--", "sh", "-c", "grep ' /v ' /proc/mounts; echo x >/v/file").Fails(t, "noexec", "Read-only file system")
	})
	parallel(t, "volume-named", func(t *testing.T) {
		v := "vol" + name()
		equals(t, "file", p.Run(t, "--volume", v+":/var/www", "--", "cat", "/var/www/index.html").OK(t), "served")
		p.Podman(t, "volume", "rm", v).OK(t)
	})
	parallel(t, "volume-image", func(t *testing.T) {
		equals(t, "file", p.Run(t, "--mount", "type=image,src="+image+",dst=/v", "--", "cat", "/v/var/www/index.html").OK(t), "served")
	})
	parallel(t, "tmpfs", func(t *testing.T) {
		got := p.Run(t, "--tmpfs", "/t:size=2m,noexec", "--", "grep", " /t ", "/proc/mounts").OK(t)
		contains(t, got, "tmpfs /t tmpfs rw,nosuid,nodev,noexec", "size=2048k")
		got = p.Run(t, "--mount", "type=tmpfs,dst=/var/www,tmpfs-size=1m", "--", "cat", "/var/www/index.html").OK(t)
		equals(t, "copied up", got, "served")
		got = p.Run(t, "--mount", "type=tmpfs,dst=/var/www,notmpcopyup", "--", "ls", "/var/www").OK(t)
		equals(t, "not copied up", got, "")
	})
	parallel(t, "read-only", func(t *testing.T) {
		p.Run(t, "--read-only", "--", "sh", "-c", "touch /tmp/x && touch /x").Fails(t, "touch: /x: Read-only file system")
	})
	parallel(t, "ulimit", func(t *testing.T) {
		got := p.Run(t, "--ulimit", "nofile=100:200", "--", "sh", "-c", "ulimit -Sn; ulimit -Hn").OK(t)
		equals(t, "limits", got, "100\n200")
	})
	parallel(t, "sysctl", func(t *testing.T) {
		equals(t, "value", p.Run(t, "--sysctl", "kernel.msgmax=4096", "--", "cat", "/proc/sys/kernel/msgmax").OK(t), "4096")
	})
	parallel(t, "shm-size", func(t *testing.T) {
		contains(t, p.Run(t, "--shm-size", "7m", "--", "grep", " /dev/shm ", "/proc/mounts").OK(t), "size=7168k")
	})
	parallel(t, "capabilities", func(t *testing.T) {
		lacks(t, p.Run(t, "--", "grep", "CapEff", "/proc/self/status").OK(t), "0000000000000000")
		contains(t, p.Run(t, "--cap-drop", "all", "--", "grep", "CapBnd", "/proc/self/status").OK(t), "0000000000000000")
		contains(t, p.Run(t, "--cap-drop", "all", "--cap-add", "CHOWN", "--", "grep", "CapEff", "/proc/self/status").OK(t), "0000000000000001")
		contains(t, p.Run(t, "--user", "1000", "--cap-drop", "all", "--cap-add", "CHOWN", "--", "grep", "CapAmb", "/proc/self/status").OK(t), "0000000000000001")
	})
	parallel(t, "privileged", func(t *testing.T) {
		p.Run(t, "--privileged", "--", "sh", "-c", "mount -t tmpfs t /mnt && umount /mnt").OK(t)
	})
	parallel(t, "security", func(t *testing.T) {
		got := p.Run(t, "--security-opt", "no-new-privileges", "--", "grep", "-E", "NoNewPrivs|Seccomp:", "/proc/self/status").OK(t)
		equals(t, "status", strings.Join(strings.Fields(got), " "), "NoNewPrivs: 1 Seccomp: 2")
		contains(t, p.Run(t, "--security-opt", "seccomp=unconfined", "--", "grep", "Seccomp:", "/proc/self/status").OK(t), "\t0")
		p.Run(t, "--security-opt", "mask=/var/www", "--", "cat", "/var/www/index.html").Fails(t)
		p.Run(t, "--security-opt", "unmask=ALL", "--", "sh", "-c", "! grep -E ' /proc/(keys|timer_list) ' /proc/mounts").OK(t)
	})
	parallel(t, "device", func(t *testing.T) {
		equals(t, "node", p.Run(t, "--device", "/dev/fuse", "--", "stat", "-c", "%F %t:%T", "/dev/fuse").OK(t), "character special file a:e5")
	})
	parallel(t, "namespaces", func(t *testing.T) {
		equals(t, "host name", p.Run(t, "--uts=host", "--", "hostname").OK(t), "engines")
		if _, err := os.Stat("/dev/mqueue"); err == nil || len(p.as) == 0 { // podman binds it where it cannot mount it
			own := p.Call(t, "readlink", "/proc/self/ns/ipc").OK(t)
			equals(t, "ipc", p.Run(t, "--ipc=host", "--", "readlink", "/proc/self/ns/ipc").OK(t), own)
		}
		contains(t, p.Run(t, "--pid=host", "--", "sh", "-c", "cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' '; true").OK(t), "podman")
		c := p.Start(t, "--ipc=shareable", "--", "sleep", "77")
		contains(t, p.Run(t, "--pid=container:"+c, "--ipc=container:"+c, "--", "ps").OK(t), "1 root     sleep 77")
	})
	parallel(t, "cgroups-disabled", func(t *testing.T) { // crun's --cgroup-manager=disabled
		c := p.Start(t, "--cgroups=disabled", "--", "sleep", "100")
		pid := p.Inspect(t, c, "{{.State.Pid}}")
		lacks(t, p.Call(t, "cat", "/proc/"+pid+"/cgroup").OK(t), "libpod", c)
		equals(t, "output", p.Podman(t, "exec", c, "echo", "hi").OK(t), "hi")
	})
	parallel(t, "net-host", func(t *testing.T) {
		equals(t, "namespace", p.Run(t, "--net=host", "--", "readlink", "/proc/self/ns/net").OK(t), p.Call(t, "readlink", "/proc/self/ns/net").OK(t))
	})
	parallel(t, "net-container", func(t *testing.T) {
		c := p.Start(t, append([]string{"--"}, serve("80")...)...)
		eventually(t, "served", func() bool {
			return p.Run(t, "--net=container:"+c, "--", "wget", "-qO-", "http://127.0.0.1/").Stdout == "served\n"
		})
	})
	parallel(t, "hooks-directory", func(t *testing.T) {
		dir := p.scratch + "/" + name()
		p.Call(t, append(append([]string{}, p.as...), "mkdir", dir)...).OK(t)
		hook := `{"version":"1.0.0","hook":{"path":"/bin/sh","args":["sh","-c","cat >` + dir + `/state"]},"when":{"always":true},"stages":["createRuntime","poststop"]}`
		p.CallWith(t, hook, nil, "sh", "-c", "cat >"+dir+"/hook.json").OK(t)
		words := append(append(append([]string{}, p.as...), "podman", "--hooks-dir", dir), p.global...)
		p.Call(t, append(words, p.run("run", "--rm", "--", "true")[len(p.podman()):]...)...).OK(t)
		contains(t, p.Call(t, "cat", dir+"/state").OK(t), `"status"`, `"stopped"`)
	})
	parallel(t, "hooks-output", func(t *testing.T) { // crun's run.oci.hooks.stdout and .stderr
		dir := p.scratch + "/" + name()
		p.Call(t, append(append([]string{}, p.as...), "mkdir", dir)...).OK(t)
		hook := `{"version":"1.0.0","hook":{"path":"/bin/sh","args":["sh","-c","echo said; echo complained >&2"]},"when":{"always":true},"stages":["createRuntime"]}`
		p.CallWith(t, hook, nil, "sh", "-c", "cat >"+dir+"/hook.json").OK(t)
		words := append(append(append([]string{}, p.as...), "podman", "--hooks-dir", dir), p.global...)
		flags := []string{"run", "--rm", "--annotation", "run.oci.hooks.stdout=" + dir + "/out", "--annotation", "run.oci.hooks.stderr=" + dir + "/err", "--", "true"}
		p.Call(t, append(words, p.run(flags...)[len(p.podman()):]...)...).OK(t)
		equals(t, "output", p.Call(t, "cat", dir+"/out", dir+"/err").OK(t), "said\ncomplained")
	})
	podmanSupervised(t, p)
}

// podmanSupervised: what service managers use.
func podmanSupervised(t *testing.T, p *Podman) {
	parallel(t, "preserved-descriptors", func(t *testing.T) {
		words := p.run("run", "--rm", "--preserve-fds", "1", "--", "sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; cat <&3")
		got := p.Call(t, append([]string{"sh", "-c", `echo handed >"$0"; exec 3<"$0"; exec "$@"`, p.File("tmp", name())}, words...)...).OK(t)
		// ls has a fourth one, for the directory itself.
		equals(t, "output", got, "0 1 2 3 4 handed")
	})
	parallel(t, "socket-activation", func(t *testing.T) {
		words := p.run("run", "--rm", "--", "sh", "-c", "echo $LISTEN_FDS $LISTEN_PID; ls /proc/self/fd | tr '\\n' ' '")
		script := `exec 3</etc/passwd; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"`
		got := p.Call(t, append([]string{"sh", "-c", script, "sh"}, words...)...).OK(t)
		equals(t, "output", got, "1 1\n0 1 2 3 4 ")
	})
	parallel(t, "sd-notify-conmon", func(t *testing.T) {
		socket := p.listenNotify(t)
		words := p.run("run", "--detach", "--rm", "--sdnotify", "conmon", "--", "sh", "-c", "echo $NOTIFY_SOCKET; sleep 1")
		p.CallWith(t, "", []string{"NOTIFY_SOCKET=" + socket.path}, words...).OK(t)
		contains(t, socket.read(t), "MAINPID=", "READY=1")
	})
	parallel(t, "sd-notify-container", func(t *testing.T) {
		socket := p.listenNotify(t)
		p.install(t, "/proc/self/exe", "/usr/local/bin/ready")
		flags := []string{"run", "--detach", "--rm", "--sdnotify", "container", "--env", readyEnv + "=1"}
		// The test binary may need the host's dynamic linker.
		for from, to := range map[string]string{"/usr/local/bin": "/ready", "/usr": "/usr", "/usr/lib": "/lib", "/usr/lib64": "/lib64"} {
			if exists(from) {
				flags = append(flags, "--volume", from+":"+to+":ro")
			}
		}
		words := p.run(append(flags, "--", "/ready/ready")...)
		p.CallWith(t, "", []string{"NOTIFY_SOCKET=" + socket.path}, words...).OK(t)
		// podman tells the one, conmon the other and nothing else; who is first is open.
		contains(t, socket.read(t)+"\n"+socket.read(t), "MAINPID=", "READY=1")
	})
}

// readyEnv marks the test binary that says in a container that it is ready.
const readyEnv = "ENGINES_READY"

// ready tells the service manager, as sd_notify(3) does, and stays a while: a
// message whose sender is gone may not be passed on.
func ready() int {
	conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return complain(err)
	}
	if _, err := conn.Write([]byte("READY=1")); err != nil {
		return complain(err)
	}
	time.Sleep(time.Second)
	return 0
}

// notifySocket is what a service manager listens on, sd_notify(3).
type notifySocket struct {
	path string
	conn *net.UnixConn
}

func (p *Podman) listenNotify(t *testing.T) *notifySocket {
	t.Helper()
	s := &notifySocket{path: p.File("tmp", name())}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.path, Net: "unixgram"})
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	check(t, os.Chmod(s.path, 0o777))
	s.conn = conn
	return s
}

// read returns the next message.
func (s *notifySocket) read(t testing.TB) string {
	t.Helper()
	check(t, s.conn.SetReadDeadline(time.Now().Add(timeout)))
	text := make([]byte, 4096)
	n, err := s.conn.Read(text)
	check(t, err)
	return string(text[:n])
}
