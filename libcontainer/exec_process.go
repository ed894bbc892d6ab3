package libcontainer

import (
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer/process"
	"ociruntime/spec"
)

// execProcess is what shall run: the object of --process, or the container's
// own process changed by the flags.
func (x *execution) execProcess() (*specs.Process, error) {
	o := x.options
	if o.ProcessFile != "" {
		return x.readProcess(o.ProcessFile)
	}
	if len(o.Args) == 0 {
		return nil, &diag.Error{Err: errors.New("exec args cannot be empty"), Code: "usage"}
	}
	own, err := x.ownProcess()
	if err != nil {
		return nil, err
	}
	p := *own
	p.Args = o.Args
	p.Env = mergeEnv(p.Env, o.Env)
	p.Terminal = o.Terminal
	p.ConsoleSize = nil
	if o.Cwd != "" {
		if o.Cwd[0] != '/' {
			//lint:ignore ST1005 runc's words
			return nil, &diag.Error{Field: "--cwd", Path: o.Cwd, Err: errors.New("Cwd must be an absolute path"), Code: "usage"}
		}
		p.Cwd = o.Cwd
	}
	if o.Apparmor != "" {
		p.ApparmorProfile = o.Apparmor
	}
	if o.ProcessLabel != "" {
		p.SelinuxLabel = o.ProcessLabel
	}
	if o.NoNewPrivs != nil {
		p.NoNewPrivileges = *o.NoNewPrivs
	}
	p.Capabilities = process.AddCapabilities(p.Capabilities, o.Caps)
	return &p, x.setUser(&p)
}

// ownProcess is the process of the container's config.
func (x *execution) ownProcess() (*specs.Process, error) {
	raw, err := x.readFile(configFile)
	if err != nil {
		return nil, err
	}
	p, err := spec.ProcessOf(raw)
	if p == nil && err == nil {
		p = &specs.Process{Cwd: "/"}
	}
	return p, err
}

// readProcess reads the object of --process. What it does not say of the OOM
// killer is as in the container: a process must not become harder to kill by a
// caller who left the score out.
func (x *execution) readProcess(path string) (*specs.Process, error) {
	raw, err := spec.ReadFile(path, x.runtime.timeout())
	if err != nil {
		return nil, err
	}
	p, err := spec.DecodeProcess(raw)
	if err != nil {
		return nil, &diag.Error{Op: "read", Path: path, Err: err}
	}
	if p.OOMScoreAdj == nil {
		p.OOMScoreAdj = x.OOMScoreAdj
	}
	mappings := specs.Linux{UIDMappings: x.UIDMappings, GIDMappings: x.GIDMappings}
	return p, spec.ValidateProcess("", p, &specs.Spec{Linux: &mappings})
}

// mergeEnv appends the variables of add, each replacing one of the same name.
func mergeEnv(env, add []string) []string {
	env = slices.Clone(env)
	for _, v := range add {
		name, _, _ := strings.Cut(v, "=")
		env = slices.DeleteFunc(env, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		env = append(env, v)
	}
	return env
}

// setUser applies --user and --additional-gids. Names are those of the
// container's own files.
func (x *execution) setUser(p *specs.Process) (err error) {
	if x.options.User != "" {
		p.User, err = process.LookupUser(x.options.User, p.User, x.userFiles())
	}
	if len(x.options.AdditionalGids) > 0 {
		p.User.AdditionalGids = append(slices.Clone(p.User.AdditionalGids), x.options.AdditionalGids...)
	}
	return err
}

// userFiles opens the container's account files, below its root whatever links
// it has put there.
func (x *execution) userFiles() process.UserFiles {
	open := func(name string) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return openInRoot(x.Pid, name) }
	}
	return process.UserFiles{Passwd: open("etc/passwd"), Group: open("etc/group")}
}

// openInRoot opens a regular file below the root of process pid. O_NONBLOCK is
// for what turns out to be a FIFO.
func openInRoot(pid int, name string) (io.ReadCloser, error) {
	root, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/root", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(root)
	fd, err := unix.Openat2(root, name, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return nil, &diag.Error{Path: name, Err: errors.New("is not a regular file")}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// planProcess checks what shall run against what the container is.
func (x *execution) planProcess() error {
	filter, err := x.filter()
	if err != nil {
		return err
	}
	in := process.Input{
		Process:     x.spec,
		Exec:        true,
		ListenFDs:   x.options.ListenFDs,
		ListenNames: x.options.ListenNames,
		Hook:        x.hook,
		Userns:      x.Namespaces&unix.CLONE_NEWUSER != 0,
		KeepGroups:  keepsGroups(x.Annotations),
		UIDMappings: x.UIDMappings,
		GIDMappings: x.GIDMappings,
		Personality: x.Personality,
		Seccomp:     filter,
		Keyring:     x.Keyring,
	}
	in.SetgroupsDenied = in.Userns && os.Geteuid() != 0 && !needsHelper(in.GIDMappings, os.Getegid())
	var warnings []string
	x.process, warnings, err = process.New(in)
	for _, w := range warnings {
		x.warn("%s", w)
	}
	return err
}

// warn logs what the process does without. What it has from the container's
// config was warned of by create, and need not be with every exec.
func (x *execution) warn(format string, args ...any) {
	if x.options.ProcessFile == "" && len(x.options.Caps) == 0 {
		x.runtime.Log.Debugf(format, args...)
		return
	}
	x.runtime.Log.Warnf(format, args...)
}
