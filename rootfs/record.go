package rootfs

import (
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// registers are descriptors of the stage that every mount uses anew, so that
// the stage touches little memory.
type registers struct {
	context nsenter.FD // fsopen
	mounted nsenter.FD // fsmount, of mounts that are not kept
	target  nsenter.FD // what to mount on
	step    [2]nsenter.FD
}

// freshMount is a mount that is empty, ours and unseen: names in it can be
// used as they are.
type freshMount struct {
	dest string
	fd   nsenter.FD
}

// Mounts records everything up to the hooks that run before pivot_root.
func (r *Rootfs) Mounts(p *nsenter.Program) {
	r.p = p
	if !r.in.MountNS {
		return
	}
	r.registers = registers{p.Register(), p.Register(), p.Register(), [2]nsenter.FD{p.Register(), p.Register()}}
	p.At("linux.rootfsPropagation")
	umask := p.Umask(0)
	// The host's mounts become slaves, so nothing done here reaches the host.
	// With a shared root the sources are taken first: they are to stay peers
	// of the host's mounts.
	if r.shared() {
		r.takeSources()
		r.isolate()
	} else {
		r.isolate()
		r.takeSources()
	}
	r.attachRoot()
	for i := range r.mounts {
		r.mount(&r.mounts[i])
	}
	r.makeDev()
	r.makeCwd()
	p.UmaskBack(umask)
}

// makeCwd makes the working directory of the process if the image lacks it, as
// engines expect of WORKDIR.
func (r *Rootfs) makeCwd() {
	if r.in.Config.Process == nil {
		return
	}
	cwd := relative(r.in.Config.Process.Cwd)
	if cwd == "" {
		return
	}
	r.p.At("process.cwd")
	r.open(cwd, false, unix.OpenHow{Flags: unix.O_PATH, Resolve: inRoot}, r.target, nil)
	r.p.Close(r.target)
}

// isolate stops the propagation of mounts to the runtime's mount namespace.
func (r *Rootfs) isolate() {
	r.p.At("linux.rootfsPropagation")
	r.p.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, "")
}

// attachRoot mounts a copy of the root over itself: pivot_root(2) wants a mount,
// and nothing done to the copy's attributes is seen by others.
func (r *Rootfs) attachRoot() {
	p := r.p
	p.At("root.path")
	if r.sent() {
		// Taken by the parent with the sources: the stage may not be able to
		// reach it.
		p.MoveMount(r.root, "", nsenter.AtCWD, r.path)
		p.IfErr(func() { p.MoveMount(r.root, "", nsenter.AtCWD, "/") }, unix.EACCES)
		if r.classic {
			r.change(target{fd: r.root}, true, unix.MountAttr{Propagation: unix.MS_SLAVE}) // see takeTree
		}
		return
	}
	r.root = p.OpenTree(nsenter.AtCWD, r.path, unix.OPEN_TREE_CLONE|unix.AT_RECURSIVE)
	p.MoveMount(r.root, "", nsenter.AtCWD, r.path)
}

func (r *Rootfs) mount(m *mount) {
	switch m.family {
	case familyFS:
		r.mountFS(m)
	case familyBind:
		r.mountBind(m)
	case familyCgroup:
		r.mountCgroup(m)
	case familyRemount:
		r.remount(m)
	case familyLink:
		r.link(m)
	}
}

// anchor returns the descriptor from which path is to be looked up, and the
// path from there: for what is in /proc, /sys and /dev their own mounts. A
// process that shares the root's directory cannot move those out of the way,
// make a mask miss its target, and move them back.
func (r *Rootfs) anchor(path string) (nsenter.FD, string) {
	for i := len(r.mounts) - 1; i >= 0; i-- {
		m := &r.mounts[i]
		if m.dest == "" && m.family != familyRemount {
			break // it hides all that came before
		}
		if path != m.dest && below(path, m.dest) && m.anchor() {
			return m.fd, path[len(m.dest)+1:]
		}
	}
	return r.root, path
}

// at returns the last of the first n mounts which is on dest, or nil.
func (r *Rootfs) at(dest string, n int) *mount {
	for i := n - 1; i >= 0; i-- {
		m := &r.mounts[i]
		switch {
		case m.family == familyRemount:
		case m.dest == dest:
			return m
		case m.dest == "":
			return nil // it hides all that came before
		}
	}
	return nil
}

// anchor reports mounts that later steps look things up in.
func (m *mount) anchor() bool {
	switch m.dest {
	case "proc", "sys", "dev":
		return m.family == familyFS || m.family == familyBind
	}
	return false
}

// freshParent returns the descriptor of the directory that dest lies in, when
// that is a fresh mount of ours.
func (r *Rootfs) freshParent(dest string) (nsenter.FD, bool) {
	dir := directory(dest)
	for i := len(r.fresh) - 1; i >= 0; i-- {
		if r.fresh[i].dest == dir {
			return r.fresh[i].fd, dest != ""
		}
	}
	return nsenter.FD{}, false
}

// mountOn attaches the detached mount fd at the place of m.
func (r *Rootfs) mountOn(fd nsenter.FD, m *mount, at place) {
	r.p.At(m.field)
	r.p.MoveMount(fd, "", at.dir, at.name)
	if m.dest == "" {
		r.root = fd // from here on this is the container's root
	}
	r.forget(m)
	if at.opened {
		r.p.Close(at.dir)
	}
}

// forget takes fresh mounts that m covers out of use.
func (r *Rootfs) forget(m *mount) {
	for i := range r.fresh {
		if r.fresh[i].dest == m.dest {
			r.fresh[i].dest = "\x00" // no path
		}
	}
}
