// Package lsm knows how the two security modules that have labels are told
// which one a program shall run under: AppArmor and SELinux. It asks the host
// whether they are there, and words the labels; it writes none.
package lsm

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/sys"
)

// Errors for a label that the host cannot apply.
var (
	ErrNoAppArmor = errors.New("this host does not run AppArmor")
	ErrNoSELinux  = errors.New("this host does not run SELinux")
)

// Unconfined is the profile that AppArmor gives to what has none.
const Unconfined = "unconfined"

// The files, below a thread's directory in procfs, that say what the next
// execve(2) makes of the thread, see proc_pid_attr(5). AppArmor has a file of
// its own since Linux 5.8, for it may run beside another module; before, it
// shares the other one.
const (
	AppArmorExecFile = "attr/apparmor/exec"
	ExecFile         = "attr/exec"
	// KeyCreateFile has the label of the keys that the thread makes.
	KeyCreateFile = "attr/keycreate"
)

// appArmorSwitch holds Y or N.
const appArmorSwitch = "/sys/module/apparmor/parameters/enabled"

// AppArmor reports whether the host's kernel runs AppArmor.
func AppArmor() bool {
	var buf [8]byte
	text, err := sys.ReadSmall(appArmorSwitch, buf[:])
	return err == nil && strings.HasPrefix(string(text), "Y")
}

// SELinux reports whether the host runs SELinux, with its file system where
// user space expects it: selinuxfs is not there when no policy is loaded.
func SELinux() bool {
	var s unix.Statfs_t
	return unix.Statfs("/sys/fs/selinux", &s) == nil && s.Type == unix.SELINUX_MAGIC
}

// CheckAppArmor reports whether field, an AppArmor profile, can be applied at
// all. Whether it is loaded, the kernel says when it is applied.
func CheckAppArmor(field, profile string) error {
	if profile == "" || profile == Unconfined || AppArmor() {
		return nil
	}
	return &diag.Error{Field: field, Op: "apply AppArmor profile", Path: profile, Err: ErrNoAppArmor, Code: "apparmor-missing"}
}

// CheckSELinux is CheckAppArmor for an SELinux label.
func CheckSELinux(field, label string) error {
	if label == "" || SELinux() {
		return nil
	}
	return &diag.Error{Field: field, Op: "apply SELinux label", Path: label, Err: ErrNoSELinux, Code: "selinux-missing"}
}

// AppArmorExec is what is written into one of the exec files.
func AppArmorExec(profile string) string { return "exec " + profile }

// MountContext is the option that gives every file of a mount label, as
// fsconfig(2) takes it.
func MountContext(label string) (key, value string) { return "context", label }

// AppendMountContext adds the same option to data as mount(2) takes it. It is
// quoted, because the categories of a label are separated by commas.
func AppendMountContext(data, label string) string {
	if label == "" {
		return data
	}
	option := `context="` + label + `"`
	if data == "" {
		return option
	}
	return data + "," + option
}
