package process

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

const deadline = time.Minute

// outcome is what became of a process that was run for real.
type outcome struct {
	out      string
	status   syscall.WaitStatus
	warnings []string
	err      error // of New, or the stage's Fault
}

// options of start.
type options struct {
	flags uintptr                            // namespaces
	early func(p *nsenter.Program)           // recorded before Setup
	ready func(x *Process, s *nsenter.Stage) // called while the stage waits at the gate
	stdio *[3]int
	d     func(p *nsenter.Program) Descriptors
}

// start runs in on the host's root, as libcontainer would in a container's, and
// collects what it prints.
func start(t *testing.T, in Input, o options) outcome {
	t.Helper()
	x, warnings, err := New(in)
	if err != nil {
		return outcome{err: err, warnings: warnings}
	}
	p := nsenter.New(0)
	if o.early != nil {
		o.early(p)
	}
	var d Descriptors
	if o.d != nil {
		d = o.d(p)
	}
	x.Setup(p, d)
	var files []nsenter.FD
	if fd, ok := x.Passwd(); ok {
		files = append(files, fd)
	}
	const syncReady = 77
	p.Send(syncReady, 0, files...)
	x.ReceiveLate(p)
	p.Wait()
	x.Become(p, nil)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	stdio := [3]int{0, int(w.Fd()), int(w.Fd())}
	if o.stdio != nil {
		stdio = *o.stdio
	}
	s, err := p.Start(nsenter.Options{Args: []string{"stage"}, CloneFlags: o.flags, Cgroup: -1, Stdio: stdio})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		s.Close()
		syscall.Kill(s.Pid, syscall.SIGKILL)
	}()
	result := outcome{warnings: warnings}
	for result.err == nil {
		event, err := s.Next(deadline)
		if err != nil {
			result.err = err
			break
		}
		if event.Sync != syncReady {
			result.err = serve(s, event)
			continue
		}
		if len(event.Files) > 0 {
			s.Reply(x.Late(event.Files[0], s.Pid))
		}
		if result.err = x.Grant(s.Pid); result.err != nil {
			break
		}
		if o.ready != nil {
			o.ready(x, s)
		}
		s.Reply([]byte("go"))
	}
	if result.err == io.EOF { // has become the program
		result.err = nil
		text, _ := io.ReadAll(r)
		result.out = string(text)
	}
	if result.err != nil {
		root, err := unix.Open("/proc/"+strconv.Itoa(s.Pid)+"/root", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		result.err = Explain(result.err, in.Process, root, nil)
		unix.Close(root)
	}
	s.Close()
	syscall.Wait4(s.Pid, &result.status, 0, nil)
	return result
}

// serve answers the syncs of an nsenter.Entry.
func serve(s *nsenter.Stage, e nsenter.Event) error {
	if e.Sync != nsenter.SyncUser {
		return errors.New("unexpected sync")
	}
	for _, file := range []string{"uid_map", "gid_map"} {
		if err := os.WriteFile("/proc/"+strconv.Itoa(s.Pid)+"/"+file, []byte("0 100000 65536"), 0); err != nil {
			return err
		}
	}
	return s.Reply([]byte("mapped"))
}

func needsRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
}

// minimal is a process that has everything it must have.
func minimal(args ...string) *specs.Process {
	return &specs.Process{
		Args: args,
		Cwd:  "/",
		Env:  []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"},
	}
}

// status runs "cat /proc/self/status" and returns its fields.
func status(t *testing.T, in Input, o options) map[string]string {
	t.Helper()
	in.Process.Args = []string{"cat", "/proc/self/status"}
	got := start(t, in, o)
	if got.err != nil || got.status.ExitStatus() != 0 {
		t.Fatalf("%v, status %d, output %q", got.err, got.status, got.out)
	}
	fields := map[string]string{}
	for _, line := range strings.Split(got.out, "\n") {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	return fields
}

func TestMinimal(t *testing.T) {
	needsRoot(t)
	s := status(t, Input{Process: minimal()}, options{flags: unix.CLONE_NEWPID | unix.CLONE_NEWNS})
	for name, want := range map[string]string{
		"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000",
		"CapBnd": "0000000000000000", "CapAmb": "0000000000000000", "Groups": "", "NoNewPrivs": "0",
		"Uid": "0\t0\t0\t0", "Gid": "0\t0\t0\t0",
	} {
		if s[name] != want {
			t.Errorf("%s: got %q, want %q", name, s[name], want)
		}
	}
}
