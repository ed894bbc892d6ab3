package nsenter

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// limits are the sysctls that count the namespaces of each type, by the middle
// of their names, namespaces(7).
var limits = []struct {
	flag uintptr
	name string
}{
	{unix.CLONE_NEWUSER, "user"}, {unix.CLONE_NEWNS, "mnt"}, {unix.CLONE_NEWPID, "pid"}, {unix.CLONE_NEWNET, "net"},
	{unix.CLONE_NEWIPC, "ipc"}, {unix.CLONE_NEWUTS, "uts"}, {unix.CLONE_NEWCGROUP, "cgroup"}, {unix.CLONE_NEWTIME, "time"},
}

// whyRefused looks for the setting that made the kernel refuse to make the
// namespaces in flags, or "" if there is none to be seen. It is only called
// after a failure.
func whyRefused(flags uintptr, err error) string {
	if err == unix.EAGAIN {
		return "too many processes: RLIMIT_NPROC of the user, or pids.max of a cgroup that we are in, is reached"
	}
	if flags == 0 {
		return ""
	}
	switch err {
	case unix.ENOSPC, unix.EUSERS:
		return "the kernel counts namespaces per user: " + limitsOf(flags)
	case unix.EINVAL:
		return missingTypes(flags)
	case unix.EPERM, unix.EACCES:
		return whyForbidden(flags)
	}
	return ""
}

func limitsOf(flags uintptr) string {
	var list []string
	for _, l := range limits {
		name := "user.max_" + l.name + "_namespaces"
		value := sysctl(name)
		if flags&l.flag != 0 && value == "0" {
			return name + " is 0"
		}
		if flags&l.flag != 0 && value != "" {
			list = append(list, name+" is "+value)
		}
	}
	return strings.Join(list, ", ")
}

func missingTypes(flags uintptr) string {
	var list []string
	for _, l := range limits {
		if flags&l.flag != 0 && unix.Access("/proc/self/ns/"+l.name, unix.F_OK) != nil {
			list = append(list, l.name)
		}
	}
	if list == nil {
		return ""
	}
	return "the kernel was built without namespaces of type " + strings.Join(list, ", ")
}

// whyForbidden knows the switches of Debian's and of Ubuntu's kernels, and that
// a process in a chroot makes no user namespace, clone(2).
func whyForbidden(flags uintptr) string {
	switch {
	case flags&unix.CLONE_NEWUSER == 0:
		return "it takes CAP_SYS_ADMIN, or a new user namespace to have it in"
	case sysctl("kernel.unprivileged_userns_clone") == "0":
		return "the sysctl kernel.unprivileged_userns_clone is 0; 1 lets ordinary users make user namespaces"
	case sysctl("kernel.apparmor_restrict_unprivileged_userns") == "1":
		return "the sysctl kernel.apparmor_restrict_unprivileged_userns is 1: only programs with an AppArmor profile that says \"userns,\" may; 0 lets all"
	case chrooted():
		return "a process in a chroot makes no user namespace"
	}
	return ""
}

// chrooted reports whether our root is not that of our mount namespace: then
// the mount table does not have it.
func chrooted() bool {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == "/" {
			return false
		}
	}
	return true
}

func sysctl(name string) string {
	text, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
