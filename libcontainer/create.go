package libcontainer

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
	"ociruntime/libcontainer/netdev"
	"ociruntime/nsenter"
	"ociruntime/spec"
)

// Points where the stage of a create waits for the parent; nsenter and rootfs
// have their own, and syncReady is shared with exec.
const (
	syncMounted nsenter.Sync = 16 // mounts are made, the root is not yet changed: hooks
	syncNetwork nsenter.Sync = 18 // the network namespace is there for devices to move to
)

// Create makes container id from a bundle, runtime.md#create, and leaves its
// process waiting for Start. After an error nothing is left of it.
func (r *Runtime) Create(id string, o CreateOptions) error {
	c, err := r.create(id, &o, gateSocket, true)
	if err != nil {
		return err
	}
	c.close()
	return nil
}

// Plan writes the listing of what the stage of a create would do, and touches
// nothing.
func (r *Runtime) Plan(w io.Writer, id string, o CreateOptions) error {
	b, err := r.newBirth(id, &o, gateSocket, true)
	if err != nil {
		return err
	}
	defer b.close()
	b.compose(nsenter.Number(0))
	if err := b.program.Err(); err != nil {
		return err
	}
	b.program.List(w)
	return nil
}

// create brings container id to the status created. The container that it
// returns is locked.
func (r *Runtime) create(id string, o *CreateOptions, gate gateKind, detached bool) (*birth, error) {
	if err := keepDescriptors(o.PreserveFDs); err != nil {
		return nil, err
	}
	b, err := r.newBirth(id, o, gate, detached)
	if err != nil {
		return nil, err
	}
	// From here on who asks us to end means: and leave nothing behind.
	interruptible, err := newForeground(false)
	if err == nil {
		b.timing.Phase("reserve the id")
		err = at(diag.StageState, b.reserve())
	}
	if err != nil {
		b.close()
		return nil, err
	}
	b.container.foreground, b.container.timeline = interruptible, b.timing.Timeline
	if err := b.deliver(); err != nil {
		b.undo()
		b.close()
		return nil, err
	}
	return b, nil
}

// reserve takes the id and writes the journal: from here on, whatever happens
// to us, delete knows what there is to clean up.
func (b *birth) reserve() error {
	c, err := b.runtime.reserve(b.id)
	if err != nil {
		return err
	}
	record := b.record
	b.container = c
	c.record = record
	b.group.SetMark(c.mark())
	if record.BootID, err = sys.BootID(); err == nil {
		err = c.save()
	}
	if err == nil {
		err = c.writeFile(configFile, b.raw)
	}
	if err == nil && b.readiness {
		err = c.makeNotify()
	}
	if err != nil {
		_ = c.remove() // the first error is the one to report
	}
	return err
}

// deliver starts the stage and sees it through to the gate.
func (b *birth) deliver() error {
	gate := nsenter.FD{}
	if b.gate == gateSocket {
		fd, err := b.listenGate()
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		gate = b.program.Inherit(fd, "gate")
	}
	b.timing.Phase("record the program")
	var err error
	if b.notes, err = b.timing.begin(b.program); err != nil {
		return err
	}
	b.compose(gate)
	b.timing.Phase("make the cgroup, clone the stage")
	if err := b.start(); err != nil {
		return err
	}
	b.runtime.Log.Debugf("stage is process %d", b.stage.Pid)
	if err := b.attend(); err != nil {
		return err
	}
	return b.publish()
}

// attend answers the stage until it is ready. The order of what is sent must
// be the order in which compose has the stage receive it.
func (b *birth) attend() error {
	for range b.entry.Syncs() {
		if err := b.answer(); err != nil {
			return err
		}
	}
	b.timing.Phase("enter cgroups")
	if err := b.enterCgroups(); err != nil {
		return err
	}
	if p := b.config.Process; p != nil {
		if err := b.runtime.adjustOOM(b.stage.Pid, p.OOMScoreAdj); err != nil {
			return err
		}
	}
	if b.resctrl != nil {
		if err := b.resctrl.Apply(b.stage.Pid); err != nil {
			return err
		}
	}
	if err := b.getReady(); err != nil {
		return err
	}
	for !b.ready {
		if err := b.answer(); err != nil {
			return err
		}
	}
	return nil
}

// getReady does what needs nothing more from the stage, while that mounts.
func (b *birth) getReady() (err error) {
	if err := b.setProcess(b.stage.Pid); err != nil {
		return err
	}
	b.container.Cgroup = b.group.Location()
	if err := b.prepare(recordFile, appendRecord(nil, b.container.record)); err != nil {
		return err
	}
	if !b.detached {
		err = b.foreground.catchAll()
	}
	return err
}

// phase is what a timeline says of the answer to a report.
func phase(s nsenter.Sync) string {
	switch s {
	case nsenter.SyncForked:
		return "adopt the child"
	case nsenter.SyncUser:
		return "map the user namespace"
	case syncNetwork:
		return "move network devices"
	case syncMounted:
		return "run early hooks"
	case syncReady:
		return "answer the stage"
	}
	return "mount for the stage"
}

