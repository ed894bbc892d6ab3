package libcontainer

import (
	"errors"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/json"
	"ociruntime/libcontainer/process"
	"ociruntime/spec"
)

// What follows looks, for Check, at what create finds out by doing it.

// missingHooks are those whose program create, start or delete will not find.
// Those of startContainer are the container's.
func (b *birth) missingHooks() (list []error) {
	for _, kind := range hookKinds(b.config.Hooks) {
		if kind == "startContainer" {
			continue
		}
		for i, h := range hooksOf(b.config.Hooks, kind) {
			if err := unix.Access(h.Path, unix.X_OK); err != nil {
				list = append(list, &diag.Error{Field: indexed("hooks."+kind, i) + ".path", Op: "run", Path: h.Path, Err: err, Code: "hook"})
			}
		}
	}
	return list
}

// missingDevices are network devices that are not there to be moved.
func (b *birth) missingDevices() (list []error) {
	for _, name := range json.Keys(b.linux().NetDevices) {
		if unix.Access("/sys/class/net/"+name, unix.F_OK) == unix.ENOENT {
			list = append(list, &diag.Error{Field: "linux.netDevices[" + strconv.Quote(name) + "]", Op: "find network device", Path: name, Err: unix.ENODEV})
		}
	}
	return list
}

// missingProgram is a warning about process.args[0] that the image lacks. Links
// of the image may lead into mounts, which nobody has made yet.
func (b *birth) missingProgram() error {
	p := b.config.Process
	if p == nil || len(p.Args) == 0 || b.rootfs == nil {
		return nil
	}
	root, err := unix.Open(b.rootfs.Path(), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil // which has been said
	}
	defer unix.Close(root)
	places := process.Candidates(p.Args[0], p.Env)
	for _, place := range places {
		if !path.IsAbs(place) {
			place = path.Join(p.Cwd, place)
		}
		if b.covered(place) || present(root, place) {
			return nil
		}
	}
	e := &diag.Error{Field: "process.args[0]", Path: p.Args[0], Err: errors.New("is not in the image"), Code: spec.CodeWarning}
	if len(places) > 0 {
		e.Hint = "looked for: " + strings.Join(places, ", ")
	}
	return e
}

// covered reports whether a mount lies over a path of the image.
func (b *birth) covered(name string) bool {
	for _, m := range b.config.Mounts {
		if destination := path.Clean("/" + m.Destination); destination == "/" || name == destination || strings.HasPrefix(name, destination+"/") {
			return true
		}
	}
	return false
}

// present reports whether a path of the image may be there: only a clear "no"
// counts as no.
func present(root int, name string) bool {
	fd, err := unix.Openat2(root, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return err != unix.ENOENT && err != unix.ENOTDIR
	}
	unix.Close(fd)
	return true
}
