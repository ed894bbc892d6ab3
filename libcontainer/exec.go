package libcontainer

import (
	"errors"
	"io"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/cgroups"
	"ociruntime/internal/diag"
	"ociruntime/libcontainer/process"
	"ociruntime/nsenter"
)

// execution is one exec in progress.
type execution struct {
	*container
	arrival
	options *ExecOptions
	config  *specs.Spec    // as it was at create
	spec    *specs.Process // what shall run
	hook    string         // path of a hook to run instead of what spec names; or ""
	process *process.Process
	visit   *visit
	group   *cgroups.Group
	join    *cgroups.Join
	program *nsenter.Program
	stage   *nsenter.Stage

	ready      bool // the stage has nothing left to do but to become the program
	departure  departure
	foreground *foreground // nil if detached
}

// Exec runs another process in container id. In the foreground it returns the
// exit code of the process: 128 and the signal if one killed it.
//
// The stage joins the namespaces, and its only child, born in them and in the
// container's cgroup, becomes the program.
func (r *Runtime) Exec(id string, o ExecOptions) (code int, err error) {
	if err := keepDescriptors(o.PreserveFDs); err != nil {
		return 0, err
	}
	c, err := r.load(id)
	if err != nil {
		return 0, err
	}
	defer c.close()
	x := &execution{container: c, options: &o}
	defer x.close()
	if err := x.prepare(); err != nil {
		return 0, err
	}
	if !o.Detach {
		if x.foreground, err = newForeground(); err != nil {
			return 0, err
		}
	}
	if err = x.begin("runtime:exec", [3]int{0, 1, 2}); err == nil {
		err = x.announce()
	}
	if err != nil {
		x.undo()
		return 0, err
	}
	if o.Detach {
		return 0, nil
	}
	defer x.terminal.restore()
	return x.foreground.supervise(x.stage, x.terminal), nil
}

// prepare decides everything, and records the Program.
func (x *execution) prepare() error {
	if err := x.executable(); err != nil {
		return err
	}
	var err error
	if x.config, err = x.container.config(); err != nil {
		return err
	}
	if x.spec, err = x.execProcess(); err != nil {
		return err
	}
	if err := checkConsole(x.spec.Terminal, x.options.Detach, x.options.ConsoleSocket); err != nil {
		return err
	}
	return x.plan()
}

// plan finds the way into the container, and records the Program.
func (x *execution) plan() (err error) {
	x.program = nsenter.New(x.options.PreserveFDs)
	if x.visit, err = x.container.visit(x.program); err != nil {
		return x.notExecutable(err)
	}
	if err := x.openCgroup(); err != nil {
		return err
	}
	if err := x.planProcess(); err != nil {
		return err
	}
	x.compose()
	return nil
}

// executable refuses a container that cannot take another process.
func (x *execution) executable() error {
	status, err := x.status()
	if err != nil {
		return err
	}
	switch {
	case status == Stopped:
		return &diag.Error{Path: x.id, Err: ErrExecStopped, Code: "not-running"}
	case status == Creating:
		return &diag.Error{Path: x.id, Err: errors.New("cannot exec in a container that is being created"), Code: "not-running"}
	case status == Paused && !x.options.IgnorePaused:
		return &diag.Error{Path: x.id, Err: ErrExecPaused, Code: "paused"}
	}
	return nil
}

func (x *execution) notExecutable(err error) error {
	if errors.Is(err, ErrNotRunning) {
		return &diag.Error{Path: x.id, Err: ErrExecStopped, Code: "not-running"}
	}
	return err
}

// openCgroup opens the container's cgroup, or the one below it that --cgroup
// names, for the process to be born in or to enter.
func (x *execution) openCgroup() (err error) {
	x.group = cgroups.Load(x.Cgroup)
	x.join, err = x.group.Join()
	return err
}

// compose records the Program.
func (x *execution) compose() {
	p := x.program
	p.At("")
	p.Prctl(unix.PR_SET_DUMPABLE, 0) // not for the container to ptrace(2): CVE-2016-9962
	x.process.InitialAffinity(p)
	tasks := make([]nsenter.FD, 0, len(x.join.Tasks))
	for _, t := range x.join.Tasks {
		tasks = append(tasks, p.Inherit(t.FD, "tasks"))
	}
	cgroup, flags := nsenter.AtCWD, uint64(0)
	if x.join.Dir >= 0 {
		cgroup, flags = p.Inherit(x.join.Dir, "cgroup"), unix.CLONE_INTO_CGROUP
	}
	x.visit.enter(p, cgroup, flags)
	p.At("cgroup")
	for _, t := range tasks {
		p.Write(t, "0")
	}
	x.process.FinalAffinity(p)
	var inside process.Descriptors
	var master nsenter.FD
	if x.spec.Terminal {
		p.At("process.terminal")
		devpts := p.Openat2(nsenter.AtCWD, "/dev/pts", unix.OpenHow{
			Flags:   unix.O_PATH | unix.O_DIRECTORY,
			Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
		})
		master, inside.Console = process.OpenConsole(p, devpts)
	}
	x.process.Setup(p, inside)
	x.composeReady(p, x.process, master, x.spec.Terminal)
	x.process.Become(p, composeListener(p))
}

// begin starts the stage and sees it through to execve.
func (x *execution) begin(name string, stdio [3]int) (err error) {
	x.stage, err = x.program.Start(nsenter.Options{Args: []string{name, x.id}, Cgroup: -1, Stdio: stdio})
	if err != nil {
		return err
	}
	for done := false; !done; {
		if done, err = x.answer(); err != nil {
			return err
		}
	}
	return nil
}

// answer serves the stage's next report. done means that it has become the
// program.
func (x *execution) answer() (done bool, _ error) {
	event, err := x.stage.Next(x.runtime.timeout())
	switch {
	case err != nil && err != io.EOF:
		return false, explainExec(err, x.spec, x.config.Linux, x.stage.Pid)
	case event.Sync == nsenter.SyncForked && x.visit.forks(uint64(x.join.Dir+1)):
		return false, adopted(x.stage, event)
	case err == io.EOF && !x.ready:
		return false, stageDied(x.stage)
	case event.Sync == syncReady:
		x.ready = true
		if err := x.process.Grant(x.stage.Pid); err != nil {
			return false, err
		}
		if err := x.welcome(x.process, event.Files, x.spec.Terminal, x.options.ConsoleSocket); err != nil {
			return false, err
		}
		return false, x.stage.Reply(x.late)
	}
	if x.departure.container == nil {
		x.departure = departure{container: x.container, pid: x.stage.Pid, status: Running, notifies: x.process.Notifies()}
		if x.config.Linux != nil {
			x.departure.profile = x.config.Linux.Seccomp
		}
	}
	return x.departure.answer(event, err, x.stage.Reply)
}

// announce tells the engine about the process that runs now.
func (x *execution) announce() error {
	if x.options.PidfdSocket != "" {
		if err := sendFile(x.options.PidfdSocket, "setns", x.stage.PidFD); err != nil {
			return err
		}
	}
	if x.options.PidFile != "" {
		return writePidFile(x.options.PidFile, x.stage.Pid)
	}
	return nil
}

// undo ends the stage after a failure.
func (x *execution) undo() {
	if x.stage != nil {
		reapFailed(x.stage)
	}
}

func (x *execution) close() {
	if x.visit != nil {
		x.visit.close()
	}
	if x.join != nil {
		x.join.Close()
	}
	if x.group != nil {
		x.group.Close()
	}
	if x.stage != nil {
		x.stage.Close()
	}
}
