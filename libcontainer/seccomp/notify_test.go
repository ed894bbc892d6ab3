package seccomp

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// agent listens on path, takes one connection, and returns all it was sent.
type agent struct {
	message []byte
	fds     []int
	first   int // bytes that came with the fds
}

func listen(t *testing.T, path string, backlog int) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	dir, err := os.Open(filepath.Dir(path)) // paths may be longer than sockaddr_un
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	short := filepath.Join("/proc/self/fd", itoa(int(dir.Fd())), filepath.Base(path))
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: short}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, backlog); err != nil {
		t.Fatal(err)
	}
	return fd
}

func itoa(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}

func (a *agent) serve(listening int) error {
	fd, _, err := unix.Accept4(listening, unix.SOCK_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	buf, control := make([]byte, 1<<16), make([]byte, unix.CmsgSpace(16*4))
	for {
		n, oobn, _, _, err := unix.Recvmsg(fd, buf, control, unix.MSG_CMSG_CLOEXEC)
		if err != nil || n == 0 {
			return err
		}
		if oobn > 0 {
			messages, err := unix.ParseSocketControlMessage(control[:oobn])
			if err != nil {
				return err
			}
			for _, m := range messages {
				fds, err := unix.ParseUnixRights(&m)
				if err != nil {
					return err
				}
				a.fds = append(a.fds, fds...)
				a.first = len(a.message)
			}
		}
		a.message = append(a.message, buf[:n]...)
	}
}

func TestProcessState(t *testing.T) {
	state := `{"ociVersion":"1.3.0","id":"a","status":"creating","pid":7,"bundle":"/b"}`
	b := ProcessState("1.3.0", 42, "meta \"\n\x01 data", []byte(state))
	var got specs.ContainerProcessState
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	if got.Version != "1.3.0" || len(got.Fds) != 1 || got.Fds[0] != "seccompFd" || got.Pid != 42 ||
		got.Metadata != "meta \"\n\x01 data" || got.State.Status != specs.StateCreating || got.State.Pid != 7 {
		t.Errorf("got %+v", got)
	}
	if strings.Contains(string(ProcessState("1.3.0", 1, "", []byte("{}"))), "metadata") {
		t.Error("metadata that the profile does not have")
	}
}

func TestSendListener(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	if err := os.Mkdir(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	long := ProcessState("1.3.0", 1, strings.Repeat("m", 3<<20), []byte("{}")) // more than a socket buffer
	for name, c := range map[string]struct {
		path    string
		message []byte
	}{
		"short":        {filepath.Join(t.TempDir(), "a.sock"), ProcessState("1.3.0", 1, "", []byte("{}"))},
		"long message": {filepath.Join(t.TempDir(), "a.sock"), long},
		"long path":    {filepath.Join(deep, "a.sock"), []byte("{}")},
	} {
		t.Run(name, func(t *testing.T) {
			listening := listen(t, c.path, 1)
			var a agent
			served := make(chan error, 1)
			go func() { served <- a.serve(listening) }()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if err := SendListener(c.path, int(w.Fd()), c.message, 10*time.Second); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Errorf("the listener was closed: %v", err)
			}
			if err := <-served; err != nil {
				t.Fatal(err)
			}
			if string(a.message) != string(c.message) || len(a.fds) != 1 || a.first != 0 {
				t.Fatalf("%d of %d bytes, fds %v after byte %d", len(a.message), len(c.message), a.fds, a.first)
			}
			if _, err := unix.Write(a.fds[0], []byte("x")); err != nil {
				t.Errorf("the fd that arrived is another one: %v", err)
			}
			_ = unix.Close(a.fds[0])
			if b := make([]byte, 1); true {
				if n, _ := r.Read(b); n != 1 {
					t.Error("nothing came through the fd")
				}
			}
		})
	}
}

func TestSendListenerFails(t *testing.T) {
	dir := t.TempDir()
	file, full, idle := filepath.Join(dir, "file"), filepath.Join(dir, "full"), filepath.Join(dir, "idle")
	_ = os.WriteFile(file, nil, 0o600)
	listen(t, idle, 5)
	listen(t, full, 0)
	blocked, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(blocked)
	if err := unix.Connect(blocked, &unix.SockaddrUnix{Name: full}); err != nil { // the one place in the queue
		t.Fatal(err)
	}
	big := make([]byte, 8<<20)
	for path, text := range map[string]string{
		filepath.Join(dir, "missing"): "no such file or directory",
		file:                          "connection refused",
		full:                          "does not answer",
		idle:                          "does not answer",
	} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			err := SendListener(path, 0, big, 50*time.Millisecond)
			if err == nil || !strings.Contains(err.Error(), text) || !strings.HasPrefix(err.Error(), "linux.seccomp.listenerPath: ") {
				t.Errorf("got %v, want %s", err, text)
			}
		})
	}
}
