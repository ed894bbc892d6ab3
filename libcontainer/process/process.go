// Package process is what lies between a finished root file system and the
// user's program: session, terminal, identity, capabilities, limits,
// scheduling, labels, environment. It checks the configuration against the few
// host facts that matter, and records the rest for the stage.
//
// The order, which the kernel dictates more than we do:
//
//	Setup   session, terminal, keyring      a new session has no terminal yet
//	        scheduling, memory policy       need privileges that go away
//	        label, no_new_privs             AppArmor may refuse the reverse order
//	        working directory, passwd       as root, who may search everything
//	        capabilities and ids            interleaved: see credentials.go
//	        working directory again, look-up of the program: as the user
//	-       the caller's sync "ready", and for create the start gate
//	Become  rlimits                         the user's limits are not ours
//	        close descriptors
//	        seccomp                         the filter need not allow our calls
//	        execve
package process

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer/lsm"
	"ociruntime/nsenter"
)

// Input is all that decides how the container process is set up.
type Input struct {
	// Process is what config.json or the caller of exec asks for. It may be
	// nil: a container can be created without, though never started.
	Process *specs.Process
	Exec    bool   // the process joins a running container
	Hook    string // path to execute, whatever args[0] says, with no more environment than Process.Env; or ""
	Userns  bool   // it is in another user namespace than the runtime
	// The mappings of that namespace, if known: to say that an id is not mapped.
	UIDMappings, GIDMappings []specs.LinuxIDMapping
	SetgroupsDenied          bool // user_namespaces(7): its setgroups file says deny
	KeepGroups               bool // leave the caller's supplementary groups in place

	ListenFDs   int    // so many of the descriptors from 3 on are sockets for the process, sd_listen_fds(3)
	ListenNames string // names for them, separated by colons; or ""
	FirstPid    bool   // the process is pid 1 of a new pid namespace

	Keyring      string // name of the session keyring to join; empty: keep the caller's
	Hostname     string // empty: leave it
	Domainname   string
	Personality  *specs.LinuxPersonality
	MemoryPolicy *specs.LinuxMemoryPolicy
	Seccomp      *Filter // nil: none

	Host *Host // nil: New asks the kernel
}

// Filter is a seccomp filter.
type Filter struct {
	BPF   []byte // array of struct sock_filter
	Flags uint64 // SECCOMP_FILTER_FLAG_*
}

// Process is a checked Input, ready to be recorded.
type Process struct {
	in         Input
	caps       capabilities
	rlimits    []rlimit
	raise      []rlimit // hard limits that only Grant can raise
	scheduling scheduling
	memory     *memoryPolicy
	persona    *uint
	initial    []uint64 // CPU masks of an exec
	final      []uint64
	env        []string
	programs   []string // candidates for args[0]

	late   nsenter.Buffer // receives what env is still to have, see late.go
	passwd nsenter.FD     // see Passwd
	exec   nsenter.Exec
}

// Descriptors are those of the stage's descriptors that Setup works with.
type Descriptors struct {
	// Proc is a procfs of the container's pid namespace that is proven to be
	// one, for the label; used if NeedsProc. The zero value means that Setup
	// opens the container's /proc, and proves it.
	Proc nsenter.FD
	// Console is the slave of the container's pseudo terminal; used if
	// process.terminal is set.
	Console nsenter.FD
}

// New checks in. Warnings say what is left out, and why; an error names the
// config field.
func New(in Input) (*Process, []string, error) {
	x := &Process{in: in}
	if in.Process == nil {
		return x, nil, x.checkContainer()
	}
	host := in.Host
	if host == nil {
		host = HostFacts()
	}
	var warnings []string
	x.caps, warnings = x.capabilitiesFor(host)
	for _, check := range []func(*Host) ([]string, error){
		x.checkRlimits, x.checkScheduling,
	} {
		more, err := check(host)
		if err != nil {
			return nil, nil, err
		}
		warnings = append(warnings, more...)
	}
	for _, check := range []func() error{
		x.checkContainer, x.checkUser, x.checkConsole, x.checkLabels, x.checkAffinity, x.checkEnv, x.checkProgram, x.checkSeccomp,
	} {
		if err := check(); err != nil {
			return nil, nil, err
		}
	}
	return x, warnings, nil
}

// checkContainer checks what belongs to the container rather than to process.
func (x *Process) checkContainer() (err error) {
	if x.persona, err = personality(x.in.Personality); err != nil {
		return err
	}
	x.memory, err = parseMemoryPolicy(x.in.MemoryPolicy)
	return err
}

func (x *Process) checkLabels() error {
	s := x.in.Process
	if err := lsm.CheckAppArmor("process.apparmorProfile", s.ApparmorProfile); err != nil {
		return err
	}
	return lsm.CheckSELinux("process.selinuxLabel", s.SelinuxLabel)
}

// Setup records everything up to the point where the process is ready to be
// started. The stage must be root in the container's namespaces, with its root
// and working directory at the container's root.
func (x *Process) Setup(p *nsenter.Program, d Descriptors) {
	// A terminal can only become the controlling one of a session that has
	// none, and signals of the caller's terminal must not reach the container.
	p.At("")
	p.Setsid()
	s := x.in.Process
	if s != nil && s.Terminal {
		x.attachConsole(p, d.Console)
	}
	if x.NeedsProc() && d.Proc == (nsenter.FD{}) {
		d.Proc = openProc(p)
	}
	x.joinKeyring(p, d.Proc)
	x.nameHost(p)
	x.setMemory(p)
	if s == nil {
		return
	}
	x.setScheduling(p)
	x.setLabel(p, d.Proc)
	x.setPrivileges(p)
	if !s.Terminal {
		x.ownStdio(p)
	}
	enter := x.enterCwd(p)
	if x.IsLate() {
		x.late = p.Space(listenSize + homeSize)
	}
	x.openPasswd(p)
	x.takeIdentity(p)
	enter()
	x.findProgram(p)
}

// Become records what follows the start gate, up to execve. When the filter has
// SECCOMP_FILTER_FLAG_NEW_LISTENER, notify is called to record how the listener
// gets to the parent; the filter is in force by then.
func (x *Process) Become(p *nsenter.Program, notify func(listener nsenter.FD)) {
	x.setRlimits(p)
	closeDescriptors(p)
	x.loadFilter(p, notify)
	p.At(programField)
	p.Execve(x.exec)
}

// closeDescriptors closes all that the program was not given. They are all
// close-on-exec already; but a descriptor of the host that one call forgot to
// mark is a way out of the container (CVE-2024-21626), and one call here costs
// nothing. The status socket has to last until execve succeeds, since its end
// is how the parent learns of it.
func closeDescriptors(p *nsenter.Program) {
	p.At("")
	p.CloseOnExec(p.Status())
	p.CloseRange(p.FirstOwn(), 0)
}

func problem(field string, err error, hint string) error {
	return &diag.Error{Field: field, Err: err, Hint: hint, Code: "config-invalid"}
}
