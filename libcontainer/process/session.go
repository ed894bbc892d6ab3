package process

import (
	"math"

	"golang.org/x/sys/unix"

	"ociruntime/libcontainer/lsm"
	"ociruntime/nsenter"
)

// Permissions of a session keyring: what KEYCTL_JOIN_SESSION_KEYRING gives a new
// one (security/keys/process_keys.c), and what lets a later exec find it by its
// name. It does not possess the keyring, so the search must be allowed to the
// owner; in a user namespace to others, as ids compare differently there.
const (
	keyringDefault     = 0x3f130000 // possessor all; user view, read, link
	keyringUserSearch  = 0x00080000
	keyringOtherSearch = 0x00000008
)

// joinKeyring leaves the caller's session keyring, whose keys the container
// must not use. A kernel without keys has none to leak.
func (x *Process) joinKeyring(p *nsenter.Program, proc nsenter.FD) {
	if x.in.Keyring == "" {
		return
	}
	if label := x.label(); label != "" {
		p.At("process.selinuxLabel")
		file := p.Openat2(proc, "thread-self/"+lsm.KeyCreateFile, attrHow)
		p.Write(file, label)
		p.Close(file) // execve resets the attribute
	}
	p.At("")
	key := p.JoinSessionKeyring(x.in.Keyring)
	if x.in.Exec {
		p.Allow(unix.ENOSYS)
		return
	}
	permissions := uint32(keyringDefault | keyringUserSearch)
	if x.in.Userns {
		permissions = keyringDefault | keyringOtherSearch
	}
	p.IfOK(func() { p.KeyctlSetperm(key, permissions) }, unix.ENOSYS)
}

// label is the SELinux label of the process, if there is one.
func (x *Process) label() string {
	if x.in.Process == nil {
		return ""
	}
	return x.in.Process.SelinuxLabel
}

func (x *Process) nameHost(p *nsenter.Program) {
	if x.in.Hostname != "" {
		p.At("hostname")
		p.Sethostname(x.in.Hostname)
	}
	if x.in.Domainname != "" {
		p.At("domainname")
		p.Setdomainname(x.in.Domainname)
	}
}

// attrHow opens a file of procfs for writing. The descriptor it is opened from
// is proven to be procfs; within it, nothing mounted over a file and no link
// out of it may answer in its place (CVE-2019-16884, CVE-2025-52881).
var attrHow = unix.OpenHow{
	Flags:   unix.O_WRONLY,
	Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_MAGICLINKS,
}

// NeedsProc reports whether Setup uses Descriptors.Proc.
func (x *Process) NeedsProc() bool { return x.label() != "" || x.appArmorProfile() != "" }

// openProc records that the container's /proc is opened: the root of a procfs,
// as an image or a volume may have put something else there, or a directory of
// another process, to have labels written into it (CVE-2019-16884).
func openProc(p *nsenter.Program) nsenter.FD {
	const rootInode = 1 // PROC_ROOT_INO
	p.At("process")
	proc := p.Openat2(nsenter.AtCWD, "/proc", unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY,
		Resolve: unix.RESOLVE_NO_SYMLINKS,
	})
	p.Require(p.Fstatfs(proc), math.MaxUint64, unix.PROC_SUPER_MAGIC, "/proc is not a procfs")
	p.Require(p.Statx(proc, "", unix.AT_EMPTY_PATH).Inode(), math.MaxUint64, rootInode, "/proc is not the root of a procfs")
	return proc
}

// appArmorProfile is the profile to write. Unconfined is what a process has on
// a host without AppArmor.
func (x *Process) appArmorProfile() string {
	if x.in.Process == nil {
		return ""
	}
	profile := x.in.Process.ApparmorProfile
	if profile == lsm.Unconfined && !lsm.AppArmor() {
		return ""
	}
	return profile
}

// setLabel says which label execve shall give to the program. It precedes
// no_new_privs, under which AppArmor lets a confined stage only narrow its own
// profile, and is part of create, which so fails for an unknown profile.
func (x *Process) setLabel(p *nsenter.Program, proc nsenter.FD) {
	if profile := x.appArmorProfile(); profile != "" {
		p.At("process.apparmorProfile")
		file := p.Openat2(proc, "thread-self/"+lsm.AppArmorExecFile, attrHow)
		p.IfErr(func() {
			p.Into(file)
			p.Openat2(proc, "thread-self/"+lsm.ExecFile, attrHow)
		}, unix.ENOENT)
		p.Write(file, lsm.AppArmorExec(profile))
		p.IfErr(func() { p.Stop(`AppArmor profile "` + profile + `" is not loaded`) }, unix.ENOENT)
		p.Close(file)
	}
	if label := x.label(); label != "" {
		p.At("process.selinuxLabel")
		file := p.Openat2(proc, "thread-self/"+lsm.ExecFile, attrHow)
		p.Write(file, label)
		p.IfErr(func() { p.Stop(`the SELinux policy does not know the label "` + label + `"`) }, unix.EINVAL)
		p.Close(file)
	}
}
