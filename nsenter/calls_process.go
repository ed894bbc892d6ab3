package nsenter

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Recorded calls that change what the stage is, and in the end replace it.

// Setns joins the namespaces that fd (of a namespace, or a pidfd) stands for.
func (p *Program) Setns(fd FD, flags uintptr) { p.do(unix.SYS_SETNS, fd, imm(flags)) }

// Unshare moves the stage into new namespaces.
func (p *Program) Unshare(flags uintptr) { p.do(unix.SYS_UNSHARE, imm(flags)) }

// Prctl records prctl(2).
func (p *Program) Prctl(option int, args ...uint64) {
	list := [5]arg{imm(option), imm(0), imm(0), imm(0), imm(0)}
	for i, a := range args {
		list[i+1] = imm(a)
	}
	p.do(unix.SYS_PRCTL, list[:]...)
}

// SetName sets the name the stage has in ps(1), PR_SET_NAME: 15 bytes.
func (p *Program) SetName(name string) {
	p.do(unix.SYS_PRCTL, imm(unix.PR_SET_NAME), p.str(name), imm(0), imm(0), imm(0))
}

// Capset sets the effective, permitted and inheritable sets, as bit masks.
func (p *Program) Capset(effective, permitted, inheritable uint64) {
	header := p.quads(uint64(unix.LINUX_CAPABILITY_VERSION_3)) // and pid 0: ourselves
	low := func(v uint64) uint64 { return v & 0xffffffff }
	data := p.quads(
		low(effective)|low(permitted)<<32,
		low(inheritable)|effective>>32<<32,
		permitted>>32|inheritable>>32<<32,
	)
	p.do(unix.SYS_CAPSET, imm(header), imm(data))
}

// Setresuid sets the real, effective and saved user id to uid.
func (p *Program) Setresuid(uid uint32) {
	p.do(unix.SYS_SETRESUID, imm(uid), imm(uid), imm(uid))
}

// Setresgid sets the real, effective and saved group id to gid.
func (p *Program) Setresgid(gid uint32) {
	p.do(unix.SYS_SETRESGID, imm(gid), imm(gid), imm(gid))
}

// Setgroups replaces the supplementary groups.
func (p *Program) Setgroups(gids []uint32) {
	var data []byte
	for _, gid := range gids {
		data = binary.LittleEndian.AppendUint32(data, gid)
	}
	p.do(unix.SYS_SETGROUPS, imm(len(gids)), imm(p.bytes(data)))
}

// Umask sets the mask and returns the word that holds the old one.
func (p *Program) Umask(mask uint32) Word {
	return Word(p.call(unix.SYS_UMASK, imm(mask)).value)
}

// UmaskBack sets the mask to what an earlier Umask returned.
func (p *Program) UmaskBack(old Word) { p.do(unix.SYS_UMASK, fromWord(old)) }

// Prlimit sets a limit of the stage itself.
func (p *Program) Prlimit(resource int, soft, hard uint64) {
	p.do(unix.SYS_PRLIMIT64, imm(0), imm(resource), imm(p.quads(soft, hard)), imm(0))
}

// Sethostname sets the host name of the UTS namespace.
func (p *Program) Sethostname(name string) {
	p.do(unix.SYS_SETHOSTNAME, p.str(name), imm(len(name)))
}

// Setdomainname sets the NIS domain name of the UTS namespace.
func (p *Program) Setdomainname(name string) {
	p.do(unix.SYS_SETDOMAINNAME, p.str(name), imm(len(name)))
}

// Setsid makes the stage the leader of a new session.
func (p *Program) Setsid() { p.do(unix.SYS_SETSID) }

// JoinSessionKeyring creates a session keyring and returns its serial number.
func (p *Program) JoinSessionKeyring(name string) FD {
	return p.call(unix.SYS_KEYCTL, imm(unix.KEYCTL_JOIN_SESSION_KEYRING), p.str(name))
}

// KeyctlSetperm sets the permissions of key.
func (p *Program) KeyctlSetperm(key FD, permissions uint32) {
	p.do(unix.SYS_KEYCTL, imm(unix.KEYCTL_SETPERM), key, imm(permissions))
}

// Personality sets the execution domain.
func (p *Program) Personality(persona uint) { p.do(unix.SYS_PERSONALITY, imm(persona)) }

