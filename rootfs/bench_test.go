package rootfs

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// BenchmarkDefault is the default configuration from recording to the end of
// the stage; "nothing" is the same without a root, for comparison.
func BenchmarkDefault(b *testing.B) {
	if os.Getuid() != 0 {
		b.Skip("needs root to mount")
	}
	bundle := b.TempDir()
	for _, dir := range []string{"dev", "proc", "sys"} {
		if err := os.MkdirAll(filepath.Join(bundle, "rootfs", dir), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	in := Input{Config: defaultConfig(), Bundle: bundle, MountNS: true, Cgroup: Cgroup{Unified: "/sys/fs/cgroup"}}
	run := func(b *testing.B, record func(*nsenter.Program)) {
		for b.Loop() {
			p := nsenter.New(0)
			record(p)
			p.Exit(0)
			flags := uintptr(unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS)
			s, err := p.Start(nsenter.Options{Args: []string{"stage"}, CloneFlags: flags, Cgroup: -1, Stdio: [3]int{0, 1, 2}})
			if err != nil {
				b.Fatal(err)
			}
			var status syscall.WaitStatus
			_, _ = syscall.Wait4(s.Pid, &status, 0, nil)
			s.Close()
			if status.ExitStatus() != 0 {
				b.Fatal(status)
			}
		}
	}
	b.Run("nothing", func(b *testing.B) { run(b, func(*nsenter.Program) {}) })
	b.Run("all", func(b *testing.B) {
		run(b, func(p *nsenter.Program) {
			r, err := New(in)
			if err != nil {
				b.Fatal(err)
			}
			r.Mounts(p)
			r.Pivot(p)
			r.Finish(p)
		})
	})
	b.Run("recorded only", func(b *testing.B) {
		for b.Loop() {
			r, err := New(in)
			if err != nil {
				b.Fatal(err)
			}
			p := nsenter.New(0)
			r.Mounts(p)
			r.Pivot(p)
			r.Finish(p)
		}
	})
}
