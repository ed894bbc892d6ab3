package libcontainer

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
	"ociruntime/nsenter"
)

// mapUser writes the id mappings of the stage's user namespace,
// user_namespaces(7). An ordinary user may map only himself, once, and only
// after giving up setgroups(2); anything else newuidmap(1) does for him, within
// what /etc/subuid allows.
func (b *birth) mapUser() error {
	pid := b.stage.Pid
	linux := b.linux()
	if os.Geteuid() != 0 && !needsHelper(linux.GIDMappings, os.Getegid()) {
		if err := writeProc(pid, "setgroups", "deny"); err != nil {
			return err
		}
	}
	if err := mapIDs(pid, "gid_map", "newgidmap", linux.GIDMappings, os.Getegid()); err != nil {
		return &diag.Error{Field: "linux.gidMappings", Err: err}
	}
	if err := mapIDs(pid, "uid_map", "newuidmap", linux.UIDMappings, os.Geteuid()); err != nil {
		return &diag.Error{Field: "linux.uidMappings", Err: err}
	}
	return nil
}

// needsHelper reports whether an unprivileged caller with id own cannot write
// the mappings himself.
func needsHelper(list []specs.LinuxIDMapping, own int) bool {
	return len(list) != 1 || list[0].Size != 1 || int(list[0].HostID) != own
}

func mapIDs(pid int, file, helper string, list []specs.LinuxIDMapping, own int) error {
	if os.Geteuid() != 0 && needsHelper(list, own) {
		return runHelper(helper, pid, list)
	}
	var b strings.Builder
	for _, m := range list {
		b.WriteString(mapLine(m) + "\n")
	}
	if page := os.Getpagesize(); b.Len() >= page {
		return &diag.Error{Op: "write", Path: file, Err: unix.EINVAL,
			Hint: strconv.Itoa(len(list)) + " mappings are " + strconv.Itoa(b.Len()) + " bytes of text, the kernel takes less than " + strconv.Itoa(page)}
	}
	return writeProc(pid, file, b.String())
}

func mapLine(m specs.LinuxIDMapping) string {
	decimal := func(v uint32) string { return strconv.FormatUint(uint64(v), 10) }
	return decimal(m.ContainerID) + " " + decimal(m.HostID) + " " + decimal(m.Size)
}

// runHelper runs newuidmap(1) or newgidmap(1).
func runHelper(helper string, pid int, list []specs.LinuxIDMapping) error {
	args := []string{helper, strconv.Itoa(pid)}
	for _, m := range list {
		args = append(args, strings.Fields(mapLine(m))...)
	}
	path, err := FindHelper(helper)
	if err != nil {
		return &diag.Error{Op: "run", Path: helper, Err: err,
			Hint: "an ordinary user needs it for more than one mapping: install Debian's package uidmap"}
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return &diag.Error{Op: "pipe2", Err: err}
	}
	defer unix.Close(pipe[0])
	s := nsenter.Stage{PidFD: -1} // no stage, but a child to be waited for all the same
	s.Pid, err = sys.ForkExec(path, args, &syscall.ProcAttr{Files: []uintptr{0, uintptr(pipe[1]), uintptr(pipe[1])},
		Sys: &syscall.SysProcAttr{PidFD: &s.PidFD}})
	unix.Close(pipe[1])
	if err != nil {
		return &diag.Error{Op: "run", Path: path, Err: err}
	}
	defer unix.Close(s.PidFD)
	status, err := s.Reap(reapTimeout)
	if err != nil {
		doing := sys.Doing(s.Pid)
		_, _ = s.Kill(reapTimeout) // that it did not end is the error to report
		return &diag.Error{Op: strings.Join(args, " "), Err: errors.New("did not end in " + reapTimeout.String()), Hint: doing, Code: "timeout"}
	}
	if status.ExitStatus() != 0 {
		return &diag.Error{Op: strings.Join(args, " "), Err: errors.New(firstLine(pipe[0])), Code: "idmap",
			Hint: "/etc/subuid and /etc/subgid say which ranges a user may map"}
	}
	return nil
}

// firstLine is the first line of what a helper that has ended has said.
func firstLine(fd int) string {
	var buf [4096]byte
	n, err := unix.Read(fd, buf[:])
	line, _, _ := strings.Cut(string(buf[:max(n, 0)]), "\n")
	if err != nil || line == "" {
		return "operation not permitted"
	}
	return line
}

// FindHelper returns the path of newuidmap(1) or newgidmap(1): where
// distributions have them, whatever PATH says.
func FindHelper(name string) (string, error) {
	for _, dir := range []string{"/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/", "/usr/local/bin/"} {
		if unix.Access(dir+name, unix.X_OK) == nil {
			return dir + name, nil
		}
	}
	return "", unix.ENOENT
}

// writeProc writes a file of /proc/PID in one write(2).
func writeProc(pid int, file, value string) error {
	path := "/proc/" + strconv.Itoa(pid) + "/" + file
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &diag.Error{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(value)); err != nil {
		return &diag.Error{Op: "write", Path: path, Err: err}
	}
	return nil
}

// inUserNamespace reports whether the caller is in a user namespace other than
// the first, whose map covers all ids.
func inUserNamespace() bool {
	var buf [128]byte
	text, err := sys.ReadSmall("/proc/self/uid_map", buf[:])
	f := strings.Fields(string(text))
	return err == nil && !(len(f) == 3 && f[0] == "0" && f[1] == "0" && f[2] == "4294967295")
}

// rootless reports whether missing rights are to be expected.
func (r *Runtime) rootless() bool {
	switch r.Rootless {
	case RootlessTrue:
		return true
	case RootlessFalse:
		return false
	}
	return os.Geteuid() != 0 || inUserNamespace()
}

// timeOffsets words linux.timeOffsets for /proc/PID/timens_offsets.
func timeOffsetLine(clock string, o specs.LinuxTimeOffset) string {
	return clock + " " + strconv.FormatInt(o.Secs, 10) + " " + strconv.FormatUint(uint64(o.Nanosecs), 10)
}
