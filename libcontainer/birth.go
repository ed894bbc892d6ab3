package libcontainer

import (
	"errors"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/cgroups"
	"ociruntime/internal/diag"
	"ociruntime/libcontainer/process"
	"ociruntime/nsenter"
	"ociruntime/rootfs"
	"ociruntime/spec"
)

// gateKind says where the stage waits for start.
type gateKind int

const (
	gateSocket gateKind = iota // on a socket that start connects to: create
	gateStatus                 // on the status socket, for the same command: run
)

// birth is one create in progress: what was decided, and what exists so far.
type birth struct {
	*container // nil until the id is reserved
	record     *record
	runtime    *Runtime
	id         string
	options    *CreateOptions
	gate       gateKind

	bundle string
	raw    []byte // config.json
	config *specs.Spec

	group   *cgroups.Group
	created chan error // the cgroup is made, or why not; nil when not in parallel
	entry   *nsenter.Entry
	rootfs  *rootfs.Rootfs
	process *process.Process
	program *nsenter.Program
	stage   *nsenter.Stage

	arrival
	tasks  int  // cgroup v1 hierarchies that the stage enters
	hooked bool // hooks have run, so poststop hooks must too
	ready  bool // the stage is at the gate
}

// newBirth decides everything that can be decided before anything is made.
func (r *Runtime) newBirth(id string, o *CreateOptions, gate gateKind) (*birth, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	b := &birth{runtime: r, id: id, options: o, gate: gate}
	for _, step := range []func() error{b.load, b.nameCgroup, b.planNamespaces, b.planRootfs, b.planProcess} {
		if err := step(); err != nil {
			b.close()
			return nil, err
		}
	}
	b.record = b.journal()
	b.program = nsenter.New(o.PreserveFDs)
	return b, nil
}

// load reads and checks config.json.
func (b *birth) load() (err error) {
	if b.bundle, err = bundlePath(b.options.Bundle); err != nil {
		return err
	}
	if b.options.ConfigFile != "" {
		b.config, b.raw, err = spec.LoadFile(b.options.ConfigFile)
	} else {
		b.config, b.raw, err = spec.Load(b.bundle)
	}
	if err != nil {
		return err
	}
	for _, w := range spec.Warnings(b.config) {
		b.runtime.Log.Warnf("%s", w)
	}
	return spec.Validate(b.config, spec.Host{
		Rootless:      os.Geteuid() != 0,
		SystemdCgroup: b.runtime.CgroupManager == Systemd,
		Shared:        b.shared(),
	})
}

// shared lists the namespaces that are to be joined by path and are the
// runtime's own: what is set in them is set for the host.
func (b *birth) shared() []specs.LinuxNamespaceType {
	var list []specs.LinuxNamespaceType
	for _, n := range b.linux().Namespaces {
		if n.Path == "" {
			continue
		}
		var theirs, ours unix.Stat_t
		if unix.Stat(n.Path, &theirs) != nil || unix.Stat("/proc/self/ns/"+string(namespaceType(n.Type)), &ours) != nil {
			continue // opening it will say why
		}
		if theirs.Dev == ours.Dev && theirs.Ino == ours.Ino {
			list = append(list, n.Type)
		}
	}
	return list
}

func (b *birth) linux() *specs.Linux {
	if b.config.Linux == nil {
		b.config.Linux = &specs.Linux{}
	}
	return b.config.Linux
}

// nameCgroup decides where the container's cgroup is.
func (b *birth) nameCgroup() error {
	if b.runtime.CgroupManager == NoCgroups {
		b.group = cgroups.Disabled()
		return nil
	}
	host, err := cgroups.Detect()
	if err != nil {
		return err
	}
	defer host.Close()
	b.group, err = host.New(b.id, b.linux().CgroupsPath, cgroups.Options{Lenient: b.runtime.rootless()})
	if err != nil {
		return err
	}
	for _, place := range b.group.Location().Places {
		if place.Controllers != "" {
			b.tasks++
		}
	}
	return nil
}

// planNamespaces opens the namespaces to join and decides how to get into all.
func (b *birth) planNamespaces() (err error) {
	var list []nsenter.Namespace
	for i, n := range b.linux().Namespaces {
		list = append(list, nsenter.Namespace{Type: namespaceType(n.Type), Path: n.Path, Field: indexed("linux.namespaces", i) + ".path"})
	}
	b.entry, err = nsenter.Enter(list, timeOffsets(b.linux().TimeOffsets))
	return err
}

