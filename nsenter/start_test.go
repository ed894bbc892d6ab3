package nsenter

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// run starts p with fd 1 on a pipe, and returns the stage and what it prints.
func run(t *testing.T, p *Program, flags uintptr) (*Stage, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Start(Options{Args: []string{"stage"}, CloneFlags: flags, Cgroup: -1, Stdio: [3]int{0, int(w.Fd()), 2}})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); r.Close() })
	return s, r
}

func wait(t *testing.T, s *Stage) syscall.WaitStatus {
	t.Helper()
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(s.Pid, &status, 0, nil); err != nil {
		t.Fatal(err)
	}
	return status
}

func TestStageBecomesProgram(t *testing.T) {
	p := New(0)
	p.CloseOnExec(p.Status())
	e := p.FindProgram([]string{"/nosuch/echo", "/etc", "/bin/echo"}, "not found", []string{"echo", "hello"}, nil)
	p.Send(7, 0)
	p.Wait()
	p.Execve(e)
	s, out := run(t, p, 0)
	event, err := s.Next(time.Minute)
	if err != nil || event.Sync != 7 {
		t.Fatalf("first report: %+v, %v", event, err)
	}
	if exe, _ := os.Readlink("/proc/" + strconv.Itoa(s.Pid) + "/exe"); strings.Contains(exe, "memfd") || !strings.Contains(exe, stageName) {
		t.Errorf("the waiting stage's exe is %q", exe)
	}
	if err := s.Reply([]byte("go")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next(time.Minute); err != io.EOF {
		t.Errorf("after execve: got %v, want EOF", err)
	}
	text, _ := io.ReadAll(out)
	if string(text) != "hello\n" {
		t.Errorf("printed %q", text)
	}
	if status := wait(t, s); status.ExitStatus() != 0 {
		t.Errorf("status %v", status)
	}
}

func TestFaultBlamesField(t *testing.T) {
	p := New(0)
	p.At("mounts[3].type")
	p.Fsopen("nosuchfs")
	s, _ := run(t, p, 0)
	_, err := s.Next(time.Minute)
	want := `mounts[3].type: fsopen "nosuchfs": no such device`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	var d *diag.Error
	if !errors.As(err, &d) || !errors.Is(err, unix.ENODEV) {
		t.Errorf("%T %v is not a diag.Error of ENODEV", err, err)
	}
	s.Close()
	if status := wait(t, s); status.ExitStatus() != 127 {
		t.Errorf("status %v", status)
	}
}

func TestImageTellsAnotherProcess(t *testing.T) {
	p := New(0)
	p.At("mounts[3].type")
	p.Send(1, 0)
	p.Fsopen("nosuchfs")
	p.At("process.cwd")
	p.Getcwd()
	s, _ := run(t, p, 0)
	defer wait(t, s)
	defer s.Close()
	if _, err := s.Next(time.Minute); err != nil {
		t.Fatal(err)
	}
	other, err := ReadImage("/proc/" + strconv.Itoa(s.Pid) + "/exe")
	if err != nil {
		t.Fatal(err)
	}
	var want, got strings.Builder
	p.List(&want)
	other.List(&got)
	if got.String() != want.String() {
		t.Errorf("got\n%swant\n%s", &got, &want)
	}
	_, err = Next(s.status, time.Minute)
	var fault *Fault
	if !errors.As(err, &fault) {
		t.Fatalf("got %v, want a fault", err)
	}
	err = other.Explain(fault)
	if err == nil || err.Error() != `mounts[3].type: fsopen "nosuchfs": no such device` {
		t.Errorf("fault: %v", err)
	}
}

func TestMemfdImage(t *testing.T) {
	p := New(0)
	p.Exit(3)
	fd, err := p.imageMemfd()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte{0}); err != unix.EPERM {
		t.Errorf("write to the sealed image: %v", err)
	}
	pid, err := syscall.ForkExec("/proc/self/fd/"+strconv.Itoa(fd), []string{"stage"}, &syscall.ProcAttr{})
	if err != nil {
		t.Fatal(err)
	}
	if status := wait(t, &Stage{Pid: pid}); status.ExitStatus() != 3 {
		t.Errorf("status %v", status)
	}
}

func TestReceiveFiles(t *testing.T) {
	p := New(0)
	for _, fd := range p.ReceiveFiles(2) {
		p.Write(fd, "x")
	}
	p.Exit(0)
	s, out := run(t, p, 0)
	r, w, _ := os.Pipe()
	defer r.Close()
	if err := s.SendFiles(int(w.Fd()), int(w.Fd())); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if text, _ := io.ReadAll(r); string(text) != "xx" {
		t.Errorf("read %q", text)
	}
	_, _ = io.ReadAll(out)
	if status := wait(t, s); status.ExitStatus() != 0 {
		t.Errorf("status %v", status)
	}
}

func TestBranches(t *testing.T) {
	p := New(0)
	log := func(text string) { p.Write(Number(1), text) }
	p.Chdir("/nosuch")
	p.Branch(func() { log("bad1 ") }, func() { log("a ") }, unix.ENOTDIR, unix.ENOENT)
	p.Chdir("/")
	p.Branch(func() { log("b ") }, func() { log("bad2 ") }, unix.ENOENT)
	dir := p.Statx(AtCWD, "/etc", 0)
	p.When(dir.Type(), TypeMask, TypeValue(unix.S_IFDIR), func() { log("c ") }, func() { log("bad3 ") })
	null := p.Statx(AtCWD, "/dev/null", 0)
	p.Require(null.Rdev(), ^uint64(0), RdevValue(1, 3), "is not the null device")
	p.When(null.Type(), TypeMask, TypeValue(unix.S_IFDIR), func() { log("bad4 ") }, func() { log("d ") })
	p.Exit(5)
	s, out := run(t, p, 0)
	text, _ := io.ReadAll(out)
	if string(text) != "a b c d " {
		t.Errorf("printed %q", text)
	}
	if status := wait(t, s); status.ExitStatus() != 5 {
		t.Errorf("status %v", status)
	}
}

