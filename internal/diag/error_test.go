package diag

import (
	"errors"
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
	if got := CodeOf(syscall.ENOENT); got != "" {
		t.Errorf("an errno has no code, got %q", got)
	}
}