// has reports whether the config lists a namespace of this type, and whether
// it is a new one.
func (b *birth) has(t specs.LinuxNamespaceType) (listed, isNew bool) {
	for _, n := range b.linux().Namespaces {
		if n.Type == t {
			return true, n.Path == ""
		}
	}
	return false, false
}

func (b *birth) isNew(t specs.LinuxNamespaceType) bool {
	_, isNew := b.has(t)
	return isNew
}

// planRootfs checks root and mounts.
func (b *birth) planRootfs() (err error) {
	b.rootfs, err = rootfs.New(rootfs.Input{
		Config:   b.config,
		Bundle:   b.bundle,
		MountNS:  b.isNew(specs.MountNamespace),
		Userns:   b.inUserNamespace(),
		Rootless: os.Geteuid() != 0,
		NoPivot:  b.options.NoPivot,
		Console:  b.hasTerminal(),
		Cgroup:   b.cgroupView(),
	})
	return err
}

// inUserNamespace reports whether the container has another user namespace
// than the runtime.
func (b *birth) inUserNamespace() bool {
	listed, _ := b.has(specs.UserNamespace)
	return listed
}

// cgroupView is what a mount of type cgroup shows.
func (b *birth) cgroupView() rootfs.Cgroup {
	v := rootfs.Cgroup{Namespace: b.isNew(specs.CgroupNamespace)}
	for _, p := range b.group.Location().Places {
		if p.Controllers == "" {
			v.Unified = p.Dir()
			continue
		}
		names := strings.Split(strings.TrimPrefix(p.Controllers, "name="), ",")
		h := rootfs.Hierarchy{Name: strings.Join(names, ","), Dir: p.Dir()}
		if len(names) > 1 {
			h.Links = names
		}
		v.V1 = append(v.V1, h)
	}
	return v
}

// planProcess checks process and what the container has of it.
func (b *birth) planProcess() error {
	filter, err := b.runtime.filter(b.linux().Seccomp)
	if err != nil {
		return err
	}
	in := process.Input{
		Process:      b.config.Process,
		Userns:       b.inUserNamespace(),
		UIDMappings:  b.linux().UIDMappings,
		GIDMappings:  b.linux().GIDMappings,
		Hostname:     b.config.Hostname,
		Domainname:   b.config.Domainname,
		Personality:  b.linux().Personality,
		MemoryPolicy: b.linux().MemoryPolicy,
		Seccomp:      filter,
	}
	in.SetgroupsDenied = in.Userns && os.Geteuid() != 0 && !needsHelper(in.GIDMappings, os.Getegid())
	if !b.options.NoNewKeyring {
		in.Keyring = "_ses." + b.id
	}
	var warnings []string
	b.process, warnings, err = process.New(in)
	for _, w := range warnings {
		b.runtime.Log.Warnf("%s", w)
	}
	return err
}

// hasEarlyHooks reports whether the stage must wait before it changes its root.
func (b *birth) hasEarlyHooks() bool {
	for _, kind := range earlyHooks {
		if len(hooksOf(b.config.Hooks, kind)) > 0 {
			return true
		}
	}
	return false
}

// adjustOOM sets the badness of the stage, which the process inherits. Not to
// be allowed to lower it is no reason to fail: engines ask for it everywhere.
func (b *birth) adjustOOM() error {
	if b.config.Process == nil || b.config.Process.OOMScoreAdj == nil {
		return nil
	}
	err := writeProc(b.stage.Pid, "oom_score_adj", strconv.Itoa(*b.config.Process.OOMScoreAdj))
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		b.runtime.Log.Warnf("process.oomScoreAdj: continued without %d: lowering it takes CAP_SYS_RESOURCE", *b.config.Process.OOMScoreAdj)
		return nil
	}
	if err != nil {
		return &diag.Error{Field: "process.oomScoreAdj", Err: err}
	}
	return nil
}

// journal is the record as it is before anything exists.
func (b *birth) journal() *record {
	rec := &record{
		Version:     recordVersion,
		ID:          b.id,
		Bundle:      b.bundle,
		Rootfs:      b.rootfs.Path(),
		Created:     now(),
		Annotations: b.config.Annotations,
		Cgroup:      b.group.Location(),
		Hooks:       hookKinds(b.config.Hooks),
		PidNS:       b.isNew(specs.PIDNamespace),
	}
	for _, n := range b.linux().Namespaces {
		rec.Namespaces |= uint64(namespaceType(n.Type).Flag())
	}
	return rec
}

