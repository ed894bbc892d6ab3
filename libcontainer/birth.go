package libcontainer

import (
	"errors"
	"os"
	goruntime "runtime"
	"slices"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/cgroups"
	"ociruntime/internal/diag"
	"ociruntime/libcontainer/intelrdt"
	"ociruntime/libcontainer/netdev"
	"ociruntime/libcontainer/process"
	"ociruntime/nsenter"
	"ociruntime/rootfs"
)

// gateKind says where the stage waits for start.
type gateKind int

const (
	gateSocket gateKind = iota // on a socket that start connects to: create
	gateStatus                 // on the status socket, for the same command: run
)

// command is the verb that asks for this gate.
func (g gateKind) command() string {
	if g == gateStatus {
		return "run"
	}
	return "create"
}

// birth is one create in progress: what was decided, and what exists so far.
type birth struct {
	*container // nil until the id is reserved
	record     *record
	runtime    *Runtime
	id         string
	options    *CreateOptions
	gate       gateKind
	rootless   bool // missing rights are to be expected
	detached   bool // nobody waits for the process in the foreground

	bundle string
	raw    []byte // config.json
	config *specs.Spec

	group   *cgroups.Group
	created chan error // the cgroup is made, or why not; nil when not in parallel
	entry   *nsenter.Entry
	rootfs  *rootfs.Rootfs
	process *process.Process
	filter  string // for the record
	program *nsenter.Program
	stage   *nsenter.Stage
	resctrl *intelrdt.Plan // nil without linux.intelRdt
	devices *netdev.Moved  // nil if linux.netDevices asks for none

	scope  *scope // with --systemd-cgroup
	timing timing
	notes  nsenter.FD // the stage's name for the file of its times, if there is a timing
	arrival
	tasks     int  // cgroup v1 hierarchies that the stage enters
	readiness bool // the container gets a socket to tell that it is ready
	hooked    bool // hooks have run, so poststop hooks must too

	limitedLate bool // the cgroup's limits are set when the processes are there
	ready       bool // the stage is at the gate
}

// newBirth decides everything that can be decided before anything is made.
func (r *Runtime) newBirth(id string, o *CreateOptions, gate gateKind, detached bool) (*birth, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	b := r.unborn(id, o, gate, detached)
	for _, step := range [...]struct {
		phase string
		do    func() error
	}{
		{"read config.json", b.load},
		{"name the cgroup", b.nameCgroup},
		{"open namespaces", b.planNamespaces},
		{"plan the root file system", b.planRootfs},
		{"plan the process", b.planProcess},
		{"plan intelRdt", b.planIntelRdt},
	} {
		b.timing.Phase(step.phase)
		if err := step.do(); err != nil {
			b.close()
			return nil, at(diag.StageConfig, err)
		}
	}
	b.record = b.journal()
	b.program = nsenter.New(o.PreserveFDs)
	return b, nil
}

// unborn is a birth of which nothing is decided yet.
func (r *Runtime) unborn(id string, o *CreateOptions, gate gateKind, detached bool) *birth {
	return &birth{
		runtime: r, id: id, options: o, gate: gate, rootless: r.rootless(), detached: detached,
		timing: newTiming(gate.command(), o.Timeline),
	}
}

// adjustOOM sets the badness of the stage, which the process inherits. Not to
// be allowed to lower it is no reason to fail: engines ask for it everywhere.
func (r *Runtime) adjustOOM(pid int, score *int) error {
	if score == nil {
		return nil
	}
	err := writeProc(pid, "oom_score_adj", strconv.Itoa(*score))
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		r.Log.Warnf("process.oomScoreAdj: continued without %d: lowering it takes CAP_SYS_RESOURCE", *score)
		return nil
	}
	if err != nil {
		return &diag.Error{Field: "process.oomScoreAdj", Err: err}
	}
	return nil
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
	resources := b.resources()
	if b.scope != nil {
		// systemd moves the stage once there is one
	} else if b.group.Mode() == cgroups.V1 {
		goruntime.GOMAXPROCS(2) // one is what sys starts us with
		b.created = make(chan error, 1)
		go func() { b.created <- b.group.Create(resources) }()
	} else if err := b.group.Create(resources); err != nil {
		return err
	} else {
		if err := b.delegate(); err != nil {
			return err
		}
		join, err := b.group.Born()
		if err != nil {
			return err
		}
		defer join.Close()
		options.Cgroup = join.Dir
	}
	var err error
	b.stage, err = b.program.Start(options)
	b.entry.Close()
	if err != nil {
		return at(diag.StageNamespace, b.explainClone(err, options.Cgroup >= 0))
	}
	return nil
}

// delegate gives the cgroup to the process's user, where the config makes that
// safe, config-linux.md#cgroup-ownership. An ordinary user's is his already.
func (b *birth) delegate() error {
	uid, ok := cgroups.Owner(b.config)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return b.group.Chown(uid)
}

// enclose moves the stage, which has its cgroup namespace by now, into the
// cgroup that an annotation asks for.
func (b *birth) enclose() error {
	path := b.config.Annotations[annotationDelegate]
	if path == "" {
		return nil
	}
	uid, ok := cgroups.Owner(b.config)
	if !ok || os.Geteuid() != 0 {
		uid = -1
	}
	if err := b.group.Delegate(path, b.stage.Pid, uid); err != nil {
		return &diag.Error{Field: "annotations[" + annotationDelegate + "]", Err: err}
	}
	return nil
}

// resources are linux.resources, with the right to make the nodes that
// linux.devices lists: the stage makes them under the container's own device
// rules, and "docker run --device X:rw" leaves that right out.
func (b *birth) resources() *specs.LinuxResources {
	linux := b.linux()
	if linux.Resources == nil || len(linux.Devices) == 0 {
		return linux.Resources
	}
	r := *linux.Resources
	r.Devices = slices.Clone(r.Devices)
	for i := range linux.Devices {
		d := &linux.Devices[i]
		if d.Type != "p" {
			r.Devices = append(r.Devices, specs.LinuxDeviceCgroup{Allow: true, Type: ruleType(d.Type), Major: &d.Major, Minor: &d.Minor, Access: "m"})
		}
	}
	return &r
}

// ruleType is the type of a device in the rules, which have no "u".
func ruleType(device string) string {
	if device == "u" {
		return "c"
	}
	return device
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
	if b.scope != nil {
		if err := b.startScope(); err != nil {
			return err
		}
		if b.tasks == 0 {
			if err := b.stage.Reply([]byte{1}); err != nil {
				return err
			}
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

// close restores the terminal, and releases everything, and the lock.
func (b *birth) close() {
	b.terminal.restore()
	b.timing.close()
	b.release()
	if b.container != nil {
		b.container.close()
	}
}

// release closes what newBirth opened, and the stage. It may be called twice.
func (b *birth) release() {
	if b.entry != nil {
		b.entry.Close()
	}
	if b.rootfs != nil {
		b.rootfs.Close()
	}
	if b.stage != nil {
		b.stage.Close()
	}
	if b.devices != nil {
		b.devices.Close()
	}
	if b.group != nil {
		b.group.Close()
	}
	b.entry, b.rootfs, b.stage, b.devices, b.group = nil, nil, nil, nil, nil
}
