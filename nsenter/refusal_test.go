package nsenter

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWhyRefused: the settings that are looked at are those of the namespaces
// asked for.
func TestWhyRefused(t *testing.T) {
	for _, c := range []struct {
		flags uintptr
		err   error
		want  string
		not   string
	}{
		{unix.CLONE_NEWNET | unix.CLONE_NEWPID, unix.ENOSPC, "user.max_net_namespaces is ", "uts"},
		{unix.CLONE_NEWUSER, unix.EUSERS, "user.max_user_namespaces is ", "net"},
		{unix.CLONE_NEWNS, unix.EPERM, "CAP_SYS_ADMIN", "sysctl"},
		{unix.CLONE_NEWNS, unix.EAGAIN, "RLIMIT_NPROC", ""},
		{0, unix.EAGAIN, "RLIMIT_NPROC", ""},
	} {
		got := whyRefused(c.flags, c.err)
		if !strings.Contains(got, c.want) || c.not != "" && strings.Contains(got, c.not) {
			t.Errorf("%#x, %v: %q, want %q", c.flags, c.err, got, c.want)
		}
	}
	for _, c := range []struct {
		flags uintptr
		err   error
	}{{0, unix.EPERM}, {unix.CLONE_NEWNS, unix.EINVAL}, {unix.CLONE_NEWNS, unix.ENOMEM}} {
		if got := whyRefused(c.flags, c.err); got != "" {
			t.Errorf("%#x, %v: %q out of nothing", c.flags, c.err, got)
		}
	}
}

func TestTry(t *testing.T) {
	if unix.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, kind := range Types() {
		if err := Try(kind.Flag()); err != nil && kind != User && kind != Time {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if err := Try(unix.CLONE_NEWUSER | unix.CLONE_FS); err == nil {
		t.Error("flags that exclude each other are accepted")
	}
}
