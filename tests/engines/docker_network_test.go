package engines

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// serve is a command that answers HTTP on the port.
func serve(port string) []string {
	return []string{"httpd", "-f", "-p", port, "-h", "/var/www"}
}

// fetch gets the page from the world's own network.
func (w *World) fetch(t testing.TB, address string) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DialContext: w.dial, DisableKeepAlives: true}}
	eventually(t, "served on "+address, func() bool {
		answer, err := client.Get("http://" + address + "/")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		page, err := io.ReadAll(answer.Body)
		return err == nil && string(page) == "served\n"
	})
}

// dial connects from inside the world's network.
func (w *World) dial(ctx context.Context, network, address string) (net.Conn, error) {
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", w.pid))
	if err != nil {
		return nil, err
	}
	defer namespace.Close()
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- result{err: err}
			return
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

func dockerNetwork(t *testing.T, d *Docker) {
	parallel(t, "net-none", func(t *testing.T) {
		equals(t, "interfaces", d.Run(t, "--net=none", "--", "ls", "/sys/class/net").OK(t), "lo")
	})
	parallel(t, "net-bridge", func(t *testing.T) {
		got := d.Run(t, "--net=bridge", "--", "sh", "-c", "ls /sys/class/net; cat /etc/resolv.conf >/dev/null && grep -c $(hostname) /etc/hosts").OK(t)
		equals(t, "interfaces", got, "eth0\nlo\n1")
	})
	parallel(t, "net-published-port", func(t *testing.T) {
		c := d.Start(t, append([]string{"--net=bridge", "--publish", "127.0.0.1::80", "--"}, serve("80")...)...)
		d.fetch(t, d.Docker(t, "port", c, "80/tcp").OK(t))
		d.fetch(t, d.Inspect(t, c, "{{.NetworkSettings.IPAddress}}"))
	})
	parallel(t, "net-host", func(t *testing.T) {
		d.Start(t, append([]string{"--net=host", "--"}, serve("8081")...)...)
		d.fetch(t, "127.0.0.1:8081")
	})
	parallel(t, "net-container", func(t *testing.T) {
		c := d.Start(t, append([]string{"--net=bridge", "--"}, serve("80")...)...)
		eventually(t, "served", func() bool {
			return d.Run(t, "--net=container:"+c, "--", "wget", "-qO-", "http://127.0.0.1/").Stdout == "served\n"
		})
	})
	parallel(t, "net-between-containers", func(t *testing.T) {
		n := "net" + name()
		d.Docker(t, "network", "create", n).OK(t)
		t.Cleanup(func() { d.Docker(t, "network", "rm", n).OK(t) })
		c := d.Start(t, append([]string{"--net", n, "--"}, serve("80")...)...)
		eventually(t, "served", func() bool {
			return d.Run(t, "--net", n, "--add-host", "other:127.0.0.2", "--", "wget", "-qO-", "http://"+c+"/").Stdout == "served\n"
		})
	})
	parallel(t, "net-connect-running", func(t *testing.T) {
		n := "net" + name()
		d.Docker(t, "network", "create", "--internal", n).OK(t)
		c := d.Start(t, "--net=bridge", "--", "sleep", "100")
		d.Docker(t, "network", "connect", n, c).OK(t)
		equals(t, "interfaces", d.Docker(t, "exec", c, "ls", "/sys/class/net").OK(t), "eth0\neth1\nlo")
		d.Docker(t, "network", "disconnect", n, c).OK(t)
		d.Docker(t, "network", "rm", n).OK(t)
	})
	parallel(t, "net-low-port-unprivileged", func(t *testing.T) { // dockerd sets net.ipv4.ip_unprivileged_port_start
		got := d.Run(t, "--user", "1000", "--", "sh", "-c", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start").OK(t)
		equals(t, "first port", got, "0")
	})
}

func dockerNamespaces(t *testing.T, d *Docker) {
	parallel(t, "pid-host", func(t *testing.T) {
		got := d.Run(t, "--pid=host", "--", "sh", "-c", "cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' '; true").OK(t)
		contains(t, got, "dockerd --data-root")
	})
	parallel(t, "pid-host-leaves-nothing", func(t *testing.T) { // orphans survive the first process, but not the container
		c := d.Start(t, "--pid=host", "--", "sh", "-c", "sleep 4321 & sleep 0.3")
		d.Docker(t, "wait", c).OK(t)
		for _, command := range d.Processes() {
			lacks(t, command, "sleep 4321")
		}
	})
	parallel(t, "pid-container", func(t *testing.T) {
		c := d.Start(t, "--", "sleep", "77")
		contains(t, d.Run(t, "--pid=container:"+c, "--", "ps").OK(t), "1 root     sleep 77")
	})
	parallel(t, "ipc-container", func(t *testing.T) {
		c := d.Start(t, "--ipc=shareable", "--", "sh", "-c", "echo shared >/dev/shm/x; sleep 100")
		eventually(t, "shared", func() bool {
			return d.Run(t, "--ipc=container:"+c, "--", "cat", "/dev/shm/x").Stdout == "shared\n"
		})
	})
	parallel(t, "ipc-private", func(t *testing.T) {
		own := d.Call(t, "readlink", "/proc/self/ns/ipc").OK(t)
		if d.Run(t, "--ipc=private", "--", "readlink", "/proc/self/ns/ipc").OK(t) == own {
			t.Fatal("the IPC namespace is the host's")
		}
		equals(t, "host's", d.Run(t, "--ipc=host", "--", "readlink", "/proc/self/ns/ipc").OK(t), own)
		d.Run(t, "--ipc=none", "--", "test", "-e", "/dev/shm").Exits(t, 1)
	})
	parallel(t, "uts-host", func(t *testing.T) {
		equals(t, "host name", d.Run(t, "--uts=host", "--", "hostname").OK(t), "engines")
	})
	parallel(t, "cgroupns", func(t *testing.T) {
		shown := d.Run(t, "--cgroupns=host", "--", "cat", "/proc/self/cgroup").OK(t)
		contains(t, shown, d.parent)
		lacks(t, d.Run(t, "--cgroupns=private", "--", "cat", "/proc/self/cgroup").OK(t), d.parent)
	})
	parallel(t, "cgroup-mount", func(t *testing.T) {
		got := d.Run(t, "--", "sh", "-c", "grep ' /sys/fs/cgroup' /proc/self/mounts; touch /sys/fs/cgroup/x 2>&1; true").OK(t)
		contains(t, got, "Read-only file system")
		for line := range strings.Lines(got) {
			if strings.Contains(line, " cgroup") {
				contains(t, line, " ro,")
			}
		}
	})
}
