package libcontainer

import (
	"errors"
	"io"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/sys"
	"ociruntime/libcontainer/hooks"
	"ociruntime/nsenter"
	"ociruntime/spec"
)

// hookKinds lists which kinds of hooks a config has.
func hookKinds(h *specs.Hooks) []string {
	var kinds []string
	for _, kind := range []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"} {
		if len(hooksOf(h, kind)) > 0 {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

func hooksOf(h *specs.Hooks, kind string) []specs.Hook {
	if h == nil {
		return nil
	}
	switch kind {
	case "prestart":
		return h.Prestart // deprecated, and Docker's network depends on it
	case "createRuntime":
		return h.CreateRuntime
	case "createContainer":
		return h.CreateContainer
	case "startContainer":
		return h.StartContainer
	case "poststart":
		return h.Poststart
	}
	return h.Poststop
}

// inContainer reports whether hooks of kind run in the container's namespaces.
func inContainer(kind string) bool { return kind == "createContainer" || kind == "startContainer" }

// runHooks runs the hooks of kind from the config as it was at create.
func (c *container) runHooks(kind string, status Status) error {
	if !c.hasHooks(kind) {
		return nil
	}
	if err := hideDescriptors(); err != nil {
		return err
	}
	config, err := c.config()
	if err != nil {
		return err
	}
	return c.kind(config.Hooks, kind).Run(c.hookState(status, kind))
}

func (c *container) kind(h *specs.Hooks, kind string) hooks.Kind {
	k := hooks.Kind{Name: kind, Hooks: hooksOf(h, kind), Start: hooks.Runtime, Timeout: c.runtime.timeout(),
		Append: [2]string{c.Annotations[annotationHooksStdout], c.Annotations[annotationHooksStderr]}}
	if k.Timeline = c.timeline; len(k.Hooks) > 0 {
		k.TraceParent = traceparent()
	}
	if c.foreground != nil {
		k.Interrupt, k.Interrupted = c.foreground.signals, c.foreground.interrupted
	}
	switch kind {
	case "createContainer":
		k.Start = c.startInside
	case "startContainer":
		k.Start = c.startAsProcess
		// The image says what runs, and where annotations come from the image as
		// well it would write what it likes into any file of the host.
		k.Append = [2]string{}
	}
	return k
}

// hookState is the state as hooks get it on stdin, with the pid as seen from
// where the hook runs.
func (c *container) hookState(status Status, kind string) []byte {
	pid := c.Pid
	if inContainer(kind) && c.PidNS {
		pid = 1
	}
	return appendState(nil, c.stateAs(status, pid))
}

// config decodes the config as it was at create.
func (c *container) config() (*specs.Spec, error) {
	raw, err := c.readFile(configFile)
	if err != nil {
		return nil, err
	}
	return decodeConfig(raw)
}

func decodeConfig(raw []byte) (*specs.Spec, error) { return spec.Decode(raw) }

// startAsProcess starts a hook whose path is the image's to fill
// (config.md#startcontainer): so whatever is there runs with no more rights than
// the container process itself, as if by exec. Its argv, environment and stdio
// are the hook's.
func (c *container) startAsProcess(h *specs.Hook, stdio [3]int) (int, error) {
	config, err := c.config()
	if err != nil {
		return 0, err
	}
	p := specs.Process{Cwd: "/"}
	if config.Process != nil {
		p = *config.Process
	}
	p.Args, p.Env, p.Terminal = hooks.Args(h), h.Env, false
	x := &execution{container: c, options: &ExecOptions{}, spec: &p, hook: h.Path}
	defer x.close()
	if err := x.plan(); err != nil {
		return 0, err
	}
	if err := x.begin("runtime:hook", stdio); err != nil {
		x.undo()
		return 0, err
	}
	return x.stage.Pid, nil
}

// startInside starts a hook of the runtime in the namespaces of the container's
// process, with all rights: a stage that joins them and becomes the hook. The
// root is still the runtime's, so the image has no say in what runs.
func (c *container) startInside(h *specs.Hook, stdio [3]int) (int, error) {
	p := nsenter.New(0)
	v, err := c.visit(p)
	if err != nil {
		return 0, err
	}
	defer v.close()
	p.Prctl(unix.PR_SET_DUMPABLE, 0)
	v.enter(p, nil)
	p.Prctl(unix.PR_SET_PDEATHSIG, uint64(unix.SIGKILL)) // as hooks.Runtime does
	program := p.FindProgram([]string{h.Path}, "", hooks.Args(h), h.Env)
	p.CloseOnExec(p.Status())
	p.CloseRange(p.FirstOwn(), 0)
	p.Execve(program)
	stage, err := p.Start(nsenter.Options{Args: []string{"runtime:hook", c.id}, Cgroup: -1, Stdio: stdio})
	if err != nil {
		return 0, err
	}
	defer stage.Close()
	if v.forks(nil) {
		err = adopt(stage, c.runtime.timeout())
	}
	if err == nil {
		_, err = stage.Next(c.runtime.timeout())
	}
	if errors.Is(err, nsenter.ErrTimeout) {
		err = stuckError("become the hook", stage, c.runtime.timeout())
	}
	if err != io.EOF {
		_, _ = stage.Kill(reapTimeout) // the first error is the one to report
		return 0, err
	}
	return stage.Pid, nil
}

// reapTimeout is for the end of what has been killed, or has nothing left to do.
const reapTimeout = 10 * time.Second

func killStage(s *nsenter.Stage) {
	_ = unix.PidfdSendSignal(s.PidFD, unix.SIGKILL, nil, 0) // it may have ended already
}

// thaw lets a stage die that somebody has frozen: the version 1 freezer keeps
// even the killed.
func (b *birth) thaw() {
	if b.created != nil || b.group == nil {
		return // the cgroup is still being made
	}
	if frozen, err := b.group.Frozen(); err == nil && frozen {
		_ = b.group.Thaw(time.Second) // if it stays frozen, reapAll says so
	}
}

// reapAll ends the stage and waits for it and for whatever else has become our
// child: a PID namespace does not end before all that died in it has been
// waited for, and the child of a hook's stage that was killed may be in it.
func (b *birth) reapAll() {
	killStage(b.stage)
	if !b.stage.Ended(glance) {
		b.thaw()
	}
	deadline := time.Now().Add(reapTimeout)
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		switch {
		case pid == b.stage.Pid || err == unix.ECHILD:
			return
		case pid > 0 || err == unix.EINTR:
		case b.stage.Ended(time.Millisecond): // and will be waited for in the next round
		case time.Now().After(deadline):
			b.runtime.Log.Warnf("continued before the end of the stage: %s", sys.Doing(b.stage.Pid))
			return
		}
	}
}