// Socket opens a socket.
func (p *Program) Socket(domain, kind, protocol int) FD {
	return p.call(unix.SYS_SOCKET, imm(domain), imm(kind|unix.SOCK_CLOEXEC), imm(protocol))
}

// Call records any system call with the given arguments; structures are
// copied with Data.
func (p *Program) Call(nr uintptr, args ...FD) FD { return p.call(nr, args...) }

// Data copies a structure into the arena for Call.
func (p *Program) Data(data []byte) FD { return imm(p.bytes(data)) }

// Text copies a string into the arena for Call.
func (p *Program) Text(s string) FD { return p.str(s) }

// Value is a plain argument for Call.
func Value(v uint64) FD { return imm(v) }

// Address passes the address of b to Call.
func (b Buffer) Address() FD { return imm(b.addr) }

// Seccomp installs a filter (an array of struct sock_filter) and returns the
// listener, if flags asked for one.
func (p *Program) Seccomp(filter []byte, flags uint64) FD {
	const instruction = 8
	program := p.quads(uint64(len(filter)/instruction), p.bytes(filter))
	return p.call(unix.SYS_SECCOMP, imm(unix.SECCOMP_SET_MODE_FILTER), imm(flags), imm(program))
}

// Fork records clone3(2) with flags and blocks for what parent and child do;
// child continues after the blocks, parent must end. The returned word holds
// the child's pid in the parent. With CLONE_INTO_CGROUP, cgroup is its directory.
func (p *Program) Fork(flags uint64, exitSignal uint64, cgroup FD, parent func(pid Word)) {
	at := p.quads(flags, 0, 0, 0, exitSignal, 0, 0, 0, 0, 0, cgroup.value)
	if cgroup.word {
		p.Store(Word(cgroup.value), Word(at+80))
	}
	pid := Word(p.call(unix.SYS_CLONE3, imm(at), imm(88)).value)
	p.When(pid, ^uint64(0), 0, nil, func() { parent(pid) })
}

// Exit ends the stage.
func (p *Program) Exit(code int) { p.do(unix.SYS_EXIT_GROUP, imm(code)) }

// Exec is the program to become; FindProgram chooses its path while the stage
// runs.
type Exec struct {
	path Word // holds the address of the path
	argv uint64
	envp uint64
}

// FindProgram records the look-up that execvp(3) would make for the stage's
// identity, root and working directory: the first of paths that is a regular
// file it may execute. missing is what the Fault says when none of several is;
// a single path faults with its own errno. late are strings of the environment
// that are received while the stage runs.
func (p *Program) FindProgram(paths []string, missing string, argv, env []string, late ...Buffer) Exec {
	e := Exec{p.Word(), p.strings(argv), p.strings(env, late...)}
	if len(paths) == 1 {
		p.Faccessat2(AtCWD, paths[0], unix.X_OK, unix.AT_EACCESS)
		file := p.Statx(AtCWD, paths[0], 0)
		p.Require(file.Type(), TypeMask, TypeValue(unix.S_IFREG), "is a directory")
		p.Put(e.path, p.string(paths[0]))
		return e
	}
	for _, path := range paths {
		p.When(e.path, ^uint64(0), 0, func() { p.try(path, e.path) }, nil)
	}
	p.When(e.path, ^uint64(0), 0, func() { p.Stop(missing) }, nil)
	return e
}

// try records that *found becomes the address of path if that is a program.
func (p *Program) try(path string, found Word) {
	p.Faccessat2(AtCWD, path, unix.X_OK, unix.AT_EACCESS)
	p.IfOK(func() {
		file := p.Statx(AtCWD, path, 0)
		p.When(file.Type(), TypeMask, TypeValue(unix.S_IFREG), func() {
			p.Store(Word(p.quads(p.string(path))), found)
		}, nil)
	}, unix.ENOENT, unix.ENOTDIR, unix.EACCES, unix.ELOOP, unix.ENAMETOOLONG)
}

// Execve becomes the program; on success the status socket closes, which
// tells the parent.
func (p *Program) Execve(e Exec) {
	p.do(unix.SYS_EXECVE, fromWord(e.path), imm(e.argv), imm(e.envp))
}
