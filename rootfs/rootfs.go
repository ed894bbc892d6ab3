// Package rootfs makes what the container sees as "/": the mounts, the devices
// and links of /dev, the masked and read-only paths, and the root itself. It
// makes none of it: it records it into a nsenter.Program.
//
// The order, and who depends on it (config.md#mounts, config.md#posix-platform-hooks):
//
//	Mounts   sources are taken while the host's tree is untouched; then the
//	         tree stops propagating, the root is attached, mounts in order, /dev
//	         (hooks: prestart, createRuntime, createContainer)
//	Pivot    the root becomes "/", the host's tree is gone
//	Console  the terminal, from the container's own devpts
//	Finish   masks and read-only paths, last of all the read-only root
//
// An image may hold any symbolic link anywhere, and a volume may be shared with
// a container that is running and hostile. So every path below the root is
// opened by openat2(2) with RESOLVE_IN_ROOT against the root's descriptor, and
// what is opened is what is used: no path is looked at twice.
package rootfs

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// Input is all that New looks at.
type Input struct {
	Config *specs.Spec
	Bundle string // absolute

	MountNS  bool // the stage runs in a mount namespace other than the runtime's
	Userns   bool // it runs in a user namespace other than the runtime's
	Rootless bool // the runtime may not mount, nor map ids, outside of it
	NoPivot  bool // move the root over "/" instead of pivot_root(2)
	Console  bool // Console will be called
	Cgroup   Cgroup
	Later    string // a bind source, a directory, that is made after New and before Start; or ""
}

// Cgroup is what a mount of type cgroup shows: plain data, as this package
// knows no cgroups. The zero value means that there are none to show.
type Cgroup struct {
	// Unified is the container's directory in the host's cgroup v2 mount, or "".
	Unified string
	// V1 are the hierarchies to show below the mount, in order.
	V1 []Hierarchy
	// Namespace is set when the stage is in a cgroup namespace whose root is
	// the container's cgroup.
	Namespace bool
	// Unscoped is set when Unified is not the container's own cgroup but one
	// that holds others: it is then shown read-only whatever the mount asks.
	Unscoped bool
}

// Hierarchy is one cgroup v1 hierarchy.
type Hierarchy struct {
	Name  string   // of the directory, e.g. "cpu,cpuacct" or "systemd"
	Links []string // further names for it, e.g. "cpu", "cpuacct"
	Dir   string   // the container's directory in it, absolute, on the host
}

// Rootfs records one container's root. Its methods are called once each, in
// the order of the package comment.
type Rootfs struct {
	in     Input
	path   string // of the root, on the host, without links
	mounts []mount
	nodes  []node
	core   bool // the host has /proc/kcore

	covered []string // NoPivot: host paths to unmount first
	classic bool     // the kernel has no mount_setattr(2)
	had     uint64   // classic: attributes of the root's mount

	p     *nsenter.Program
	root  nsenter.FD // the container's root mount
	fresh []freshMount
	registers
}

// New checks what can be checked before anything is made. Its errors carry the
// field of config.json.
func New(in Input) (*Rootfs, error) { return newRootfs(in, oldKernel()) }

func newRootfs(in Input, classic bool) (*Rootfs, error) {
	r := &Rootfs{in: in, classic: classic}
	if in.Config.Root == nil || in.Config.Root.Path == "" {
		return nil, &diag.Error{Field: "root.path", Err: errRequired}
	}
	if in.Config.Linux == nil {
		in.Config.Linux = &specs.Linux{}
		r.in.Config = in.Config
	}
	if err := r.openRootPath(); err != nil {
		return nil, err
	}
	if err := r.checkNamespace(); err != nil {
		return nil, err
	}
	for i := range in.Config.Mounts {
		m, err := r.newMount(i)
		if err != nil {
			return nil, err
		}
		r.mounts = append(r.mounts, m)
	}
	r.linkMounts()
	if in.Console && !r.hasDevpts() {
		return nil, &diag.Error{Field: "process.terminal", Err: errNoDevpts}
	}
	if err := r.newNodes(); err != nil {
		return nil, err
	}
	r.core = unix.Access("/proc/kcore", unix.F_OK) == nil
	if in.NoPivot {
		if err := r.findCovered(); err != nil {
			return nil, err
		}
	}
	return r, r.checkPaths()
}

// openRootPath finds what root.path leads to. The stage gets a path without
// links, as move_mount(2) does not follow a last one.
func (r *Rootfs) openRootPath() error {
	path := r.in.Config.Root.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.in.Bundle, path)
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &diag.Error{Field: "root.path", Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlink("/proc/self/fd/"+strconv.Itoa(fd), buf)
	if err != nil {
		return &diag.Error{Field: "root.path", Op: "readlink", Path: path, Err: err}
	}
	r.path = string(buf[:n])
	if r.classic {
		r.had = attributesOf(r.path)
	}
	return nil
}

// checkNamespace refuses to mount where the host would see it.
func (r *Rootfs) checkNamespace() error {
	if r.in.MountNS {
		return nil
	}
	c := r.in.Config
	for _, need := range []struct {
		field string
		set   bool
	}{
		{"mounts", len(c.Mounts) > 0},
		{"root.readonly", c.Root.Readonly},
		{"linux.maskedPaths", len(c.Linux.MaskedPaths) > 0},
		{"linux.readonlyPaths", len(c.Linux.ReadonlyPaths) > 0},
		{"linux.rootfsPropagation", c.Linux.RootfsPropagation != ""},
	} {
		if need.set {
			return &diag.Error{Field: need.field, Err: errNoMountNS, Hint: `add {"type": "mount"} to linux.namespaces`}
		}
	}
	return nil
}

// checkPaths checks the lists of paths that Finish works on.
func (r *Rootfs) checkPaths() error {
	l := r.in.Config.Linux
	for _, list := range []struct {
		field string
		paths []string
	}{{"linux.maskedPaths", l.MaskedPaths}, {"linux.readonlyPaths", l.ReadonlyPaths}} {
		for i, path := range list.paths {
			if !filepath.IsAbs(path) {
				return &diag.Error{Field: list.field + "[" + strconv.Itoa(i) + "]", Path: path, Err: errNotAbsolute}
			}
		}
	}
	if _, err := rootPropagation(l.RootfsPropagation); err != nil {
		return err
	}
	return nil
}

// rootPropagation reads linux.rootfsPropagation; the r-forms are runc's.
func rootPropagation(s string) (propagation, error) {
	if s == "" {
		return propagation{}, nil
	}
	p, ok := propagationOption(s)
	if !ok {
		return p, &diag.Error{Field: "linux.rootfsPropagation", Path: s, Err: errPropagation}
	}
	return p, nil
}

// shared reports whether mounts of the container are to reach the host.
func (r *Rootfs) shared() bool {
	p, _ := rootPropagation(r.in.Config.Linux.RootfsPropagation)
	return p.kind == unix.MS_SHARED
}

// relative is path as seen from the root, cleaned: "" is the root itself.
func relative(path string) string {
	return strings.TrimPrefix(filepath.Clean("/"+path), "/")
}

// Path is the root on the host, absolute and without links.
func (r *Rootfs) Path() string { return r.path }

// Close releases what New opened. It is safe to call at any time after Start.
func (r *Rootfs) Close() {}
