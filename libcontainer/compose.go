package libcontainer

import (
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/libcontainer/process"
	"ociruntime/nsenter"
)

// compose records the stage's Program, in the order in which things depend on
// each other. gate is where it waits in the end.
func (b *birth) compose(gate nsenter.FD) {
	p := b.program
	p.At("")
	if b.concealed() {
		p.Prctl(unix.PR_SET_DUMPABLE, 0) // nobody may ptrace(2) what we are (CVE-2016-9962)
	}
	b.entry.Emit(p)
	b.composeCgroups(p)
	b.entry.Late(p)
	if b.isNew(specs.NetworkNamespace) {
		composeLoopback(p)
	}
	if len(b.linux().NetDevices) > 0 {
		p.At("linux.netDevices")
		p.Send(syncNetwork, 0)
		p.Wait()
	}
	b.rootfs.Mounts(p)
	if b.hasEarlyHooks() {
		p.At("hooks")
		p.Send(syncMounted, 0)
		p.Wait()
	}
	b.rootfs.Pivot(p)
	var master nsenter.FD
	var inside process.Descriptors
	if b.hasTerminal() {
		master, inside.Console = b.rootfs.Console(p)
	}
	if b.process.NeedsProc() || len(b.linux().Sysctl) > 0 {
		inside.Proc = b.rootfs.Proc(p)
		b.composeSysctls(p, inside.Proc)
	}
	b.rootfs.Finish(p)
	b.process.Setup(p, inside)
	if b.timing.on() {
		p.Noted(b.notes)
	}
	b.composeReady(p, b.process, master, b.hasTerminal())
	b.composeGate(p, gate)
	if b.config.Process == nil {
		p.At("process")
		p.Stop(ErrNoProcess.Error())
		return
	}
	b.process.Become(p, composeListener(p))
}

// concealed reports whether the stage is closed to everybody but root of the
// runtime's user namespace from the start. Without rights over that, the
// runtime could not write the maps of a new one, where nobody else is yet; and
// an ordinary user could not tell later whether his process still waits.
func (b *birth) concealed() bool {
	return os.Geteuid() == 0 && !(b.rootless && b.entry.NewUser())
}

// composeCgroups has the stage enter each cgroup v1 hierarchy itself: it has
// one thread, so it may use tasks, which takes no system-wide lock.
func (b *birth) composeCgroups(p *nsenter.Program) {
	p.At("linux.cgroupsPath")
	if b.tasks == 0 {
		if b.scope != nil {
			p.Wait() // for systemd to have moved us
		}
		return
	}
	for _, tasks := range p.ReceiveFiles(b.tasks) {
		p.Write(tasks, "0")
		p.Close(tasks)
	}
}

// composeSysctls writes linux.sysctl before /proc/sys becomes read-only. A
// file is reached from a proven procfs without crossing a mount or following a
// link: whatever is mounted below, or raced in, is an error (CVE-2025-52881).
func (b *birth) composeSysctls(p *nsenter.Program, proc nsenter.FD) {
	for _, key := range slices.Sorted(maps.Keys(b.linux().Sysctl)) {
		p.At(`linux.sysctl["` + key + `"]`)
		file := p.Openat2(proc, "sys/"+sysctlPath(key), unix.OpenHow{
			Flags:   unix.O_WRONLY,
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
		})
		p.Write(file, b.linux().Sysctl[key])
		p.Close(file)
	}
}

// sysctlPath is the path of a key below /proc/sys: dots separate, unless the
// first separator is a slash, as in net/ipv4/conf/eth0.1/forwarding; sysctl(8).
func sysctlPath(key string) string {
	if i := strings.IndexAny(key, "./"); i >= 0 && key[i] == '/' {
		return key
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}, key)
}

// composeLoopback brings up lo, as every runtime does for a new network
// namespace.
func composeLoopback(p *nsenter.Program) {
	p.At("linux.namespaces")
	socket := p.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	// struct ifreq: 16 bytes of name, then the flags, netdevice(7).
	ifreq := make([]byte, 40)
	copy(ifreq, "lo")
	ifreq[16], ifreq[17] = unix.IFF_UP|unix.IFF_LOOPBACK, 0
	ifreq[16] |= unix.IFF_RUNNING & 0xff
	p.IoctlData(socket, unix.SIOCSIFFLAGS, ifreq)
	p.Close(socket)
}

// composeGate has the stage wait for start. The connection that opens the gate
// takes the place of the status socket. Until then nothing else is open: what
// a container can see of its waiting process is not more than stdio.
func (b *birth) composeGate(p *nsenter.Program, gate nsenter.FD) {
	if b.gate != gateSocket {
		return
	}
	p.At("")
	p.Dup3(gate, p.Status(), unix.O_CLOEXEC)
	p.CloseRange(p.FirstOwn(), 0)
	start := p.Accept4(p.Status())
	p.Dup3(start, p.Status(), unix.O_CLOEXEC)
	p.Close(start)
}
