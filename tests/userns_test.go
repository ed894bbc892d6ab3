package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// mappedRoot gives the bundle's root file system to the container's root.
func mappedRoot(t *testing.T, b *harness.Bundle) *harness.Bundle {
	t.Helper()
	id := 100000
	if ids := b.Config().Linux.UIDMappings; len(ids) > 0 {
		id = int(ids[0].HostID)
	}
	check(t, filepath.WalkDir(b.Rootfs(), func(path string, _ os.DirEntry, err error) error {
		check(t, err)
		return os.Lchown(path, id, id)
	}))
	return b
}

// TestUsernsOwnership: stdio that nobody else uses belongs to the process, /dev
// to the container's root, and devices are the host's, bound.
func TestUsernsOwnership(t *testing.T) {
	t.Parallel()
	require.Userns(t)
	env := harness.New(t)
	b := mappedRoot(t, env.Bundle(harness.UserNamespace, func(c *specs.Spec) {
		c.Process.User = specs.User{UID: 1000, GID: 1000, AdditionalGids: []uint32{7}}
		c.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/kmsg", Type: "c", Major: 1, Minor: 11}}
	}, harness.Shell(`id -u; id -g; id -G; stat -c %u:%g /dev /dev/shm /dev/ptmx; stat -c %t:%T /dev/null /dev/kmsg; echo x >/dev/null; cat /proc/self/setgroups`)))
	want(t, "inside", fields(env.Run(b).WantCode(t, 0).Stdout), "1000 1000 1000 7 0:0 0:0 0:0 1:3 1:b allow")
}

// TestUsernsTerminal: the terminal belongs to the process's user.
func TestUsernsTerminal(t *testing.T) {
	t.Parallel()
	require.Userns(t)
	env := harness.New(t)
	b := mappedRoot(t, env.Bundle(harness.UserNamespace, harness.Terminal, func(c *specs.Spec) { c.Process.User = specs.User{UID: 1000, GID: 1000} },
		harness.Shell(`stat -Lc %u:%t /dev/console /proc/self/fd/0`)))
	pty := env.NewPty(24, 80)
	c := env.RunCommand(b)
	c.Stdin, c.Stdout, c.Stderr = pty.Slave, pty.Slave, pty.Slave
	p := c.Start()
	text := pty.WaitFor("1000:")
	if !strings.Contains(text, "1000:") {
		t.Error(text)
	}
	p.Wait().WantCode(t, 0)
}

// TestUsernsExec: exec joins the user namespace, with its ids and rights there,
// and none outside.
func TestUsernsExec(t *testing.T) {
	t.Parallel()
	require.Userns(t)
	env := harness.New(t)
	c := env.Create(mappedRoot(t, env.Bundle(harness.UserNamespace, harness.Forever)))
	c.Start().WaitStdout("ready")
	r := env.Call("exec", "--user", "1000:1001", c.ID, "sh", "-c", "id -u; id -g; cat /proc/self/uid_map; readlink /proc/self/ns/user").WantCode(t, 0)
	want(t, "exec", fields(r.Stdout), "1000 1001 0 100000 65536 "+namespace(t, pidText(c), "user"))
	r = env.Call("exec", c.ID, "sh", "-c", "id -u; stat -c %u /proc/1/root; hostname other 2>&1 || echo refused").WantCode(t, 0)
	want(t, "exec as root", fields(r.Stdout), "0 0 hostname: sethostname: Operation not permitted refused") // no CAP_SYS_ADMIN there
	c.Kill("KILL")
	c.Wait()
	c.Delete()
}

func pidText(c *harness.Container) string { return filepath.Base(filepath.Dir(c.Proc("x"))) }

