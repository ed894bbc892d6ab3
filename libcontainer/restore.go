package libcontainer

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer/criu"
	"ociruntime/nsenter"
)

// RestoreOptions are those of `restore`.
type RestoreOptions struct {
	RunOptions
	criu.Options
	ImagePath string // directory that holds the images
	WorkPath  string // directory for the log; "" is ImagePath
}

// restoration is one restore in progress: a birth whose process CRIU makes.
type restoration struct {
	*birth
	options *RestoreOptions
	criu.Restore
	images
	server *criu.Server
	needs  []need
	stdio  [3]int // duplicates of ours, to be inherited
	joined []int  // namespaces to be inherited, open
}

// Restore makes container id from a bundle and the images of a checkpoint,
// which may be another container's, and its processes go on. In the foreground
// it then waits as Run does.
//
//	us (the birth)                      criu, in the new cgroup
//	journal, cgroup; the stage joins, makes the root a mount, becomes criu
//	request  ────────────────────────>  forks the root process, our child, too
//	prestart, createRuntime hooks  <──  setup-namespaces {pid}
//	                                    mounts, files, memory
//	terminal to the engine  <─────────  orphan-pts-master {master}
//	limits, state  <──────────────────  post-restore {pid}
//	state.json, pid file                lets them go, ends
//	poststart hooks
//
// The hooks createContainer and startContainer do not run: what they have
// changed inside the container is in the images.
func (r *Runtime) Restore(id string, o RestoreOptions) (code int, err error) {
	if err := o.Options.Check(); err != nil {
		return 0, err
	}
	if err := criuRights(); err != nil {
		return 0, err
	}
	if err := hideDescriptors(); err != nil {
		return 0, err
	}
	if err := o.becomeSubreaper(); err != nil {
		return 0, err
	}
	x := &restoration{options: &o, stdio: [3]int{-1, -1, -1}, images: images{fd: -1, work: -1}}
	defer x.close()
	if err := x.plan(r, id); err != nil {
		return 0, err
	}
	interruptible, err := newForeground(!o.Detach)
	if err == nil {
		err = x.reserve()
	}
	if err != nil {
		return 0, err
	}
	x.container.foreground = interruptible
	if err := x.deliver(); err != nil {
		x.abort()
		return 0, err
	}
	if err := x.runHooks("poststart", Running); err != nil {
		x.undo()
		return 0, err
	}
	if o.Detach {
		return 0, nil
	}
	return x.wait(o.Keep)
}

// plan decides everything before anything exists.
func (x *restoration) plan(r *Runtime, id string) (err error) {
	o := x.options
	if x.server, err = criu.New(); err != nil {
		return err
	}
	if x.birth, err = r.newBirth(id, &o.CreateOptions, gateStatus, o.Detach); err != nil {
		return err
	}
	x.limitedLate = true
	if x.images, err = openImages(o.ImagePath, o.WorkPath, false); err != nil {
		return err
	}
	names, err := readDescriptors(x.images.fd, o.ImagePath)
	if err != nil {
		return err
	}
	x.Restore = criu.Restore{Options: o.Options}
	x.ConfigFile = criuConfig(x.config.Annotations, &x.needs)
	if o.LSMMountContext != "" {
		x.needs = append(x.needs, need{31600, "--lsm-mount-context"})
	}
	if err := x.planStdio(names); err != nil {
		return err
	}
	if err := x.planNamespaces(); err != nil {
		return err
	}
	return x.planMounts()
}

// planStdio has our stdio take the place of what was outside at the dump. The
// duplicates leave criu's own 0 to 2 alone.
func (x *restoration) planStdio(names []string) error {
	for i, name := range names {
		if !strings.HasPrefix(name, "pipe:[") && !strings.HasPrefix(name, "file[") {
			continue
		}
		fd, err := unix.FcntlInt(uintptr(i), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return &diag.Error{Op: "duplicate descriptor", Path: strconv.Itoa(i), Err: err}
		}
		x.stdio[i] = fd
		x.inherit(name, fd)
	}
	return nil
}

