package libcontainer

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// at says at which stage of its life the container failed.
func at(stage diag.Stage, err error) error {
	if err == nil {
		return nil
	}
	return &diag.Error{Err: err, Stage: stage}
}

// explainClone words why there is no stage. One clone(2) makes namespaces and,
// on cgroup v2, enters the cgroup; which of the two it was the kernel does not
// tell.
func (b *birth) explainClone(err error, joins bool) error {
	var e *diag.Error
	var errno unix.Errno
	if !errors.As(err, &e) || e.Op != "clone" || !errors.As(err, &errno) {
		return err
	}
	if errno == unix.ENOSPC {
		if hint := namespaceLimit(b.entry.CloneFlags); hint != "" {
			limited := *e
			limited.Field, limited.Hint, limited.Code = "linux.namespaces", hint, "namespace-limit"
			return &limited
		}
	}
	switch errno {
	case unix.EOPNOTSUPP, unix.EBUSY, unix.ENOSPC, unix.EAGAIN, unix.ENOMEM, unix.EACCES:
		if !joins {
			break
		}
		joined := b.group.ExplainJoin(errno)
		if code := diag.CodeOf(joined); code != "process-limit" && code != "no-memory" { // those are not the cgroup's
			return joined
		}
	}
	return err
}

// cloneLimits are the sysctls that bound how many namespaces of a type a user
// may have, namespaces(7).
var cloneLimits = [...]struct {
	flag   uintptr
	sysctl string
}{
	{unix.CLONE_NEWUSER, "max_user_namespaces"},
	{unix.CLONE_NEWNS, "max_mnt_namespaces"},
	{unix.CLONE_NEWPID, "max_pid_namespaces"},
	{unix.CLONE_NEWNET, "max_net_namespaces"},
	{unix.CLONE_NEWIPC, "max_ipc_namespaces"},
	{unix.CLONE_NEWUTS, "max_uts_namespaces"},
	{unix.CLONE_NEWCGROUP, "max_cgroup_namespaces"},
	{unix.CLONE_NEWTIME, "max_time_namespaces"},
}

// plenty is a limit that nobody reaches by containers alone; the kernel's
// default is a fraction of the memory, in the ten thousands.
const plenty = 1000

// namespaceLimit names the limits that may have stopped the clone: the one that
// is zero, else those that are low.
func namespaceLimit(flags uintptr) string {
	var low []string
	for _, l := range cloneLimits {
		if flags&l.flag == 0 {
			continue
		}
		text, err := os.ReadFile("/proc/sys/user/" + l.sysctl)
		n, numberErr := strconv.Atoi(strings.TrimSpace(string(text)))
		switch {
		case err != nil || numberErr != nil || n > plenty:
		case n == 0:
			return "the sysctl user." + l.sysctl + " is 0"
		default:
			low = append(low, "user."+l.sysctl+" is "+strconv.Itoa(n))
		}
	}
	return strings.Join(low, ", ")
}
