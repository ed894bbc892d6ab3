package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"ociruntime/tests/view"
)

// busyboxPaths is where Debian, Fedora and Alpine put a static busybox.
var busyboxPaths = []string{"/bin/busybox", "/usr/sbin/busybox", "/bin/busybox.static"}

// seed is the one copy of busybox of this view; every root file system hard
// links it, so a bundle costs no data and two bundles share its page cache.
var seed = struct {
	once    sync.Once
	busybox string // path of the copy
	err     error
}{}

// rootfsDirs are the directories of a fresh root file system: those images
// usually have and the default configuration mounts on.
var rootfsDirs = []string{"bin", "dev", "etc", "mnt", "proc", "root", "sys", "tmp"}

// NewRootfs makes a root file system with busybox at dir.
func NewRootfs(t testing.TB, dir string) {
	t.Helper()
	seed.once.Do(func() { seed.busybox, seed.err = copyBusybox(view.Dir()) })
	if seed.err != nil {
		t.Fatal(seed.err)
	}
	for _, d := range rootfsDirs {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	must(t, os.Chmod(filepath.Join(dir, "tmp"), 0o777|os.ModeSticky))
	must(t, os.Link(seed.busybox, filepath.Join(dir, "bin/busybox")))
	for applet := range strings.FieldsSeq(applets) {
		must(t, os.Symlink("busybox", filepath.Join(dir, "bin", applet)))
	}
	write(t, filepath.Join(dir, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")
	write(t, filepath.Join(dir, "etc/group"), "root:x:0:\nuser:x:1000:\n")
}

// applets are the busybox commands that tests run inside.
const applets = `[ awk basename cat chmod chown cp cut date dd df dirname dmesg
echo env expr false find grep head hostname id ifconfig ip kill less ln ls mkdir
mkfifo mknod mount mv nproc od ps pwd readlink realpath rm rmdir sed seq setsid
sh sha256sum sleep sort stat stty sync sysctl tail tee test time timeout top touch tr true
tty umount uname uniq unshare usleep wc which whoami xargs yes`

func copyBusybox(dir string) (string, error) {
	for _, source := range busyboxPaths {
		data, err := os.ReadFile(source)
		if err != nil {
			continue
		}
		target := filepath.Join(dir, "busybox")
		syscall.ForkLock.RLock() // or a child holds it open: "text file busy"
		defer syscall.ForkLock.RUnlock()
		return target, os.WriteFile(target, data, 0o755)
	}
	return "", fmt.Errorf("no busybox in %s: install a static one (Debian: busybox-static)", strings.Join(busyboxPaths, ", "))
}

func inodeOf(t testing.TB, path string) inode {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	st := info.Sys().(*syscall.Stat_t)
	return inode{st.Dev, st.Ino}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o644))
}
