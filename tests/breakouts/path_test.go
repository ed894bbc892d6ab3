package breakouts

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
)

// Paths that the image supplies: each may be a link to anywhere.

// withoutDev leaves /dev to the image.
func withoutDev(c *specs.Spec) {
	for _, destination := range []string{"/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"} {
		harness.WithoutMount(destination)(c)
	}
}

// TestDevIsLink: /dev of the image leads to a directory of the host, in which
// devices, links and ptmx would be made or replaced (CVE-2026-41579,
// CVE-2026-47766). Run and create, with and without a mount on /dev.
func TestDevIsLink(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := victim(t, env)
	for _, target := range escapes(dir) {
		for _, edit := range []harness.Edit{func(*specs.Spec) {}, withoutDev} {
			bundle := env.Bundle(edit, harness.Args("echo", "started"))
			link(t, target, bundle.Path("dev"))
			wantRefused(t, env.Run(bundle), "/dev")
			wantRefused(t, env.Call("create", "--bundle", bundle.Dir, env.ID()), "/dev")
		}
	}
	// One that stays inside is as suspicious: what is in /etc would be replaced.
	bundle := env.Bundle(withoutDev, harness.Args("echo", "started"))
	link(t, "etc", bundle.Path("dev"))
	wantRefused(t, env.Run(bundle), "/dev")
}

// TestDevEntriesAreLinks: names in the image's own /dev lead to the host.
func TestDevEntriesAreLinks(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := victim(t, env)
	for _, name := range []string{"null", "zero", "ptmx", "console", "fd", "core", "stdin", "pts", "shm", "mqueue", "tty"} {
		for _, target := range escapes(dir + "/sub") {
			bundle := env.Bundle(withoutDev, harness.Shell("ls /dev/$NAME/secret 2>/dev/null && echo HOLE"),
				func(c *specs.Spec) { c.Process.Env = append(c.Process.Env, "NAME="+name) })
			link(t, target, bundle.Path("dev", name))
			if r := env.Run(bundle); strings.Contains(r.Stdout, "HOLE") {
				t.Errorf("/dev/%s -> %s: the container sees the host: %s", name, target, r)
			}
		}
	}
}

// TestDestinationIsLink: mountpoints are made, and mounts placed, below the root
// whatever links there are (CVE-2024-45310, CVE-2021-30465).
func TestDestinationIsLink(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := victim(t, env)
	source := env.File("source")
	mkdir(t, source)
	write(t, env.File("file"), "from the engine\n", 0o644)
	for _, target := range escapes(dir) {
		for _, destination := range []string{"/link/new/dir", "/link/sub", "/link", "/up/../link/x", "/mnt/deep/er"} {
			for _, from := range []string{source, env.File("file")} {
				bundle := env.Bundle(harness.Shell("test -e /link/secret && echo HOLE; true"), bind(from, destination, "ro"))
				link(t, target, bundle.Path("link"))
				link(t, target, bundle.Path("mnt/deep"))
				link(t, "/link", bundle.Path("up"))
				if r := env.Run(bundle); strings.Contains(r.Stdout, "HOLE") {
					t.Errorf("bind on %s -> %s: %s", destination, target, r)
				}
			}
		}
	}
}

// TestCwdIsLink: the working directory is made inside, too.
func TestCwdIsLink(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := victim(t, env)
	for _, target := range escapes(dir) {
		bundle := env.Bundle(harness.Shell("ls"), func(c *specs.Spec) { c.Process.Cwd = "/link/sub/new" })
		link(t, target, bundle.Path("link"))
		if r := env.Run(bundle); strings.Contains(r.Stdout, "secret") {
			t.Errorf("cwd through %s: %s", target, r)
		}
	}
}

// TestDeviceIsLink: linux.devices outside of /dev.
func TestDeviceIsLink(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := victim(t, env)
	for _, target := range escapes(dir) {
		for _, path := range []string{"/link/null", "/link/new", "/link/sub/secret"} {
			bundle := env.Bundle(harness.Args("true"), func(c *specs.Spec) {
				c.Linux.Devices = []specs.LinuxDevice{{Path: path, Type: "c", Major: 1, Minor: 3, UID: harness.Pointer(uint32(7))}}
			})
			link(t, target, bundle.Path("link"))
			env.Run(bundle)
		}
	}
}

// TestMaskSource: an image that replaces /dev/null turns no mask into a window
// (CVE-2025-31133): not by another device, a link, a file, a directory, nor by
// its absence.
func TestMaskSource(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := victim(t, env)
	look := harness.Shell("cat /proc/keys /proc/timer_list | head -c 100; echo x >/proc/sys/kernel/core_pattern; head -c 10 /proc/kcore | wc -c")
	for what, prepare := range map[string]func(path string){
		"link to core_pattern": func(path string) { link(t, "/proc/sys/kernel/core_pattern", path) },
		"link to the host":     func(path string) { link(t, dir+"/secret", path) },
		"file":                 func(path string) { write(t, path, "", 0o666) },
		"directory":            func(path string) { mkdir(t, path) },
		"missing":              func(string) {},
		"another device": func(path string) {
			check(t, unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))))
		},
		"link to zero":           func(path string) { link(t, "zero", path) },
		"link to another null":   func(path string) { link(t, "/proc/self/root/dev/null2", path) },
		"link to a descriptor":   func(path string) { link(t, "/proc/self/fd/0", path) },
		"link to itself, a loop": func(path string) { link(t, "null", path) },
	} {
		dev := env.File(strings.ReplaceAll(what, " ", "-"))
		mkdir(t, dev)
		prepare(dev + "/null")
		r := env.Run(env.Bundle(withoutDev, look, bind(dev, "/dev")))
		if r.Code == 0 || !strings.Contains(r.Stderr, "container's /dev/null is invalid") {
			t.Errorf("%s: %s", what, r)
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/core_pattern"); err != nil || strings.HasPrefix(string(text), "x") {
		t.Errorf("core_pattern is %q: %v", text, err)
	}
}

