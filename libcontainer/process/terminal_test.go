package process

import (
	"os"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// TestTerminal lets the stage allocate a terminal, as exec does, takes the
// master out of it, and looks at both ends.
func TestTerminal(t *testing.T) {
	needsRoot(t)
	if _, err := os.Stat("/dev/pts/ptmx"); err != nil {
		t.Skip(err)
	}
	in := Input{Process: minimal("sh", "-c", "stty size; tty; stat -c %u $(tty); cut -d' ' -f5-8 /proc/self/stat; read line; echo got $line")}
	in.Process.Terminal = true
	in.Process.ConsoleSize = &specs.Box{Height: 33, Width: 111}
	in.Process.User.UID = 1000
	x, _, err := New(in)
	if err != nil {
		t.Fatal(err)
	}
	p := nsenter.New(0)
	pts := p.Openat2(nsenter.AtCWD, "/dev/pts", unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY})
	master, slave := OpenConsole(p, pts)
	x.Setup(p, Descriptors{Console: slave})
	p.Send(5, 0, master)
	x.Become(p, nil)
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd := int(null.Fd())
	s, err := p.Start(nsenter.Options{Args: []string{"stage"}, Cgroup: -1, Stdio: [3]int{fd, fd, fd}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	event, err := s.Next(deadline)
	if err != nil || len(event.Files) != 1 {
		t.Fatalf("%+v, %v", event, err)
	}
	console := os.NewFile(uintptr(event.Files[0]), "console")
	defer console.Close()
	console.Write([]byte("hello\n"))
	var out strings.Builder
	end := time.AfterFunc(deadline, func() { unix.Kill(s.Pid, unix.SIGKILL) })
	buf := make([]byte, 4096)
	for {
		n, err := console.Read(buf)
		out.Write(buf[:n])
		if err != nil { // EIO when the last slave is closed
			break
		}
	}
	end.Stop()
	var status unix.WaitStatus
	unix.Wait4(s.Pid, &status, 0, nil)
	var lines []string
	for _, line := range strings.Split(strings.ReplaceAll(out.String(), "\r", ""), "\n") {
		if line != "hello" && line != "" { // the echo of what was typed
			lines = append(lines, line)
		}
	}
	if len(lines) != 5 || lines[0] != "33 111" || !strings.HasPrefix(lines[1], "/dev/pts/") || lines[2] != "1000" || lines[4] != "got hello" {
		t.Fatalf("printed %q, status %x", lines, status)
	}
	// pgrp, session, tty_nr, tpgid: the terminal controls the session, and the
	// process group is in its foreground.
	f := strings.Fields(lines[3])
	if f[0] != f[1] || f[2] == "0" || f[3] != f[0] {
		t.Errorf("job control: %q", lines[3])
	}
}

// A /dev/pts of the image's own making must not be mistaken for a devpts.
func TestConsoleNeedsDevpts(t *testing.T) {
	needsRoot(t)
	dir := t.TempDir()
	p := nsenter.New(0)
	OpenConsole(p, p.Openat2(nsenter.AtCWD, dir, unix.OpenHow{Flags: unix.O_PATH}))
	s, err := p.Start(nsenter.Options{Args: []string{"stage"}, Cgroup: -1, Stdio: [3]int{0, 1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Next(deadline)
	s.Close()
	var status unix.WaitStatus
	unix.Wait4(s.Pid, &status, 0, nil)
	if want := "process.terminal: /dev/pts is not a devpts file system"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestStdioOwner(t *testing.T) {
	needsRoot(t)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	in := Input{Process: minimal("true")}
	in.Process.User.UID = 1000
	got := start(t, in, options{stdio: &[3]int{int(file.Fd()), pipe[1], pipe[1]}})
	if got.err != nil {
		t.Fatal(got.err)
	}
	owner := func(fd int) uint32 {
		var s unix.Stat_t
		if err := unix.Fstat(fd, &s); err != nil {
			t.Fatal(err)
		}
		return s.Uid
	}
	if owner(pipe[0]) != 1000 || owner(int(file.Fd())) != 0 {
		t.Errorf("owners: pipe %d, file %d; want 1000, 0", owner(pipe[0]), owner(int(file.Fd())))
	}
	unix.Close(pipe[0])
	unix.Close(pipe[1])
}
