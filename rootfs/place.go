package rootfs

import (
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// How paths below the root are resolved. An image may hold links to anywhere:
// they lead somewhere inside the root, and those of /proc to nowhere.
const (
	inRoot  = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS
	noLinks = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS
)

// place is where a mount goes: name in dir, or with an empty name dir itself.
type place struct {
	dir    nsenter.FD
	name   string
	opened bool // dir is to be closed after use
}

// place opens the destination of m, which it makes if it is missing: a file
// for a file, a directory for all else. found records what to do, with the
// descriptor, when it was there already.
func (r *Rootfs) place(m *mount, file bool, found func(nsenter.FD)) place {
	p := r.p
	p.At(m.field + ".destination")
	if m.dest == "" {
		return place{dir: r.root}
	}
	if dir, ok := r.freshParent(m.dest); ok {
		name := base(m.dest)
		if file {
			p.Mknodat(dir, name, unix.S_IFREG|0o644, 0)
		} else {
			p.Mkdirat(dir, name, 0o755)
		}
		p.Allow(unix.EEXIST)
		return place{dir: dir, name: name}
	}
	if sys := r.at("sys", m.index); m.dest == "sys/fs/cgroup" && !file && sys != nil && sys.fstype == "sysfs" {
		// A sysfs of ours holds this directory; nothing is put in its way.
		return place{dir: sys.fd, name: "fs/cgroup"}
	}
	how := unix.OpenHow{Flags: unix.O_PATH, Resolve: inRoot}
	switch {
	case m.strict():
		how.Resolve = noLinks
	case m.destNofollow:
		how.Flags |= unix.O_NOFOLLOW
	}
	r.open(m.dest, file, how, r.target, found)
	if !m.strict() {
		r.refuseProc(r.target)
	}
	return place{dir: r.target, opened: true}
}

// strict reports destinations that must be what they say: a mount on /proc that
// lands elsewhere leaves the runtime writing to files of the image's choice
// (CVE-2019-16884, CVE-2019-19921, CVE-2023-27561), and a /dev elsewhere has
// device nodes made there.
func (m *mount) strict() bool {
	switch m.dest {
	case "dev", "proc", "sys":
		return true
	}
	return m.family == familyFS && (m.fstype == "proc" || m.fstype == "sysfs") || procFile(m.dest)
}

// refuseProc stops a mount that a link of the image has led into procfs.
func (r *Rootfs) refuseProc(fd nsenter.FD) {
	magic := r.p.Fstatfs(fd)
	r.refuse(magic, ^uint64(0), unix.PROC_SUPER_MAGIC, "leads into a procfs, where nothing may be mounted")
}

// refuse is the opposite of Program.Require.
func (r *Rootfs) refuse(w nsenter.Word, mask, value uint64, meaning string) {
	r.p.When(w, mask, value, func() { r.p.Stop(meaning) }, nil)
}

// open opens path below the root into fd, after making what is missing of it.
func (r *Rootfs) open(path string, file bool, how unix.OpenHow, fd nsenter.FD, found func(nsenter.FD)) {
	p := r.p
	if !file {
		how.Flags |= unix.O_DIRECTORY
	}
	var ok func()
	if found != nil {
		ok = func() { found(fd) }
	}
	p.Into(fd)
	p.Openat2(r.root, path, how)
	// EAGAIN: the path has a ".." behind a link, and something on the host was
	// renamed meanwhile (openat2(2)).
	p.Branch(ok, func() { r.create(path, file, how, fd) }, unix.ENOENT, unix.EAGAIN)
}

// create makes path, one component after the other, each in a directory that
// is held open. A component that appears meanwhile is used; one that is a link
// is resolved inside the root, as always.
func (r *Rootfs) create(path string, file bool, how unix.OpenHow, fd nsenter.FD) {
	p := r.p
	dir := r.makeParents(path, how.Resolve)
	name := base(path)
	if file {
		p.Mknodat(dir, name, unix.S_IFREG|0o644, 0)
	} else {
		p.Mkdirat(dir, name, 0o755)
	}
	p.Allow(unix.EEXIST)
	if dir != r.root {
		p.Close(dir)
	}
	p.Into(fd)
	p.Openat2(r.root, path, how)
}

// makeParents makes the directories above path and returns the last one. It is
// to be closed unless it is the root.
func (r *Rootfs) makeParents(path string, resolve uint64) nsenter.FD {
	p := r.p
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY, Resolve: resolve}
	dir := r.root
	names := strings.Split(path, "/")
	for i, name := range names[:len(names)-1] {
		prefix := strings.Join(names[:i+1], "/")
		next := r.step[i%2]
		p.Into(next)
		p.Openat2(r.root, prefix, how)
		p.IfErr(func() {
			p.Mkdirat(dir, name, 0o755)
			p.Allow(unix.EEXIST)
			p.Into(next)
			p.Openat2(r.root, prefix, how)
		}, unix.ENOENT, unix.EAGAIN)
		if dir != r.root {
			p.Close(dir)
		}
		dir = next
	}
	return dir
}
