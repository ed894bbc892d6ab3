package nsenter

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// imageOut makes TestWriteImage write an image to a file: it is how TestARM64
// gets one of another architecture.
const imageOut = "NSENTER_IMAGE_OUT"

// branching is a program that takes each way an op can go and says which.
func branching() *Program {
	p := New(0)
	log := func(text string) { p.Write(Number(1), text) }
	p.Chdir("/nosuch")
	p.Branch(func() { log("bad1 ") }, func() { log("a ") }, unix.ENOTDIR, unix.ENOENT)
	p.Chdir("/")
	p.Branch(func() { log("b ") }, func() { log("bad2 ") }, unix.EIO)
	file := p.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	w := p.Word()
	p.Put(w, 7)
	copied := p.Word()
	p.Store(w, copied)
	p.When(copied, 0xff, 7, func() { log("c ") }, func() { log("bad4 ") })
	p.When(copied, 0xff, 8, func() { log("bad5 ") }, func() { log("d ") })
	p.Close(file)
	p.Exit(5)
	return p
}

func TestWriteImage(t *testing.T) {
	path := os.Getenv(imageOut)
	if path == "" {
		t.Skip("only for TestARM64")
	}
	p := branching()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.write(int(file.Fd())); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestARM64 runs the arm64 stage under qemu's user emulation: this package's
// test is built for arm64, writes an image, and that is run.
func TestARM64(t *testing.T) {
	if runtime.GOARCH == "arm64" {
		t.Skip("the other tests run the arm64 stage itself")
	}
	qemu, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		t.Skip("needs qemu-aarch64-static: Debian's qemu-user-static")
	}
	dir := t.TempDir()
	test, image := filepath.Join(dir, "nsenter.test"), filepath.Join(dir, "image")
	build := exec.Command("go", "test", "-c", "-o", test, ".")
	build.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	write := exec.Command(qemu, test, "-test.run", "^TestWriteImage$")
	write.Env = append(os.Environ(), imageOut+"="+image)
	if out, err := write.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(qemu, image).Output()
	if string(out) != "a b c d " {
		t.Errorf("printed %q", out)
	}
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 5 {
		t.Errorf("ended with %v", err)
	}
}
