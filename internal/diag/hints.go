package diag

import (
	"strings"

	"golang.org/x/sys/unix"
)

// rule is what a failure means of which no more is known than the field it is
// blamed on, the operation and its errno. What a look at the host has shown is
// better than that, and comes from where the look was taken.
type rule struct {
	field string     // beginning of the field; "" for any
	op    string     // "" for any
	errno unix.Errno // 0 for any
	code  Code
	hint  string // "" if the code says it all
}

// rules are all hints that do not depend on what was found; the first that fits
// counts. They are read on the way to a failure only.
var rules = [...]rule{
	{"", "", unix.EMFILE, "open-files", ""}, // Limited has the hint
	{"", "", unix.ENFILE, "open-files", ""},
	{"", "", unix.ENOMEM, "no-memory", ""},

	{"linux.mountLabel", "", 0, "selinux", "is SELinux enabled on this host?"},
	{"", "fsopen", unix.ENODEV, "mount-filesystem", "this kernel knows no such file system"},
	{"", "fsconfig", unix.EINVAL, "mount-option", ""},
	{"", "move_mount", unix.ENOSPC, "mount-limit", "there are as many mounts as the sysctl fs.mount-max allows"},
	{"", "open_tree", unix.ENOSPC, "mount-limit", "there are as many mounts as the sysctl fs.mount-max allows"},
	{"", "open_tree", unix.EINVAL, "mount", "the mount there is unbindable, or has mounts on it that only rbind may take along"},
	{"", "mount_setattr", unix.ENOSYS, "kernel-too-old", "needs Linux 5.12"},
	{"", "pivot_root", unix.EINVAL, "rootfs", "the host's root is an initramfs, or no mount point at all: see --no-pivot"},
	{"linux.maskedPaths", "openat2", unix.ENOENT, "rootfs", "container's /dev/null is invalid: missing, but needed to mask files"},
	{"linux.devices", "open_tree", unix.ENOENT, "device", "it may not be made here, and the host has no such device to bind"},
	{"process.terminal", "openat2", unix.ENOENT, "config-invalid", "a terminal needs a mount of type devpts on /dev/pts"},

	{"", "clone", unix.EAGAIN, "process-limit", ""},
	{"", "clone", unix.EPERM, "namespace-denied", ""},
	{"", "clone", unix.ENOSPC, "namespace-limit", ""},
	{"", "clone", unix.EUSERS, "namespace-limit", ""},
	{"", "clone", 0, "namespace", ""},
	{"", "setns", unix.EPERM, "namespace-join", ""},

	{"", "keyctl", unix.EDQUOT, "process-setup", "the quota of keys is used up: see /proc/key-users and kernel.keys.maxkeys, or use --no-new-keyring"},
	{"", "keyctl", unix.EPERM, "process-setup", "an outer seccomp filter or security module may deny keys: use --no-new-keyring"},
	{"", "keyctl", unix.EACCES, "process-setup", "an outer seccomp filter or security module may deny keys: use --no-new-keyring"},
	{"", "setresuid", unix.EINVAL, "idmap", "the id is not mapped in the user namespace"},
	{"", "setresgid", unix.EINVAL, "idmap", "the id is not mapped in the user namespace"},
	{"", "sched_setattr", unix.EPERM, "process-setup", "needs CAP_SYS_NICE in the first user namespace, and real-time budget in the cpu cgroup"},
	{"", "ioprio_set", unix.EPERM, "process-setup", "the class RT needs CAP_SYS_NICE in the first user namespace"},
}

// Explained returns e with the hint and the code that its field, operation and
// errno allow; e itself if they allow none.
func Explained(e *Error) *Error {
	r := ruleFor(factsOf(e))
	if r == nil {
		return e
	}
	with := *e
	if with.Hint == "" {
		with.Hint = r.hint
	}
	if with.Code == "" {
		with.Code = r.code
	}
	return &with
}

func ruleFor(f facts) *rule {
	for i := range rules {
		r := &rules[i]
		if r.errno != 0 && r.errno != f.number || r.op != "" && r.op != f.op || !strings.HasPrefix(f.field, r.field) {
			continue
		}
		if r.op != "" || r.errno != 0 || f.number != 0 { // a value that is wrong by itself is no failure of a call
			return r
		}
	}
	return nil
}

// sections are the codes, and the stages, of failures about a part of the
// configuration.
var sections = [...]struct {
	field string
	code  Code
	stage Stage
}{
	{"root", "rootfs", StageRootfs},
	{"mounts", "mount", StageRootfs},
	{"/dev", "rootfs-dev", StageRootfs},
	{"linux.maskedPaths", "rootfs", StageRootfs},
	{"linux.readonlyPaths", "rootfs", StageRootfs},
	{"linux.rootfsPropagation", "rootfs", StageRootfs},
	{"linux.devices", "device", StageRootfs},
	{"linux.sysctl", "sysctl", StageRootfs},
	{"linux.namespaces", "namespace", StageNamespace},
	{"linux.timeOffsets", "namespace", StageNamespace},
	{"hostname", "namespace", StageNamespace},
	{"domainname", "namespace", StageNamespace},
	{"linux.uidMappings", "idmap", StageNamespace},
	{"linux.gidMappings", "idmap", StageNamespace},
	{"linux.netDevices", "netdev", StageNamespace},
	{"linux.seccomp", "seccomp", StageProcess},
	{"linux.intelRdt", "intelrdt", StageCgroup},
	{"linux.resources", "cgroup-setting-refused", StageCgroup},
	{"linux.cgroupsPath", "cgroup", StageCgroup},
	{"linux.memoryPolicy", "process-setup", StageProcess},
	{"linux.personality", "process-setup", StageProcess},
	{"process.apparmorProfile", "apparmor", StageProcess},
	{"process.selinuxLabel", "selinux", StageProcess},
	{"process.cwd", "cwd", StageProcess},
	{"process.rlimits", "rlimit", StageProcess},
	{"process", "process-setup", StageProcess},
}

// classify returns the code of a failure that nobody has given one.
func classify(f facts) Code {
	if r := ruleFor(f); r != nil {
		return r.code
	}
	switch {
	case strings.HasPrefix(f.field, "--"):
		return "usage"
	case f.field != "" && f.number == 0:
		return "config-invalid"
	}
	for _, s := range sections {
		if strings.HasPrefix(f.field, s.field) {
			return s.code
		}
	}
	if strings.HasPrefix(f.path, "/sys/fs/cgroup") {
		return "cgroup"
	}
	return codeOfErrno(f.number)
}

// stageOf returns the stage of a failure that nobody has given one: it follows
// from what it is about.
func stageOf(f facts) Stage {
	if strings.HasPrefix(f.code, "cgroup") || strings.HasPrefix(f.code, "systemd") {
		return StageCgroup
	}
	for _, s := range sections {
		if strings.HasPrefix(f.field, s.field) {
			return s.stage
		}
	}
	return ""
}

func codeOfErrno(errno unix.Errno) Code {
	switch errno {
	case 0:
		return "internal"
	case unix.EACCES, unix.EPERM:
		return "permission-denied"
	case unix.ENOENT, unix.ENOTDIR:
		return "file-missing"
	case unix.ENOSPC, unix.EDQUOT:
		return "no-space"
	case unix.EROFS:
		return "read-only"
	case unix.EAGAIN:
		return "process-limit"
	case unix.ENOSYS, unix.EOPNOTSUPP:
		return "kernel-too-old"
	}
	return "system-call"
}