// TestConsoleIsLink: the terminal is bound on /dev/console of the container and
// on nothing else (CVE-2025-52565).
func TestConsoleIsLink(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := victim(t, env)
	for _, target := range append(escapes(dir+"/console"), "/proc/sys/kernel/core_pattern", "/proc/self/fd/0", "pts/0") {
		for _, name := range []string{"console", "ptmx", "pts/0"} {
			dev := env.File("dev")
			check(t, os.RemoveAll(dev))
			mkdir(t, dev+"/pts")
			link(t, target, dev+"/"+name)
			bundle := env.Bundle(harness.Terminal, harness.WithoutMount("/dev/shm"), harness.WithoutMount("/dev/mqueue"),
				harness.Shell("stat -c %t:%T /dev/console"),
				func(c *specs.Spec) {
					for i := range c.Mounts {
						if c.Mounts[i].Destination == "/dev" {
							c.Mounts[i] = specs.Mount{Destination: "/dev", Type: "bind", Source: dev, Options: []string{"bind"}}
						}
					}
					c.Linux.MaskedPaths = nil // they need a null device
				})
			socket := env.FDSocket()
			id := env.ID()
			r := env.Call("create", "--bundle", bundle.Dir, "--console-socket", socket.Path, id)
			if r.Code != 0 {
				continue // refused is as good
			}
			c := env.Container(id, bundle)
			c.Pid = c.State().Pid
			master, _ := socket.Receive()
			c.Start()
			if text := env.Console(master).ReadAll(); !strings.HasPrefix(text, "88:") {
				t.Errorf("%s -> %s: /dev/console is %q", name, target, text)
			}
			c.Wait()
		}
	}
}

// TestConsoleInDevOfTheImage: nothing is mounted on /dev, so the terminal is bound
// into the image's own, where console is a link (CVE-2026-88264).
func TestConsoleInDevOfTheImage(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := victim(t, env)
	devpts := harness.Mounted(specs.Mount{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"newinstance", "ptmxmode=0666", "mode=0620"}})
	for _, target := range append(escapes(dir+"/console"), "/etc/passwd", "/proc/sys/kernel/core_pattern", "null", "console") {
		for _, readonly := range []bool{false, true} {
			bundle := env.Bundle(harness.Terminal, withoutDev, devpts, harness.Shell("stat -c %t:%T /dev/console; cat /etc/passwd"), func(c *specs.Spec) {
				c.Linux.MaskedPaths = nil
				c.Root.Readonly = readonly
			})
			link(t, target, bundle.Path("dev/console"))
			before := fingerprint(t, bundle.Path("etc"))
			socket := env.FDSocket()
			id := env.ID()
			if r := env.Call("create", "--bundle", bundle.Dir, "--console-socket", socket.Path, id); r.Code == 0 {
				c := env.Container(id, bundle)
				c.Pid = c.State().Pid
				master, _ := socket.Receive()
				c.Start()
				if text := env.Console(master).ReadAll(); !strings.HasPrefix(text, "88:") || !strings.Contains(text, "root:") {
					t.Errorf("console -> %s: %q", target, text)
				}
				c.Wait()
			}
			want(t, "/etc of the image", fingerprint(t, bundle.Path("etc")), before)
		}
	}
}

// TestStdioOfTheCaller: stdin and the rest are what the caller gave, and files
// behind them stay whose they are, whatever the image has at /dev/null
// (CVE-2026-88265).
func TestStdioOfTheCaller(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := victim(t, env)
	for i, target := range append(escapes(dir+"/secret"), "/etc/passwd") {
		dev := env.File(fmt.Sprint("dev", i))
		mkdir(t, dev)
		for _, name := range []string{"null", "stdin", "stdout", "stderr", "tty"} {
			link(t, target, dev+"/"+name)
		}
		bundle := env.Bundle(withoutDev, bind(dev, "/dev"), harness.Shell("stat -L -c %t:%T /proc/self/fd/0; stat -L -c %u /proc/self/fd/1 /etc/passwd"), func(c *specs.Spec) {
			c.Process.User = specs.User{UID: 1000, GID: 1000}
			c.Linux.MaskedPaths = nil
		})
		out, err := os.Create(env.File("out"))
		check(t, err)
		run := env.RunCommand(bundle)
		run.Stdout = out
		r := run.Start().Wait()
		out.Close()
		text, err := os.ReadFile(env.File("out"))
		check(t, err)
		if r.Code != 0 || string(text) != "1:3\n0\n0\n" {
			t.Errorf("null -> %s: %q, %s", target, text, r)
		}
	}
}

// TestExplanationOfTheImage: what an error message tells about files, it tells
// about the image's. A container that could choose what is looked at would read
// directories of the host in the engine's log.
func TestExplanationOfTheImage(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := victim(t, env)
	for name, edit := range map[string]harness.Edit{
		"cwd":     func(c *specs.Spec) { c.Process.Cwd = dir + "/dangling/x" },
		"program": harness.Args(dir + "/nosuch"),
		"mount":   bind(dir+"/secret", dir+"/dangling/x"),
	} {
		bundle := env.Bundle(edit)
		mkdir(t, bundle.Path(dir))
		check(t, os.Symlink("nowhere", bundle.Path(dir, "dangling")))
		r := env.Run(bundle)
		if r.Code == 0 || strings.Contains(r.Stderr, "ptmx") {
			t.Errorf("%s: %s", name, r)
		}
	}
}