// inherit has criu use fd for what it knows by this name; once, as it takes it
// for both of two that were the same.
func (x *restoration) inherit(key string, fd int) {
	for _, other := range x.Inherit {
		if other.Key == key {
			return
		}
	}
	x.server.Keep(fd)
	x.Inherit = append(x.Inherit, criu.Inherited{Key: key, FD: fd})
}

// planNamespaces opens those that exist already.
func (x *restoration) planNamespaces() error {
	for i, n := range x.linux().Namespaces {
		if n.Path == "" {
			continue
		}
		if err := checkJoinable(i, n); err != nil {
			return err
		}
		name, since := outsideName(n.Type)
		if name == "" {
			x.Joined = append(x.Joined, criu.Namespace{Type: string(namespaceType(n.Type)), Path: n.Path})
			continue
		}
		fd, err := nsenter.OpenNamespace(namespaceType(n.Type), n.Path)
		if err != nil {
			return &diag.Error{Field: indexed("linux.namespaces", i) + ".path", Err: err}
		}
		x.joined = append(x.joined, fd)
		x.inherit(name, fd)
		x.needs = append(x.needs, need{since, "a " + string(n.Type) + " namespace by path"})
	}
	return nil
}

// planMounts says what is bound where. A mountpoint that is yet to be made has
// no links on its way.
func (x *restoration) planMounts() error {
	path := x.rootfs.Path()
	root, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &diag.Error{Field: "root.path", Op: "open", Path: path, Err: err}
	}
	defer unix.Close(root)
	add := func(destination, source string) {
		inside, ok := resolveInside(root, destination, path)
		if !ok {
			inside = filepath.Clean("/" + destination)
		}
		x.Mounts = append(x.Mounts, criu.Mount{Destination: inside, Source: source})
	}
	for i := range x.config.Mounts {
		switch m := &x.config.Mounts[i]; {
		case isBind(m):
			source := m.Source
			if !filepath.IsAbs(source) {
				source = filepath.Join(x.bundle, source)
			}
			// CRIU 3.17 clones the mount of a link, not of what it leads to.
			if target, err := filepath.EvalSymlinks(source); err == nil {
				source = target
			}
			add(m.Destination, source)
		case m.Type == "cgroup" || m.Type == "cgroup2":
			for _, view := range cgroupMounts(m.Destination, x.group.Location()) {
				add(view.Destination, view.Source)
			}
		}
	}
	for _, device := range x.linux().Devices {
		add(device.Path, device.Path)
	}
	return nil
}

// planCgroups names the cgroup that takes the place of that of the dump.
func (x *restoration) planCgroups() {
	for _, place := range x.group.Location().Places {
		if place.Controllers == "" {
			x.Cgroups = append(x.Cgroups, criu.CgroupRoot{Path: place.Path})
			continue
		}
		for controller := range strings.SplitSeq(place.Controllers, ",") {
			x.Cgroups = append(x.Cgroups, criu.CgroupRoot{Controller: controller, Path: place.Path})
		}
	}
}

// deliver has criu make the processes, and makes them known.
func (x *restoration) deliver() error {
	if err := x.start(); err != nil {
		return err
	}
	x.planCgroups()
	x.Dirs = x.images.dirs()
	request, err := x.Request(x.server)
	if err != nil {
		return err
	}
	answer, err := x.server.Do(request, x.answer, x.log(criu.RestoreLog))
	if err != nil {
		return err
	}
	if err := x.server.Restored(int(answer.GetRestore().GetPid())); err != nil {
		return err
	}
	x.stage = x.server.Stage
	return x.publish()
}

