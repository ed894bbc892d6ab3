package rootfs

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// victim is a directory of the host which an image's links lead to. Nothing in it may
// change, whatever the container does.
type victim struct {
	dir, before string
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	v := &victim{dir: t.TempDir()}
	write(t, filepath.Join(v.dir, "ptmx"), "decoy")
	write(t, filepath.Join(v.dir, "null"), "decoy")
	mkdir(t, filepath.Join(v.dir, "sub"))
	v.before = v.state(t)
	t.Cleanup(func() {
		if after := v.state(t); after != v.before {
			t.Errorf("the host has changed:\n%s\nbefore:\n%s", after, v.before)
		}
	})
	return v
}

func (v *victim) state(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(v.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		b.WriteString(path + " " + info.Mode().String())
		if info.Mode().IsRegular() {
			data, _ := os.ReadFile(path)
			sum := sha256.Sum256(data)
			b.WriteString(" " + hex.EncodeToString(sum[:4]))
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// escapes are links that lead to dir, if followed on the host.
func escapes(dir string) []string {
	return []string{dir, strings.Repeat("../", 20) + dir[1:]}
}

// CVE-2023-27561: the image's /proc is a link. The same goes for /sys, and for /dev.
func TestLinkForProc(t *testing.T) {
	v := newVictim(t)
	sysfs := specs.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs"}
	for _, name := range []string{"proc", "sys", "dev"} {
		for _, target := range append(escapes(v.dir), "tmp", "/tmp") {
			c := tiny(t, "echo started", sysfs)
			_ = os.Remove(c.root(name))
			symlink(t, target, c.root(name))
			index := map[string]string{"proc": "0", "dev": "1", "sys": "2"}[name]
			c.refused(t, "mounts["+index+`].destination: "/`+name+`": must be mounted on ordinary directory (in the image it is a symbolic link to `+target+")")
		}
	}
}

// A procfs or sysfs elsewhere is as careful about links above it.
func TestLinkAboveProc(t *testing.T) {
	v := newVictim(t)
	c := tiny(t, "echo started", specs.Mount{Destination: "/a/proc", Type: "proc", Source: "proc"})
	symlink(t, v.dir, c.root("a"))
	c.refused(t, `mounts[2].destination: "/a/proc": must be mounted on ordinary directory (in the image it is missing)`)
}

// CVE-2019-16884: only a procfs on /proc, nothing but lxcfs's files in it.
func TestProcOnly(t *testing.T) {
	src := source(t)
	const list = " (but cpuinfo, diskstats, meminfo, stat, swaps, uptime, loadavg, slabinfo, sys/kernel/ns_last_pid, sys/crypto/fips_enabled)"
	for want, m := range map[string]specs.Mount{
		`mounts[2].type: "tmpfs": is not proc, and nothing else may be on /proc`:                          {Destination: "/proc", Type: "tmpfs"},
		`mounts[2].type: "tmpfs": is not proc, and nothing else may be on /proc `:                         {Destination: "//proc/../proc/.", Type: "tmpfs"},
		`mounts[2].source: "` + src + `": is no procfs, and nothing else may be on /proc`:                 bind(src, "/proc"),
		`mounts[2].source: "/proc/self": is no procfs, and nothing else may be on /proc`:                  bind("/proc/self", "/proc"),
		`mounts[2].destination: "/proc/self/attr": lies below /proc, where nothing may be mounted` + list: bind(src, "/proc/self/attr"),
		`mounts[2].destination: "/proc/sys": lies below /proc, where nothing may be mounted` + list:       bind(src, "/proc/sys"),
		`mounts[2].destination: "/proc/net/dev": lies below /proc, where nothing may be mounted` + list:   bind(src+"/file", "/proc/net/dev"),
		`mounts[2].destination: "/proc/uptime": lies below /proc, where nothing may be mounted` + list:    {Destination: "/proc/uptime", Type: "tmpfs"},
		`mounts[2].destination: leads into a procfs, where nothing may be mounted`:                        bind(src, "/link/attr"),
		`mounts[2].destination: leads into a procfs, where nothing may be mounted `:                       bind(src, "/link2"),
		`mounts[2].destination: leads into a procfs, where nothing may be mounted  `:                      {Destination: "/link2", Type: "tmpfs"},
		`mounts[2].destination: leads into a procfs, where nothing may be mounted   `:                     bind(src+"/file", "/link3"),
	} {
		c := tiny(t, "echo started", m)
		symlink(t, "/proc/1", c.root("link"))
		symlink(t, "proc", c.root("link2"))
		symlink(t, "/proc/1/comm", c.root("link3"))
		c.refused(t, strings.TrimRight(want, " "))
	}
	c := tiny(t, "cat /proc/uptime", bind(src+"/file", "/proc/uptime"))
	c.want(t, "text of the host")
	c = tiny(t, "cat /proc/self/comm")
	c.in.Config.Mounts[0] = specs.Mount{Destination: "/proc", Type: "bind", Source: "/proc", Options: []string{"rbind"}}
	c.want(t, "cat")
}

// CVE-2026-41579: /dev is a link, and no mount covers it.
func TestLinkForDev(t *testing.T) {
	v := newVictim(t)
	for _, target := range append(escapes(v.dir), "tmp") {
		c := tiny(t, "echo started")
		c.in.Config.Mounts = c.in.Config.Mounts[:1]
		_ = os.Remove(c.root("dev"))
		symlink(t, target, c.root("dev"))
		c.refused(t, `root.path: "/dev": is a symbolic link in the image (and no mount covers it; devices would be made where it leads to)`)
	}
}

// CVE-2024-45310: destinations through links that leave the root.
func TestEscapingDestination(t *testing.T) {
	v := newVictim(t)
	src := source(t)
	for _, target := range escapes(v.dir) {
		for _, m := range []specs.Mount{
			bind(src, "/esc/new/dir"), bind(src+"/file", "/esc/new/file"), bind(src, "/esc"), bind(src, "/esc/sub"),
			{Destination: "/esc/tmpfs", Type: "tmpfs"}, {Destination: "/esc/../../../../.." + v.dir + "/x", Type: "tmpfs"},
		} {
			c := tiny(t, "echo started", m)
			symlink(t, target, c.root("esc"))
			out, err := c.run(t)
			if err == nil && out != "started\n" {
				t.Errorf("%s: %s", m.Destination, out)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "mounts[2]") {
				t.Errorf("%s: %v", m.Destination, err)
			}
		}
	}
}

// Devices through links that leave the root.
func TestEscapingDevice(t *testing.T) {
	v := newVictim(t)
	for _, target := range escapes(v.dir) {
		c := tiny(t, "echo started")
		symlink(t, target, c.root("esc"))
		c.in.Config.Linux = &specs.Linux{Devices: []specs.LinuxDevice{device("/esc/x", "c", 1, 3), device("/esc/sub/y", "p", 0, 0)}}
		if out, err := c.run(t); err == nil && out != "started\n" || err != nil && !strings.HasPrefix(err.Error(), "linux.devices[0]") {
			t.Errorf("%s, %v", out, err)
		}
	}
}

// CVE-2025-31133: what masks is not the null device.
func TestFakeNull(t *testing.T) {
	const invalid = "linux.maskedPaths: container's /dev/null is invalid: it is not the character device 1:3"
	dev := t.TempDir()
	c := tiny(t, "echo started")
	c.in.Config.Mounts[1] = bind(dev, "/dev")
	c.in.Config.Linux = &specs.Linux{MaskedPaths: []string{"/proc/keys"}}
	c.refused(t, `linux.maskedPaths: openat2 "null": no such file or directory (container's /dev/null is invalid: missing, but needed to mask files)`)
	symlink(t, "/proc/sys/kernel/core_pattern", dev+"/null")
	c.refused(t, invalid)
	_ = os.Remove(dev + "/null")
	write(t, dev+"/null", "")
	c.refused(t, invalid)
	_ = os.Remove(dev + "/null")
	if err := unix.Mknod(dev+"/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
		t.Fatal(err)
	}
	c.refused(t, invalid)
}

// A hook, or a process that shares a volume, replaces the null device late.
func TestFakeNullByHook(t *testing.T) {
	c := tiny(t, "echo started")
	c.in.Config.Linux = &specs.Linux{MaskedPaths: []string{"/proc/keys"}}
	c.hook = func(pid int) {
		null := "/proc/" + itoa(pid) + "/root" + c.root("dev/null")
		if err := os.Remove(null); err != nil {
			t.Error(err)
		}
		_ = os.Symlink("/proc/sys/kernel/core_pattern", null)
	}
	c.refused(t, "linux.maskedPaths: container's /dev/null is invalid: it is not the character device 1:3")
}

// CVE-2025-52565: /dev/console or /dev/pts is a link.
func TestFakeConsole(t *testing.T) {
	v := newVictim(t)
	dev := t.TempDir()
	symlink(t, filepath.Join(v.dir, "null"), dev+"/console")
	mkdir(t, dev+"/pts")
	c := tiny(t, "stat -c %F /dev/console", devpts)
	c.in.Config.Mounts[1] = bind(dev, "/dev")
	c.console = true
	out, err := c.run(t)
	if err == nil && out != "character special file\n" {
		t.Errorf("/dev/console is %s", out)
	}
	c = tiny(t, "echo started")
	c.in.Config.Mounts[1] = bind(dev, "/dev")
	c.console = true
	_ = os.Remove(dev + "/pts")
	symlink(t, "/dev/pts", dev+"/pts")
	if out, err := c.run(t); err == nil {
		t.Errorf("a terminal from nowhere: %s", out)
	}
}

// CVE-2021-30465 and CVE-2019-19921: a component is swapped for a link while
// the container starts.
func TestSwap(t *testing.T) {
	v := newVictim(t)
	for _, c := range []struct {
		swapped string
		mounts  []specs.Mount
	}{
		{"proc", nil},
		{"dev", nil},
		{"vol/a", []specs.Mount{bind(source(t), "/vol/a/b/c"), bind(source(t)+"/file", "/vol/a/f")}},
	} {
		t.Run(c.swapped, func(t *testing.T) {
			container := tiny(t, "cat /proc/timer_list; echo ok", c.mounts...)
			container.in.Config.Linux = &specs.Linux{MaskedPaths: []string{"/proc/timer_list"}}
			mkdir(t, container.root(c.swapped))
			link := container.root(c.swapped) + ".link"
			symlink(t, v.dir, link)
			var done atomic.Bool
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				for !done.Load() {
					_ = unix.Renameat2(unix.AT_FDCWD, container.root(c.swapped), unix.AT_FDCWD, link, unix.RENAME_EXCHANGE)
				}
			}()
			// A swap after the last check leaves the container without a
			// /proc; one with a /proc has it masked.
			const moved = "cat: can't open '/proc/timer_list': No such file or directory\nok\n"
			started := 0
			for range 20 {
				out, err := container.run(t)
				if err == nil {
					started++
				}
				if err == nil && out != "ok\n" && out != moved {
					t.Errorf("printed %q", out)
				}
			}
			done.Store(true)
			<-stopped
			t.Logf("%d of 20 started", started)
		})
	}
}

// The names in the merged hierarchies' links are ours, the directory may not be.
func TestCgroupLinks(t *testing.T) {
	v := newVictim(t)
	c := tiny(t, "echo started", specs.Mount{Destination: "/cg", Type: "cgroup", Source: "cgroup"})
	c.in.Cgroup = Cgroup{V1: []Hierarchy{{Name: "cpu,cpuacct", Links: []string{"cpu", "cpuacct"}, Dir: t.TempDir()}}}
	mkdir(t, c.root(v.dir))
	symlink(t, v.dir, c.root("cg"))
	c.want(t, "started")
}
