package diag

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
)

func TestErrorText(t *testing.T) {
	cases := []struct {
		name string
		err  Error
		want string
	}{
		{"cause alone", Error{Err: errors.New("container does not exist")}, "container does not exist"},
		{"field and cause", Error{Field: "root.path", Err: errors.New("is empty")}, "root.path: is empty"},
		{"all parts", Error{Field: "mounts[3].type", Op: "fsopen", Path: "nosuchfs", Err: syscall.ENODEV, Hint: "not in /proc/filesystems"},
			`mounts[3].type: fsopen "nosuchfs": no such device (not in /proc/filesystems)`},
		{"path without op", Error{Path: "/etc/x", Err: syscall.ENOENT}, `"/etc/x": no such file or directory`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := c.err.Error(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestCodeOf(t *testing.T) {
	inner := &Error{Err: syscall.ENOENT, Code: "inner"}
	if got := CodeOf(&Error{Err: inner}); got != "inner" {
		t.Errorf("code of a wrapped error: got %q, want inner", got)
	}
	if got := CodeOf(&Error{Err: inner, Code: "outer"}); got != "outer" {
		t.Errorf("outermost code: got %q, want outer", got)
	}
}

// TestClassify: errors that nobody has given a code have one all the same.
func TestClassify(t *testing.T) {
	cases := []struct {
		err  error
		want Code
	}{
		{errors.New("EOF"), "internal"},
		{syscall.ENOENT, "file-missing"},
		{fmt.Errorf("x: %w", syscall.EPERM), "permission-denied"},
		{&Error{Field: "mounts[3].type", Op: "fsopen", Path: "x", Err: syscall.ENODEV}, "mount-filesystem"},
		{&Error{Field: "mounts[3]", Op: "mount", Err: syscall.EBUSY}, "mount"},
		{&Error{Field: "mounts[3]", Op: "openat2", Err: syscall.EMFILE}, "open-files"},
		{&Error{Field: "mounts[3].type", Err: errors.New("is required")}, "config-invalid"},
		{&Error{Field: "linux.resources.pids.limit", Err: errors.New("is odd")}, "config-invalid"},
		{&Error{Field: "root.path", Err: errors.New("is required")}, "config-invalid"},
		{&Error{Field: "root.path", Op: "open", Err: syscall.ENOENT}, "rootfs"},
		{&Error{Field: "--rootless", Path: "x", Err: errors.New("is none")}, "usage"},
		{&Error{Op: "open", Path: "/sys/fs/cgroup/x", Err: syscall.EBUSY}, "cgroup"},
		{&Error{Op: "clone", Err: syscall.EAGAIN}, "process-limit"},
	}
	for _, c := range cases {
		if got := CodeOf(c.err); got != c.want {
			t.Errorf("%v: got %s, want %s", c.err, got, c.want)
		}
	}
}

// TestExplained: what is known already stays, and what no rule knows is untouched.
func TestExplained(t *testing.T) {
	got := Explained(&Error{Field: "mounts[1].type", Op: "fsopen", Err: syscall.ENODEV})
	if got.Code != "mount-filesystem" || got.Hint != "this kernel knows no such file system" {
		t.Errorf("got %+v", got)
	}
	got = Explained(&Error{Op: "fsopen", Err: syscall.ENODEV, Hint: "seen", Code: "mine"})
	if got.Code != "mine" || got.Hint != "seen" {
		t.Errorf("got %+v", got)
	}
	if e := (&Error{Op: "fsopen", Err: syscall.EINTR}); Explained(e) != e {
		t.Error("an error without a rule was changed")
	}
}