// TestUsernsManyMappings: up to 340 lines in less than a page,
// user_namespaces(7).
func TestUsernsManyMappings(t *testing.T) {
	t.Parallel()
	require.Userns(t)
	env := harness.New(t)
	many := func(n int, first uint32) harness.Edit {
		return func(c *specs.Spec) {
			harness.UserNamespace(c)
			var ids []specs.LinuxIDMapping
			for i := range uint32(n) {
				ids = append(ids, specs.LinuxIDMapping{ContainerID: i, HostID: first + i, Size: 1})
			}
			c.Linux.UIDMappings, c.Linux.GIDMappings = ids, ids
		}
	}
	b := mappedRoot(t, env.Bundle(many(340, 1000), harness.Shell("wc -l </proc/self/uid_map")))
	want(t, "lines", fields(env.Run(b).WantCode(t, 0).Stdout), "340")
	env.Run(mappedRoot(t, env.Bundle(many(341, 1000)))).WantError(t, 1, "linux.uidMappings", "340")
	env.Run(mappedRoot(t, env.Bundle(many(340, 1000000)))).WantError(t, 1, "linux.gidMappings", "340 mappings", "4096")
}

// TestUsernsIDMappedMount: a mount shows its files to the container as its own.
func TestUsernsIDMappedMount(t *testing.T) {
	t.Parallel()
	require.Userns(t)
	env := harness.New(t)
	dir := env.File("data")
	check(t, os.Mkdir(dir, 0o755))
	env.Mount("tmpfs", dir)
	write(t, filepath.Join(dir, "f"), "x")
	check(t, os.Chown(filepath.Join(dir, "f"), 0, 3))
	show := harness.Shell("stat -c %u:%g /plain/f /mapped/f; touch /mapped/new; stat -c %u:%g /mapped/new")
	b := mappedRoot(t, env.Bundle(harness.UserNamespace, show, harness.Mounted(
		specs.Mount{Destination: "/plain", Source: dir, Options: []string{"bind"}},
		specs.Mount{Destination: "/mapped", Source: dir, Options: []string{"bind", "idmap"}})))
	want(t, "inside", fields(env.Run(b).WantCode(t, 0).Stdout), "65534:65534 0:3 0:0")
	want(t, "outside", owner(t, filepath.Join(dir, "new")), "0:0")

	one := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 0, Size: 100}}
	half := specs.Mount{Destination: "/m", Source: dir, Options: []string{"bind", "idmap"}, UIDMappings: one}
	env.Run(env.Bundle(harness.Mounted(half))).WantError(t, 1, "mounts[7]", "gidMappings")
	env.Run(env.Bundle(harness.Mounted(specs.Mount{Destination: "/m", Source: dir, Options: []string{"bind", "ridmap"}}))).
		WantError(t, 1, "mounts[7]", "ridmap", "uidMappings")
	env.Run(env.Bundle(harness.Mounted(specs.Mount{Destination: "/m", Source: "/proc", Options: []string{"bind", "idmap"}, UIDMappings: one, GIDMappings: one}))).
		WantError(t, 1, "mounts[7]", "proc", "does not support")
}

// TestUsernsJoined: a container in another's user namespace has its mappings.
func TestUsernsJoined(t *testing.T) {
	t.Parallel()
	require.Userns(t)
	env := harness.New(t)
	holder := env.Holder(unix.CLONE_NEWUSER)
	b := mappedRoot(t, env.Bundle(harness.Namespace(specs.UserNamespace, harness.NamespacePath(holder, "user")),
		harness.Shell("id -u; cat /proc/self/uid_map; stat -c %u /dev; ls /sys/class/net")))
	want(t, "inside", fields(env.Run(b).WantCode(t, 0).Stdout), "0 0 100000 65536 0 lo")
}

// TestNamespaceRefused: the message says which of the kernel's limits it was.
func TestNamespaceRefused(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	u := newUser(t, env)
	b := u.bundle(ran, func(c *specs.Spec) {
		c.Linux.Namespaces = append(c.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace})
	})
	// The limit is that of a user namespace, in which the user is root.
	u.as = []string{require.Program(t, "setpriv"), "--reuid", fmt.Sprint(u.uid), "--regid", fmt.Sprint(u.uid), "--clear-groups", "unshare", "-Ur",
		"sh", "-c", `echo 0 >/proc/sys/user/max_net_namespaces && exec "$@"`, "sh"}
	u.run(b).WantError(t, 1, "no space left on device", "user.max_net_namespaces is 0")
}
