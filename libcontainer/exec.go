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
	spec    *specs.Process // what shall run
	hook    string         // path of a hook to run instead of what spec names; or ""
	process *process.Process
	visit   *visit
	group   *cgroups.Group
	paused  bool // the cgroup is frozen
	nested  bool // enter the cgroup of the first process, below the container's
	outside bool // enter the cgroup with the help of the user's systemd
	members membership
	program *nsenter.Program
	stage   *nsenter.Stage

	ready     bool // the stage has nothing left to do but to become the program
	departure departure
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
		if x.foreground, err = newForeground(true); err != nil {
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
	return x.foreground.supervise(x.stage, x.terminal), nil
}

// prepare decides everything, and records the Program.
func (x *execution) prepare() (err error) {
	pidfd, err := x.alive()
	if err != nil {
		return x.notExecutable(err)
	}
	unix.Close(pidfd)
	if err := x.findCgroup(); err != nil {
		return err
	}
	if x.paused && !x.options.IgnorePaused {
		return &diag.Error{Path: x.id, Err: ErrExecPaused, Code: "paused"}
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
	if err := x.planProcess(); err != nil {
		return err
	}
	x.program = nsenter.New(x.options.PreserveFDs)
	if x.visit, err = x.container.visit(x.program); err != nil {
		return x.notExecutable(err)
	}
	if x.group == nil {
		x.group = x.cgroup()
	}
	if err := x.joinCgroup(); err != nil {
		return err
	}
	x.compose()
	return nil
}

// notExecutable words the absence of a process to follow.
func (x *execution) notExecutable(err error) error {
	switch {
	case !errors.Is(err, ErrNotRunning):
		return err
	case x.Pid == 0:
		return &diag.Error{Path: x.id, Err: errors.New("cannot exec in a container that is being created"), Code: "not-running"}
	}
	return &diag.Error{Path: x.id, Err: ErrExecStopped, Code: "not-running"}
}

// compose records the Program.
func (x *execution) compose() {
	p := x.program
	p.At("")
	p.Prctl(unix.PR_SET_DUMPABLE, 0) // not for the container to ptrace(2): CVE-2016-9962
	x.process.InitialAffinity(p)
	x.members.inherit(p)
	x.visit.enter(p, &x.members)
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
func (x *execution) begin(name string, stdio [3]int) error {
	err := x.try(name, stdio)
	switch {
	case x.handsDown(err):
		// The container's own cgroup has handed controllers down and takes no more
		// processes: cgroup-v2.rst, "no internal process". Its first process has
		// found a place below.
		x.nested = true
	case x.keepsOut(err):
		x.outside = true
	default:
		return err
	}
	x.undo()
	x.release()
	if err := x.plan(); err != nil {
		return err
	}
	return x.try(name, stdio)
}

func (x *execution) try(name string, stdio [3]int) (err error) {
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
	event, err := x.next()
	switch {
	case err != nil && err != io.EOF:
		return false, x.explain(err)
	case event.Sync == nsenter.SyncForked && x.visit.forks(&x.members):
		return false, adopted(x.stage, event)
	case err == io.EOF && !x.ready:
		return false, stageDied(x.stage)
	case event.Sync == syncReady:
		x.ready = true
		if err := x.admit(event.Files); err != nil {
			return false, err
		}
		// A process in a frozen cgroup goes on when that is thawed, and without us.
		return x.paused && x.options.Detach && !x.process.Notifies(), x.stage.Reply(x.late)
	}
	if x.departure.container == nil {
		if err := x.depart(); err != nil {
			return false, err
		}
	}
	return x.departure.answer(event, err, x.stage.Reply)
}

// admit gives a stage that is ready what it cannot take itself.
func (x *execution) admit(files []int) error {
	if err := x.runtime.adjustOOM(x.stage.Pid, x.spec.OOMScoreAdj); err != nil {
		return err
	}
	if x.IntelRdt != nil {
		if err := x.IntelRdt.Join(x.stage.Pid); err != nil {
			return err
		}
	}
	if err := x.process.Grant(x.stage.Pid); err != nil {
		return err
	}
	if err := x.checkPids(); err != nil {
		return err
	}
	if err := x.welcome(x.process, x.stage.Pid, files, x.spec.Terminal, x.options.ConsoleSocket, x.runtime.timeout()); err != nil {
		return err
	}
	return x.enterLate(x.stage.Pid)
}

func (x *execution) depart() (err error) {
	x.departure = departure{container: x.container, pid: x.stage.Pid, status: Running, notifies: x.process.Notifies()}
	if x.departure.notifies {
		x.departure.profile, err = x.profile()
	}
	return err
}

// announce tells the engine about the process that runs now.
func (x *execution) announce() error {
	if x.options.PidfdSocket != "" {
		if err := sendFile(x.options.PidfdSocket, "setns", x.stage.PidFD, x.runtime.timeout()); err != nil {
			return err
		}
	}
	if x.options.PidFile != "" {
		return writePidFile(x.options.PidFile, x.stage.Pid)
	}
	return nil
}

// undo ends the stage after a failure. The version 1 freezer lets even the
// killed go only when it thaws.
func (x *execution) undo() {
	if x.stage == nil {
		return
	}
	killStage(x.stage)
	if frozen, err := x.group.Frozen(); err == nil && frozen && !x.stage.Ended(glance) {
		x.runtime.Log.Debugf("process %d will end when container %s is resumed", x.stage.Pid, x.id)
		return
	}
	_, _ = x.stage.Kill(reapTimeout) // what made us undo is the error to report
}

// release closes what one try has opened.
func (x *execution) release() {
	if x.visit != nil {
		x.visit.close()
	}
	x.members.close()
	if x.stage != nil {
		x.stage.Close()
	}
	x.visit, x.stage = nil, nil
}

func (x *execution) close() {
	x.terminal.restore()
	x.release()
	if x.group != nil {
		x.group.Close()
	}
}
