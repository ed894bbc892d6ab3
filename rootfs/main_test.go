package rootfs

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

var update = flag.Bool("update", false, "rewrite the golden listings in testdata")

// TestMain runs the tests in a mount namespace of their own, where they may
// mount what they like.
func TestMain(m *testing.M) {
	flag.Parse()
	const inside = "ROOTFS_TEST_INSIDE"
	if os.Getuid() != 0 || os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	if err := cmd.Run(); err != nil {
		os.Exit(1)
	}
}

// needRoot skips a test that makes mounts.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to mount")
	}
}

const busybox = "/bin/busybox"

// newBundle makes a bundle with a busybox root.
func newBundle(t *testing.T) string {
	t.Helper()
	bundle := t.TempDir()
	root := filepath.Join(bundle, "rootfs")
	for _, dir := range []string{"bin", "dev", "etc", "proc", "sys", "tmp"} {
		mkdir(t, filepath.Join(root, dir))
	}
	data, err := os.ReadFile(busybox)
	if err != nil {
		t.Skip("needs busybox-static: ", err)
	}
	if err := os.WriteFile(filepath.Join(root, "bin/busybox"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sh", "ls", "cat", "stat", "mount", "touch", "readlink", "mkdir", "grep", "id", "test", "echo", "rm", "find", "sort"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	return bundle
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	mkdir(t, filepath.Dir(path))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, target, path string) {
	t.Helper()
	mkdir(t, filepath.Dir(path))
	_ = os.Remove(path)
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// defaultConfig is what `runtime spec` writes, as far as this package cares.
func defaultConfig() *specs.Spec {
	return &specs.Spec{
		Root: &specs.Root{Path: "rootfs", Readonly: true},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
			{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
			{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"}},
		},
		Linux: &specs.Linux{
			MaskedPaths: []string{"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
				"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
}

// container is a stage that is to become a shell in the root.
type container struct {
	in        Input
	clone     uintptr
	script    string
	console   bool
	dropMknod bool
	classic   bool // as on a kernel without mount_setattr(2)
	sysctl    string
	hook      func(pid int) // where createContainer hooks run
}

const syncHooks nsenter.Sync = 1

// run starts c and returns what its script prints, and the fault if it did not
// get so far.
func (c *container) run(t *testing.T) (string, error) {
	t.Helper()
	needRoot(t)
	c.in.MountNS = true
	r, err := newRootfs(c.in, c.classic || oldKernel())
	if err != nil {
		return "", err
	}
	defer r.Close()
	p := c.record(r)
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	clone := c.clone | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWUTS
	s, err := p.Start(nsenter.Options{Args: []string{"stage"}, CloneFlags: clone, Cgroup: -1, Stdio: [3]int{0, int(w.Fd()), int(w.Fd())}})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		s.Close()
		var status syscall.WaitStatus
		_, _ = syscall.Wait4(s.Pid, &status, 0, nil)
	}()
	if clone&unix.CLONE_NEWUSER != 0 {
		mapIDs(t, s.Pid)
	}
	for {
		event, err := s.Next(time.Minute)
		if err != nil {
			if err.Error() == "EOF" {
				break
			}
			return "", r.Explain(s, err)
		}
		handled, err := r.Handle(s, event)
		if err != nil {
			return "", err
		}
		if !handled {
			if c.hook != nil {
				c.hook(s.Pid)
			}
			if err := s.Reply([]byte{1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	text := make([]byte, 0, 4096)
	buf := make([]byte, 4096)
	for {
		n, err := out.Read(buf)
		text = append(text, buf[:n]...)
		if err != nil {
			return string(text), nil
		}
	}
}

// record records all steps in libcontainer's order, then the shell.
func (c *container) record(r *Rootfs) *nsenter.Program {
	p := nsenter.New(0)
	if c.clone&unix.CLONE_NEWUSER != 0 {
		p.Send(syncHooks, 0) // for the id maps
		p.Wait()
		p.Setresgid(0)
		p.Setresuid(0)
	}
	if c.classic {
		p.Seccomp(withoutMountSetattr(), 0)
	}
	if c.dropMknod {
		p.Capset(^uint64(1<<unix.CAP_MKNOD)&allCaps(), ^uint64(1<<unix.CAP_MKNOD)&allCaps(), 0)
	}
	r.Mounts(p)
	if c.hook != nil {
		p.At("hooks")
		p.Send(syncHooks, 0)
		p.Wait()
	}
	r.Pivot(p)
	if c.console {
		master, _ := r.Console(p)
		p.Dup3(master, nsenter.Number(0), 0)
	}
	if c.sysctl != "" {
		writeSysctl(r, p, c.sysctl)
	}
	r.Finish(p)
	p.At("process")
	e := p.FindProgram([]string{"/bin/sh"}, "", []string{"sh", "-c", c.script}, []string{"PATH=/bin"})
	p.CloseRange(p.FirstOwn(), 0)
	p.CloseOnExec(p.Status())
	p.Execve(e)
	return p
}

func mapIDs(t *testing.T, pid int) {
	t.Helper()
	dir := "/proc/" + itoa(pid)
	for _, f := range []struct{ name, text string }{
		{"/uid_map", "0 100000 65536"}, {"/gid_map", "0 100000 65536"},
	} {
		if err := os.WriteFile(dir+f.name, []byte(f.text), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// golden compares the listing of c with testdata/name.
func golden(t *testing.T, name string, c *container) {
	t.Helper()
	c.in.MountNS = true
	r, err := newRootfs(c.in, false)
	if err != nil {
		t.Fatal(err)
	}
	r.core = true // whatever the host has
	p := c.record(r)
	if p.Err() != nil {
		t.Fatal(p.Err())
	}
	var b strings.Builder
	p.List(&b)
	got := strings.ReplaceAll(b.String(), c.in.Bundle, "/bundle")
	path := filepath.Join("testdata", name)
	if *update {
		write(t, path, got)
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: the listing has changed; run go test -update and look at the difference", path)
	}
}

// allCaps are those the tests run with.
func allCaps() uint64 {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0
	}
	return uint64(data[0].Permitted) | uint64(data[1].Permitted)<<32
}