// answer serves the stage's next report.
func (b *birth) answer() error {
	b.timing.Phase("wait for the stage")
	event, err := b.foreground.next(b.stage, b.runtime.timeout())
	if err != nil {
		return b.explain(err)
	}
	b.timing.Phase(phase(event.Sync))
	b.runtime.Log.Debugf("stage %d has reached point %d", b.stage.Pid, event.Sync)
	switch event.Sync {
	case nsenter.SyncForked:
		return adopted(b.stage, event)
	case nsenter.SyncUser:
		if err := b.mapUser(); err != nil {
			return err
		}
		return b.stage.Reply([]byte{1})
	case syncNetwork:
		if b.devices, err = netdev.Move(b.linux().NetDevices, b.stage.Pid); err != nil {
			return err
		}
		return b.stage.Reply([]byte{1})
	case syncMounted:
		if err := b.runEarlyHooks(); err != nil {
			return err
		}
		return b.stage.Reply([]byte{1})
	case syncReady:
		b.ready = true
		if err := b.timing.collect(b.stage, b.program); err != nil {
			return err
		}
		if err := b.enclose(); err != nil {
			return err
		}
		if err := b.process.Grant(b.stage.Pid); err != nil {
			return err
		}
		return b.welcome(b.process, b.stage.Pid, event.Files, b.hasTerminal(), b.options.ConsoleSocket, b.runtime.timeout())
	}
	handled, err := b.rootfs.Handle(b.stage, event)
	if err == nil && !handled {
		err = errors.New("bug: unknown report of the stage")
	}
	return err
}

// earlyHooks belong between the mounts and pivot_root, config.md#posix-platform-hooks.
var earlyHooks = [...]string{"prestart", "createRuntime", "createContainer"}

// runEarlyHooks runs them. The stage waits meanwhile.
func (b *birth) runEarlyHooks() error {
	h := b.config.Hooks
	b.hooked = true
	for _, kind := range earlyHooks {
		if err := b.kind(h, kind).Run(b.hookState(Creating, kind)); err != nil {
			return err
		}
	}
	return nil
}

// publish makes the container known: console, pidfd, state, and last the pid
// file, which tells engines that the rest is there. Then the stage may wait
// for start without us.
func (b *birth) publish() error {
	if b.options.PidfdSocket != "" {
		if err := sendFile(b.options.PidfdSocket, "standard", b.stage.PidFD, b.runtime.timeout()); err != nil {
			return err
		}
	}
	if b.timing.on() {
		b.container.Startup = &Startup{Timeline: b.timing.path, Create: b.timing.took()}
		if err := b.prepare(recordFile, appendRecord(nil, b.container.record)); err != nil {
			return err
		}
		if b.gate == gateSocket {
			b.timing.write(b.runtime.Log, false)
		}
	}
	if err := b.replace(recordFile); err != nil {
		return err
	}
	if b.options.PidFile != "" {
		if err := writePidFile(b.options.PidFile, b.stage.Pid); err != nil {
			return err
		}
	}
	if b.gate == gateSocket {
		return b.stage.Reply(b.late)
	}
	return nil
}

// undo takes back everything after a failure.
func (b *birth) undo() {
	if b.devices != nil { // before the namespace ends, and some devices with it
		if err := b.devices.Undo(); err != nil {
			b.runtime.Log.Warnf("%v", err)
		}
	}
	if b.stage != nil {
		b.reapAll()
	}
	if b.resctrl != nil {
		b.resctrl.Undo()
	}
	if b.created != nil {
		<-b.created // the cgroup is no longer being made
	}
	c := b.container
	if !b.hooked {
		c.Hooks = nil // poststop hooks answer for those that ran before, runtime.md#lifecycle
	}
	c.Cgroup = b.group.Location() // the journal's may name a cgroup that turned out to be another container's
	b.release()                   // to clean up takes descriptors, of which there may be no more
	if err := c.destroy(); err != nil {
		b.runtime.Log.Warnf("container %s is left behind, delete --force will clean up: %v", b.id, err)
	}
}

// explain adds what can be observed to the failure of the stage.
func (b *birth) explain(err error) error {
	switch {
	case errors.Is(err, errInterrupted):
		return err
	case err == io.EOF:
		return b.died()
	case errors.Is(err, nsenter.ErrTimeout):
		return frozenHint(stuckError(b.reached(), b.stage, b.runtime.timeout()), b.group)
	}
	err = b.rootfs.Explain(b.stage, err)
	if b.config.Process == nil {
		return spec.Misspelt(err, b.raw)
	}
	return explainExec(err, b.config.Process, b.config.Linux, b.stage.Pid, b.Rootfs)
}

// reached says how far the creation has come, for messages.
func (b *birth) reached() string {
	switch {
	case b.ready:
		return "become the program"
	case b.hooked:
		return "finish the root file system"
	case b.container.Pid == 0:
		return "enter namespaces and cgroups"
	}
	return "set up the container"
}

// bundlePath is the absolute path of the bundle.
func bundlePath(bundle string) (string, error) {
	if bundle == "" {
		bundle = "."
	}
	if bundle[0] == '/' {
		return cleanPath(bundle), nil
	}
	cwd, err := os.Getwd()
	if err != nil {
		return "", &diag.Error{Op: "getcwd", Err: err}
	}
	return cleanPath(cwd + "/" + bundle), nil
}

func now() string { return time.Now().UTC().Format(time.RFC3339Nano) }
