package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

func TestWorkingDirectory(t *testing.T) {
	needsRoot(t)
	dir := t.TempDir()
	for at := dir; at != os.TempDir(); at = filepath.Dir(at) {
		os.Chmod(at, 0o755)
	}
	private := dir + "/private"
	os.Mkdir(private, 0o700)
	os.Chown(private, 1000, 1000)
	in := Input{Process: minimal("busybox", "pwd")}
	in.Process.Cwd = private
	in.Process.User = specs.User{UID: 1000, GID: 1000}
	// Root without CAP_DAC_OVERRIDE is what root is to an NFS server: the
	// directory is only open to the user.
	weak := options{early: func(p *nsenter.Program) {
		keep := mask(unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_SETPCAP)
		p.Capset(keep, keep, 0)
	}}
	if got := start(t, in, weak); got.err != nil || got.out != private+"\n" {
		t.Errorf("got %q, %v", got.out, got.err)
	}
	in.Process.User.UID = 1001
	got := start(t, in, weak)
	want := `process.cwd: chdir "` + private + `": permission denied (uid 1001 has no search permission for "` + private + `", mode 0700)`
	if got.err == nil || got.err.Error() != want {
		t.Errorf("\ngot  %v\nwant %s", got.err, want)
	}
}

// The image's or the caller's working directory may name a descriptor that the
// runtime holds open on the host (CVE-2024-21626).
func TestWorkingDirectoryOutside(t *testing.T) {
	needsRoot(t)
	root := busybox(t, map[string]string{"proc/": ""})
	outside, err := os.Open("/etc")
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	for fd := 3; fd < 12; fd++ {
		in := Input{Process: minimal("/bin/busybox", "pwd")}
		in.Process.Cwd = "/proc/self/fd/" + strconv.Itoa(fd)
		got := start(t, in, options{flags: unix.CLONE_NEWNS | unix.CLONE_NEWPID, early: func(p *nsenter.Program) {
			p.Inherit(int(outside.Fd()), "outside")
			p.Inherit(int(outside.Fd()), "outside")
			enter(p, root)
		}})
		if got.err == nil || !strings.HasPrefix(got.err.Error(), "process.cwd: ") {
			t.Errorf("%s: got %q, %v", in.Process.Cwd, got.out, got.err)
		}
		if fd == 4 && !strings.Contains(got.err.Error(), "outside the container's root") {
			t.Errorf("%s is the directory, but: %v", in.Process.Cwd, got.err)
		}
	}
}

// busybox makes an image with a static busybox.
func busybox(t *testing.T, files map[string]string) string {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs busybox-static")
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"bin/busybox": string(content)}
	for name, text := range files {
		all[name] = text
	}
	return image(t, all)
}

// enter makes root the root, with a procfs.
func enter(p *nsenter.Program, root string) {
	p.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	p.Mount("proc", root+"/proc", "proc", 0, "")
	p.Chroot(root)
	p.Chdir("/")
}