// compose records the stage's Program, in the order in which things depend on
// each other. gate is where it waits in the end.
func (b *birth) compose(gate nsenter.FD) {
	p := b.program
	p.At("")
	if !b.runtime.rootless() {
		p.Prctl(unix.PR_SET_DUMPABLE, 0) // nobody may ptrace(2) what we are (CVE-2016-9962)
	}
	b.entry.Emit(p)
	b.composeCgroups(p)
	b.entry.Late(p)
	if b.isNew(specs.NetworkNamespace) {
		composeLoopback(p)
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
	if b.process.NeedsProc() {
		inside.Proc = b.rootfs.Proc(p)
	}
	b.rootfs.Finish(p)
	b.process.Setup(p, inside)
	b.composeReady(p, b.process, master, b.hasTerminal())
	b.composeGate(p, gate)
	if b.config.Process == nil {
		p.At("process")
		p.Stop(ErrNoProcess.Error())
		return
	}
	b.process.Become(p, nil)
}

// hasTerminal reports whether the process gets a terminal.
func (b *birth) hasTerminal() bool { return b.config.Process != nil && b.config.Process.Terminal }

// composeCgroups has the stage enter each cgroup v1 hierarchy itself: it has
// one thread, so it may use tasks, which takes no system-wide lock.
func (b *birth) composeCgroups(p *nsenter.Program) {
	if b.tasks == 0 {
		return
	}
	p.At("linux.cgroupsPath")
	for _, tasks := range p.ReceiveFiles(b.tasks) {
		p.Write(tasks, "0")
		p.Close(tasks)
	}
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

// start makes the cgroup and clones the stage. Version 2 wants the cgroup
// first, as the stage is born in it; for version 1 the two go in parallel.
func (b *birth) start() error {
	options := nsenter.Options{
		Args:       []string{"runtime:stage", b.id},
		CloneFlags: b.entry.CloneFlags,
		Cgroup:     -1,
		Stdio:      [3]int{0, 1, 2},
	}
	resources := b.linux().Resources
	if b.group.Mode() == cgroups.V1 {
		b.created = make(chan error, 1)
		go func() { b.created <- b.group.Create(resources) }()
	} else if err := b.group.Create(resources); err != nil {
		return err
	} else {
		join, err := b.group.Join()
		if err != nil {
			return err
		}
		defer join.Close()
		options.Cgroup = join.Dir
	}
	var err error
	b.stage, err = b.program.Start(options)
	b.entry.Close()
	return err
}

// enterCgroups gives the stage the tasks files it waits for.
func (b *birth) enterCgroups() error {
	if b.created != nil {
		err := <-b.created
		b.created = nil
		if err != nil {
			return err
		}
	}
	if b.tasks > 0 {
		join, err := b.group.Join()
		if err != nil {
			return err
		}
		defer join.Close()
		if err := b.sendTasks(join); err != nil {
			return err
		}
	}
	return b.group.Settle()
}

func (b *birth) sendTasks(join *cgroups.Join) error {
	var fds []int
	for _, t := range join.Tasks {
		fds = append(fds, t.FD)
	}
	for len(fds) < b.tasks { // done without, see cgroups.Options.Lenient
		null, err := unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(null)
		fds = append(fds, null)
	}
	return b.stage.SendFiles(fds...)
}

// close releases what newBirth opened, and the lock.
func (b *birth) close() {
	if b.entry != nil {
		b.entry.Close()
	}
	if b.rootfs != nil {
		b.rootfs.Close()
	}
	if b.stage != nil {
		b.stage.Close()
	}
	if b.group != nil {
		b.group.Close()
	}
	if b.container != nil {
		b.container.close()
	}
}

func cleanPath(p string) string { return path.Clean(p) }

// namespaceType translates the spec's name to the kernel's.
func namespaceType(t specs.LinuxNamespaceType) nsenter.Type {
	switch t {
	case specs.MountNamespace:
		return nsenter.Mount
	case specs.NetworkNamespace:
		return nsenter.Network
	}
	return nsenter.Type(strings.ToLower(string(t)))
}
