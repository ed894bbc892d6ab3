package rootfs

import (
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// mountFS records a new instance of a file system.
func (r *Rootfs) mountFS(m *mount) {
	if m.long() {
		r.mountClassic(m)
		return
	}
	p := r.p
	mounted := r.mounted
	if m.keep || m.dest == "" {
		mounted = p.Register()
	}
	r.makeFS(m, mounted)
	mode := r.ownMode(m)
	at := r.place(m, false, mode.copy)
	mode.apply(mounted)
	if m.copyUp {
		r.askCopyUp(m, at, mounted)
	}
	if !r.classic {
		r.propagate(m, target{fd: mounted})
	}
	r.mountOn(mounted, m, at)
	if r.classic {
		r.propagate(m, target{fd: mounted})
	}
	p.Close(r.context)
	switch {
	case m.keep:
		m.fd = mounted
		if m.fresh() {
			r.fresh = append(r.fresh, freshMount{m.dest, mounted})
		}
	case m.dest != "":
		p.Close(mounted)
	}
}

// makeFS records the detached mount, each option blamed on its own.
func (r *Rootfs) makeFS(m *mount, mounted nsenter.FD) {
	p := r.p
	p.At(m.field + ".type")
	p.Into(r.context)
	fs := p.Fsopen(m.fstype)
	if m.source != "" {
		p.At(m.field + ".source")
		p.FsconfigString(fs, "source", m.source)
	}
	r.configure(fs, m)
	p.At(m.field)
	if label := r.label(m); label != "" {
		p.At("linux.mountLabel")
		p.FsconfigString(fs, "context", label)
		p.At(m.field)
	}
	p.FsconfigCreate(fs)
	p.Into(mounted)
	p.Fsmount(fs, uint(m.attributes()))
	if label := r.in.Config.Linux.MountLabel; m.fstype == "mqueue" && label != "" {
		// It takes no options; its root can be labelled like a file.
		p.At("linux.mountLabel")
		p.Fchdir(mounted)
		p.Call(unix.SYS_SETXATTR, p.Text("."), p.Text("security.selinux"), p.Text(label), nsenter.Value(uint64(len(label)+1)), nsenter.Value(0))
		p.At(m.field)
	}
}

// configure sets the options that concern the file system as a whole.
func (r *Rootfs) configure(fs nsenter.FD, m *mount) {
	p := r.p
	if m.own.set&unix.MOUNT_ATTR_RDONLY != 0 && !kernelFS(m.fstype) {
		p.At(m.field)
		p.FsconfigFlag(fs, "ro") // a read-only block device accepts nothing else
	}
	for _, o := range m.super {
		p.At(optionField(m.field, o.index))
		switch o.key {
		case "noiversion":
		case "iversion":
			p.FsconfigFlag(fs, o.key)
			p.Allow(unix.EINVAL) // only some file systems count versions on request
		default:
			p.FsconfigFlag(fs, o.key)
		}
	}
	for _, o := range m.data {
		p.At(optionField(m.field, o.index))
		if o.flag {
			p.FsconfigFlag(fs, o.key)
		} else {
			p.FsconfigString(fs, o.key, o.value)
		}
	}
}

// attributes are those a new mount is born with. A read-only tmpfs becomes so
// in Finish: later mounts, devices and hooks may still need to write to it.
func (m *mount) attributes() uint64 {
	set := m.own.set | m.tree.set
	if m.late() {
		set &^= unix.MOUNT_ATTR_RDONLY
	}
	return set
}

// late reports mounts that Finish makes read-only.
func (m *mount) late() bool {
	return m.family == familyFS && m.fstype == "tmpfs" && !m.long() && (m.own.set|m.tree.set)&unix.MOUNT_ATTR_RDONLY != 0
}

// kernelFS reports file systems without a device, for which read-only is a
// matter of the mount alone: their superblock may be in use elsewhere.
func kernelFS(fstype string) bool {
	switch fstype {
	case "proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2":
		return true
	}
	return false
}

// label is the SELinux context of m's files, or "". Procfs and sysfs have one
// of their own, mqueue gets it later.
func (r *Rootfs) label(m *mount) string {
	switch m.fstype {
	case "proc", "sysfs", "mqueue":
		return ""
	}
	return r.in.Config.Linux.MountLabel
}

// propagate records the propagation options of a mount.
func (r *Rootfs) propagate(m *mount, t target) {
	for _, c := range m.propagation {
		r.p.At(m.field)
		r.change(t, c.recursive, unix.MountAttr{Propagation: c.kind})
	}
}

func recursively(yes bool) uint {
	if yes {
		return unix.AT_RECURSIVE
	}
	return 0
}

// fsconfigLimit is what fsconfig(2) takes of a value, with the NUL.
const fsconfigLimit = 256

// long reports mounts that fsconfig(2) cannot configure, such as an overlay of
// many layers; mount(2) takes a page of options.
func (m *mount) long() bool {
	for _, o := range m.data {
		if len(o.value) >= fsconfigLimit {
			return true
		}
	}
	return len(m.source) >= fsconfigLimit
}

// mountClassic records mount(2) on ".", the one path that is sure to be the
// descriptor.
func (r *Rootfs) mountClassic(m *mount) {
	p := r.p
	at := r.place(m, false, nil)
	p.At(m.field)
	if at.name != "" {
		p.Into(r.target)
		at.dir = p.Openat2(at.dir, at.name, unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY, Resolve: noLinks})
		at.opened = true
	}
	p.Fchdir(at.dir)
	p.Mount(m.source, ".", m.fstype, m.flags(), m.dataString())
	if at.opened {
		p.Close(at.dir)
	}
	if m.keep || len(m.propagation) > 0 {
		r.reopen(m)
	}
	p.Fchdir(r.root)
}

// reopen opens a mount that mount(2) has made, for what is left to do with it.
func (r *Rootfs) reopen(m *mount) {
	p := r.p
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY, Resolve: inRoot}
	if m.strict() {
		how.Resolve = noLinks
	}
	m.fd = p.Openat2(r.root, m.dest, how)
	r.propagate(m, target{fd: m.fd})
	if m.fresh() {
		r.fresh = append(r.fresh, freshMount{m.dest, m.fd})
	}
	if !m.keep {
		p.Close(m.fd)
	}
}

// flags are the MS_* for mount(2).
func (m *mount) flags() uintptr {
	flags := mountFlags(m.own.set | m.tree.set)
	for _, o := range m.super {
		switch o.key {
		case "sync":
			flags |= unix.MS_SYNCHRONOUS
		case "dirsync":
			flags |= unix.MS_DIRSYNC
		case "lazytime":
			flags |= unix.MS_LAZYTIME
		case "iversion":
			flags |= unix.MS_I_VERSION
		}
	}
	return flags
}

func (m *mount) dataString() string {
	var b []byte
	for _, o := range m.data {
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = append(b, o.key...)
		if !o.flag {
			b = append(append(b, '='), o.value...)
		}
	}
	return string(b)
}
