package libcontainer

//go:generate go run ociruntime/spec/internal/gen -out record_json.go -decode ociruntime/libcontainer.record -encode ociruntime/libcontainer.record -encode ociruntime/libcontainer.State

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/cgroups"
	"ociruntime/internal/diag"
	"ociruntime/internal/json"
	"ociruntime/internal/sys"
	"ociruntime/libcontainer/intelrdt"
)

// recordVersion changes when an older binary could not act on the record.
const recordVersion = 1

// record is state.json: all that later commands need. It is first written,
// with Pid 0, before anything else exists on the host (that makes it the
// journal from which delete cleans up after a create that was killed), and
// again when the container is created.
type record struct {
	Version     int               `json:"version"`
	ID          string            `json:"id"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     string            `json:"created"` // RFC 3339 with nanoseconds, UTC
	Annotations map[string]string `json:"annotations,omitempty"`

	Pid    int    `json:"pid"`    // in the runtime namespace; 0 until created
	Start  uint64 `json:"start"`  // field 22 of /proc/PID/stat, with BootID what makes Pid unique
	BootID string `json:"bootId"` // of the boot in which the record was begun
	Inode  uint64 `json:"inode"`  // of its pidfd, unique within a boot; 0 before Linux 6.9, which has none

	Cgroup   cgroups.Location `json:"cgroup"`
	IntelRdt *intelrdt.Group  `json:"intelRdt,omitempty"` // nil: none

	Hooks []string `json:"hooks,omitempty"` // kinds that config.json has, so that others need not read it
	PidNS bool     `json:"pidNamespace"`    // the process is pid 1 of a pid namespace of its own

	Keyring string `json:"keyring,omitempty"` // session keyring of the process; empty: the caller's

	Notifies  bool `json:"notifies,omitempty"`  // the seccomp filter has a listener, which start has to pass on
	Readiness bool `json:"readiness,omitempty"` // the container has a socket to tell that it is ready

	ExitCause *ExitCause `json:"exitCause,omitempty"` // for the state that poststop hooks get: the cgroup is gone by then

	Startup *Startup `json:"startup,omitempty"` // nil: start is not to be timed

	Namespaces uint64 `json:"namespaces"` // CLONE_NEW* of those that differ, or may, from the runtime's

	// What an exec has to know of config.json, which it so need not read.
	Filter      string                  `json:"filter,omitempty"` // key of the seccomp filter in the cache, or noKey; empty: there is none
	UIDMappings []specs.LinuxIDMapping  `json:"uidMappings,omitempty"`
	GIDMappings []specs.LinuxIDMapping  `json:"gidMappings,omitempty"`
	Personality *specs.LinuxPersonality `json:"personality,omitempty"`
	OOMScoreAdj *int                    `json:"oomScoreAdj,omitempty"`
}

// noKey stands for a filter that the cache could not take.
const noKey = "uncached"

// hasHooks reports whether config.json has hooks of kind.
func (r *record) hasHooks(kind string) bool {
	for _, k := range r.Hooks {
		if k == kind {
			return true
		}
	}
	return false
}

// save writes the record.
func (c *container) save() error {
	return c.writeFile(recordFile, appendRecord(nil, c.record))
}

// errDamaged wraps what is wrong with a record that cannot be used.
var errDamaged = errors.New("state is damaged")

// read reads the record back. A directory without one is a create that is
// under way, or was killed before it did anything.
func (c *container) read() error {
	data, err := c.readFile(recordFile)
	if errors.Is(err, unix.ENOENT) {
		c.record = &record{Version: recordVersion}
		return nil
	}
	if err != nil {
		return err
	}
	r := &record{}
	d := json.NewDecoder(string(data))
	decodeRecord(d, r)
	if problems := d.Close(); len(problems) > 0 {
		return &diag.Error{Err: fmt.Errorf("%w: %s (%d bytes): %w", errDamaged, c.path(recordFile), len(data), problems[0]),
			Hint: "delete --force will still clean up", Code: "state-damaged"}
	}
	if r.Version > recordVersion {
		return &diag.Error{Err: fmt.Errorf("%w: version %d is from a newer runtime", errDamaged, r.Version), Code: "state-damaged"}
	}
	c.record = r
	return nil
}

// setProcess makes pid, a process of ours not yet waited for, the container's.
func (r *record) setProcess(pid int) error {
	stat, err := sys.Stat(pid)
	if err != nil {
		return &diag.Error{Op: "stat process", Path: strconv.Itoa(pid), Err: err}
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return &diag.Error{Op: "pidfd_open", Path: strconv.Itoa(pid), Err: err}
	}
	defer unix.Close(pidfd)
	r.Pid, r.Start, r.Inode = pid, stat.Start, sys.PidfdInode(pidfd)
	return nil
}

// alive returns a pidfd of the container's process, or ErrNotRunning when it
// has ended. A pid that another process has taken since, or that is from
// before a reboot, is not the container's.
func (r *record) alive() (pidfd int, err error) {
	if r.Pid <= 0 {
		return -1, ErrNotRunning
	}
	pidfd, err = unix.PidfdOpen(r.Pid, 0)
	switch err {
	case nil:
	case unix.ESRCH, unix.EINVAL, unix.ENOENT: // the last two: a thread has that number now
		return -1, ErrNotRunning
	default:
		return -1, &diag.Error{Op: "pidfd_open", Path: strconv.Itoa(r.Pid), Err: err}
	}
	// The pidfd is open, so if the process is the right one now, it stays so.
	if !r.isOurs(pidfd) {
		unix.Close(pidfd)
		return -1, ErrNotRunning
	}
	return pidfd, nil
}

// isOurs tells processes with the same pid apart, within one boot. Where pidfds
// have inodes of their own, that is all it takes; the start time, which counts
// in hundredths of a second, differs between time namespaces.
func (r *record) isOurs(pidfd int) bool {
	boot, err := sys.BootID()
	if err != nil || boot != r.BootID {
		return false
	}
	if r.Inode != 0 {
		return sys.PidfdInode(pidfd) == r.Inode && !sys.PidfdEnded(pidfd)
	}
	stat, err := sys.Stat(r.Pid)
	return err == nil && !stat.Dead() && stat.Start == r.Start
}

// outlivedBoot reports whether the record is from an earlier boot. Then nothing
// is left of the container but its directory, and whatever goes by the names in
// the record is somebody else's.
func (r *record) outlivedBoot() bool {
	boot, err := sys.BootID()
	return err == nil && r.BootID != "" && boot != r.BootID
}
