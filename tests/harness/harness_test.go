package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ociruntime/tests/view"
)

func TestMain(m *testing.M) { os.Exit(view.Main(m)) }

// TestLeftovers leaves one thing of each kind and expects to be told.
func TestLeftovers(t *testing.T) {
	env := New(t)
	bundle := env.Bundle()
	if left := env.Leftovers(); len(left) != 0 {
		t.Fatalf("a fresh Env has leftovers: %q", left)
	}

	must(t, os.Mkdir(filepath.Join(view.Hierarchies()[0].Point, env.ID()), 0o755))
	must(t, os.MkdirAll(filepath.Join(env.Root, "id"), 0o700))
	must(t, unix.Mount("tmpfs", bundle.Path("mnt"), "tmpfs", 0, ""))
	sleeper := env.BareCommand("sleep", "1000")
	sleeper.Binary = "/bin/busybox"
	marked := sleeper.Start()

	rooted := env.BareCommand("/bin/sleep", "1000")
	rooted.Binary = "/bin/busybox"
	rooted.Attr.Chroot = bundle.Rootfs()
	rooted.Dir, rooted.Env = "/", []string{}
	inside := rooted.Start()

	left := strings.Join(env.Leftovers(), "\n")
	wanted := []string{"cgroup /sys/fs/cgroup", "state " + env.Root + "/id", "mount tmpfs at " + bundle.Path("mnt"),
		"process " + pidString(marked.Pid()), "process " + pidString(inside.Pid())}
	for _, want := range wanted {
		if !strings.Contains(left, want) {
			t.Errorf("not reported: %q; reported:\n%s", want, left)
		}
	}

	env.clean()
	must(t, os.RemoveAll(env.Root))
	marked.reap()
	inside.reap()
	if left := env.Leftovers(); len(left) != 0 {
		t.Errorf("clean left %q", left)
	}
}

func TestMessage(t *testing.T) {
	cases := []struct{ line, want string }{
		{`time="2026-11-23T09:38:23Z" level=error msg="container \"x\" does not exist"`, `container "x" does not exist`},
		{`time="2026-11-23T09:38:23Z" level=error msg=EOF`, `EOF`},
		{`container does not exist`, `container does not exist`},
	}
	for _, c := range cases {
		if got := Message(c.line); got != c.want {
			t.Errorf("%s: got %q, want %q", c.line, got, c.want)
		}
	}
}

func TestSetJSON(t *testing.T) {
	b := New(t).Bundle()
	b.SetRaw([]byte(`{"mounts":[{"type":"proc"}]}`))
	b.SetJSON(7, "mounts", 0, "type")
	b.SetJSON("x", "mounts", 1)
	b.SetJSON(true, "linux", "new")
	got := strings.Join(strings.Fields(string(b.Raw())), "")
	if want := `{"linux":{"new":true},"mounts":[{"type":7},"x"]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