// start makes the cgroup, and starts criu in it: so that whoever deletes the
// container while it is being restored also ends criu, and all it has made.
func (x *restoration) start() error {
	options := nsenter.Options{Args: []string{"runtime:criu", x.id}, CloneFlags: unix.CLONE_NEWNS, Cgroup: -1}
	if x.scope == nil {
		if err := x.group.Make(x.linux().Resources); err != nil {
			return err
		}
		if err := x.delegate(); err != nil {
			return err
		}
		join, err := x.group.Join()
		if err != nil {
			return err
		}
		defer join.Close()
		options.Cgroup = join.Dir
	}
	state, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(x.dir))
	if err != nil {
		return &diag.Error{Op: "readlink", Path: x.path(""), Err: err}
	}
	p := x.program
	x.composeCgroups(p)
	x.Restore.Root = x.rootfs.Restorable(p, state)
	x.images.reopen(p)
	attend := func(s *nsenter.Stage) error {
		x.stage = s
		defer func() { x.stage = nil }() // the server's, for the time being
		if err := x.enterCgroups(); err != nil {
			return err
		}
		// From here on it takes a delete to end what is in the cgroup.
		x.container.Cgroup = x.group.Location()
		if err := x.save(); err != nil {
			return err
		}
		return x.images.take(s, x.birth.runtime.timeout())
	}
	if err := x.server.Start(p, options, attend, x.birth.runtime.timeout()); err != nil {
		return err
	}
	for _, n := range x.needs {
		if err := x.server.Need(n.version, n.what); err != nil {
			return err
		}
	}
	return x.server.NeedFeatures(&x.Restore.Options, x.birth.runtime.timeout())
}

// answer serves a notification.
func (x *restoration) answer(script string, pid int, files []int) error {
	if err := x.foreground.interrupted(); err != nil {
		for _, fd := range files {
			unix.Close(fd)
		}
		return err
	}
	switch script {
	case "setup-namespaces":
		return x.runOutsideHooks(pid)
	case "orphan-pts-master":
		if len(files) == 1 {
			return x.takeMaster(files[0], x.options.ConsoleSocket, x.runtime.timeout())
		}
	case "post-restore":
		return x.settle(pid)
	}
	return nil
}

// runOutsideHooks runs the hooks that belong between namespaces and mounts, and
// run outside of the container.
func (x *restoration) runOutsideHooks(pid int) error {
	if err := x.setProcess(pid); err != nil {
		return err
	}
	x.hooked = true
	for _, kind := range []string{"prestart", "createRuntime"} {
		if err := x.kind(x.config.Hooks, kind).Run(x.hookState(Creating, kind)); err != nil {
			return err
		}
	}
	return nil
}

// settle is the last that is done before the processes go on: they are all
// there, so their number and their memory can be limited.
func (x *restoration) settle(pid int) error {
	if err := x.setProcess(pid); err != nil {
		return err
	}
	if err := x.limit(); err != nil {
		return err
	}
	if x.resctrl != nil {
		if err := x.resctrl.Apply(pid); err != nil {
			return err
		}
	}
	x.container.Cgroup = x.group.Location()
	return x.prepare(recordFile, appendRecord(nil, x.container.record))
}

// limit sets the limits of the cgroup, and of its unit if systemd owns it.
func (x *restoration) limit() error {
	if x.scope != nil {
		if err := x.scope.Set(x.scope.limits, x.birth.runtime.timeout()); err != nil {
			return err
		}
	}
	if err := x.group.Limit(x.linux().Resources); err != nil {
		return err
	}
	return x.group.Settle()
}

// abort takes back everything after a failure. criu has ended, and so have the
// processes that it made; the first of them was our child.
func (x *restoration) abort() {
	x.server.Close()
	x.server = nil
	x.stage = nil
	x.undo()
	reap(0)
}

func (x *restoration) close() {
	if x.server != nil {
		x.server.Close()
	}
	x.images.close()
	for _, fd := range append(x.joined, x.stdio[:]...) {
		closeFD(fd)
	}
	if x.birth != nil {
		x.stage = nil // the server's
		x.birth.close()
	}
}
