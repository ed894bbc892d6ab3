package harness

import (
	"fmt"
	"os/exec"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Holder starts a sleeping process in new namespaces, so that tests have
// namespaces to join, and returns its PID. It ends with the test. With
// CLONE_NEWUSER it maps ids 0..65535 to 100000 and up, as UserNamespace does.
func (e *Env) Holder(namespaces uintptr) int {
	e.T.Helper()
	cmd := exec.Command("/bin/busybox", "sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// clone(2) has no bit left for a time namespace, unshare(2) has one.
		Cloneflags:   namespaces &^ unix.CLONE_NEWTIME,
		Unshareflags: namespaces & unix.CLONE_NEWTIME,
		Setsid:       true,
	}
	if namespaces&unix.CLONE_NEWUSER != 0 {
		ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 65536}}
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = ids, ids
	}
	must(e.T, cmd.Start())
	pid := cmd.Process.Pid
	e.holders = append(e.holders, pid)
	e.T.Cleanup(func() {
		_ = cmd.Process.Kill() // the end of a PID namespace may have done it
		_ = cmd.Wait()         // which then says "killed"
		e.holders = slices.DeleteFunc(e.holders, func(holder int) bool { return holder == pid })
	})
	return pid
}

// NamespacePath names a namespace of the process, for linux.namespaces[].path.
func NamespacePath(pid int, kind string) string {
	return fmt.Sprintf("/proc/%d/ns/%s", pid, kind)
}