func TestSendPassesDescriptors(t *testing.T) {
	p := New(0)
	how := unix.OpenHow{Flags: unix.O_PATH}
	a := p.Openat2(AtCWD, "/etc", how)
	b := p.Openat2(AtCWD, "/dev/null", how)
	value := p.Word()
	p.Put(value, 42)
	p.Send(3, value, a, b)
	p.Exit(0)
	s, _ := run(t, p, 0)
	event, err := s.Next(time.Minute)
	if err != nil || event.Value != 42 || len(event.Files) != 2 {
		t.Fatalf("%+v, %v", event, err)
	}
	for i, want := range []string{"/etc", "/dev/null"} {
		got, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(event.Files[i]))
		if got != want {
			t.Errorf("file %d is %q, want %q", i, got, want)
		}
		unix.Close(event.Files[i])
	}
	wait(t, s)
}

func TestWithoutParentStageEnds(t *testing.T) {
	p := New(0)
	p.Send(1, 0)
	p.Wait()
	p.Exit(0)
	s, _ := run(t, p, 0)
	if _, err := s.Next(time.Minute); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if status := wait(t, s); status.ExitStatus() != 1 {
		t.Errorf("status %v", status)
	}
}

func TestNamespaces(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to make namespaces")
	}
	p := New(0)
	p.Sethostname("stage-test")
	e := p.FindProgram([]string{"/bin/sh"}, "", []string{"sh", "-c", "uname -n; echo $$"}, nil)
	p.Execve(e)
	flags := uintptr(0)
	for _, ns := range Types() {
		if ns != User {
			flags |= ns.Flag()
		}
	}
	s, out := run(t, p, flags)
	text, _ := io.ReadAll(out)
	if string(text) != "stage-test\n1\n" {
		t.Errorf("printed %q", text)
	}
	wait(t, s)
}

// A stage in a new user namespace must be able to take an id of it and to act
// on the other namespaces that came with it.
func TestUserNamespace(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to map ids")
	}
	e, err := Enter([]Namespace{{Type: User}, {Type: UTS}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := New(0)
	e.Emit(p)
	p.Sethostname("stage-test")
	p.Execve(p.FindProgram([]string{"/bin/sh"}, "", []string{"sh", "-c", "id -u; uname -n"}, nil))
	s, out := run(t, p, e.CloneFlags)
	if event, err := s.Next(time.Minute); err != nil || event.Sync != SyncUser {
		t.Fatalf("%+v, %v", event, err)
	}
	for _, file := range []string{"uid_map", "gid_map"} {
		if err := os.WriteFile("/proc/"+strconv.Itoa(s.Pid)+"/"+file, []byte("0 100000 65536"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Reply([]byte("mapped")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next(time.Minute); err != io.EOF {
		t.Errorf("got %v, want EOF", err)
	}
	text, _ := io.ReadAll(out)
	if string(text) != "0\nstage-test\n" {
		t.Errorf("printed %q", text)
	}
	wait(t, s)
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		p := New(0)
		p.Exit(0)
		s, err := p.Start(Options{Args: []string{"stage"}, Cgroup: -1, Stdio: [3]int{0, 1, 2}})
		if err != nil {
			b.Fatal(err)
		}
		var status syscall.WaitStatus
		syscall.Wait4(s.Pid, &status, 0, nil)
		s.Close()
	}
}

// The image's descriptor is not overwritten by those the stage inherits.
func TestImageOutOfTheWay(t *testing.T) {
	p := New(0)
	for range 20 {
		p.Inherit(2, "stderr")
	}
	p.Exit(3)
	s, _ := run(t, p, 0)
	if status := wait(t, s); status.ExitStatus() != 3 {
		t.Errorf("status %v", status)
	}
}

// TestImageIsNotOverwritten puts the image at each number around those that
// the child shuffles; it showed as ENOTDIR from clone once in a thousand starts.
func TestImageIsNotOverwritten(t *testing.T) {
	p := New(0)
	p.Exit(7)
	image, name, err := p.image()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(image)
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	const top = 40 // nothing else is open from here on
	high, err := unix.FcntlInt(null.Fd(), unix.F_DUPFD_CLOEXEC, top)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(high)
	// The last two come before their own numbers, so the child must park them.
	files := []uintptr{0, 1, 2, uintptr(high), 0, 1}
	for number := range top + 16 {
		at, err := unix.FcntlInt(uintptr(image), unix.F_DUPFD_CLOEXEC, max(3, number))
		if err != nil {
			t.Fatal(err)
		}
		fd, err := clearOf(at, files)
		if err != nil {
			t.Fatal(err)
		}
		pid, err := syscall.ForkExec("/proc/self/fd/"+strconv.Itoa(fd)+name, []string{"stage"}, &syscall.ProcAttr{Files: files})
		unix.Close(fd)
		if err != nil {
			t.Errorf("image at %d, moved to %d: %v", at, fd, err)
			continue
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || status.ExitStatus() != 7 {
			t.Errorf("image at %d, moved to %d: status %v, %v", at, fd, status, err)
		}
	}
}
