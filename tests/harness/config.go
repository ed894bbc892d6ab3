package harness

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Edit changes a configuration before it is written into a bundle.
type Edit func(config *specs.Spec)

// DefaultConfig is an ordinary container: the namespaces, mounts and
// capabilities of a `runtime spec` template, no terminal, a writable root.
// cgroupsPath is absolute, so that tests find the cgroup in every view.
func DefaultConfig(cgroupsPath string) *specs.Spec {
	caps := []string{"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"}
	return &specs.Spec{
		Version: "1.0.2",
		Root:    &specs.Root{Path: "rootfs"},
		Process: &specs.Process{
			Args:            []string{"true"},
			Cwd:             "/",
			Env:             []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"},
			Capabilities:    &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps},
			Rlimits:         []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1024, Hard: 1024}},
			NoNewPrivileges: true,
		},
		Hostname: "box",
		Mounts:   defaultMounts(),
		Linux: &specs.Linux{
			CgroupsPath: cgroupsPath,
			Resources:   &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}},
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace}, {Type: specs.NetworkNamespace}, {Type: specs.IPCNamespace},
				{Type: specs.UTSNamespace}, {Type: specs.MountNamespace},
			},
			MaskedPaths:   []string{"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
}

func defaultMounts() []specs.Mount {
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc"},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts",
			Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"}},
	}
}

// Args sets the program and its arguments.
func Args(args ...string) Edit {
	return func(c *specs.Spec) { c.Process.Args = args }
}

// Shell runs a script with the root file system's /bin/sh.
func Shell(script string) Edit { return Args("sh", "-c", script) }

// Forever is a program that runs until it is told to end. It says "ready" once
// SIGTERM ends it with exit code 0, although it may be PID 1.
var Forever = Shell(`trap 'exit 0' TERM; echo ready; while :; do sleep 1000 & wait $!; done`)

// Mounted appends mounts.
func Mounted(mounts ...specs.Mount) Edit {
	return func(c *specs.Spec) { c.Mounts = append(c.Mounts, mounts...) }
}

// WithoutMount removes the mount at destination.
func WithoutMount(destination string) Edit {
	return func(c *specs.Spec) {
		c.Mounts = slices.DeleteFunc(c.Mounts, func(m specs.Mount) bool { return m.Destination == destination })
	}
}

// Namespace adds a new namespace of the type, or joins the one at path when
// path is not empty. It replaces the entry of that type, if there is one.
func Namespace(kind specs.LinuxNamespaceType, path string) Edit {
	return func(c *specs.Spec) {
		WithoutNamespace(kind)(c)
		c.Linux.Namespaces = append(c.Linux.Namespaces, specs.LinuxNamespace{Type: kind, Path: path})
	}
}

// WithoutNamespace leaves the container in the caller's namespace of the type.
func WithoutNamespace(kind specs.LinuxNamespaceType) Edit {
	return func(c *specs.Spec) {
		c.Linux.Namespaces = slices.DeleteFunc(c.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == kind })
	}
}

// UserNamespace maps the container's ids 0..65535 to host ids from 100000 on.
func UserNamespace(c *specs.Spec) { UserNamespaceAt(100000)(c) }

// UserNamespaceAt maps them to host ids from first on. The root of each mapping
// has a quota of keys of its own, keyrings(7): 200, of which each container
// takes one, and the kernel gives it back when it finds the time.
func UserNamespaceAt(first uint32) Edit {
	return func(c *specs.Spec) {
		Namespace(specs.UserNamespace, "")(c)
		ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: first, Size: 65536}}
		c.Linux.UIDMappings, c.Linux.GIDMappings = ids, ids
	}
}

// Capabilities puts the same list into all sets but ambient and inheritable.
func Capabilities(names ...string) Edit {
	return func(c *specs.Spec) {
		c.Process.Capabilities = &specs.LinuxCapabilities{Bounding: names, Effective: names, Permitted: names}
	}
}

// Terminal asks for a terminal.
func Terminal(c *specs.Spec) { c.Process.Terminal = true }

// Pointer returns a pointer to a copy of v, for optional fields.
func Pointer[T any](v T) *T { return &v }
