package harness

import (
	"encoding/json"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ContainerProcessState is what goes with a seccomp listener,
// config-linux.md#containerprocessstate.
type ContainerProcessState struct {
	Version  string   `json:"ociVersion"`
	Fds      []string `json:"fds"`
	Pid      int      `json:"pid"`
	Metadata string   `json:"metadata"`
	State    State    `json:"state"`
}

// Listener receives what the runtime sends to a seccomp agent: the state of the
// process and the descriptor on which its calls arrive.
func (s *FDSocket) Listener() (*Listener, ContainerProcessState) {
	s.env.T.Helper()
	f, text := s.Receive()
	var state ContainerProcessState
	if err := json.Unmarshal([]byte(text), &state); err != nil {
		s.env.T.Fatalf("container process state: %v\n%s", err, text)
	}
	return &Listener{env: s.env, f: f}, state
}

// Listener is the descriptor of seccomp_unotify(2).
type Listener struct {
	env *Env
	f   *os.File
}

// notification and response are struct seccomp_notif and seccomp_notif_resp.
type notification struct {
	id         uint64
	pid, flags uint32
	nr, arch   uint32
	ip         uint64
	args       [6]uint64
}

type response struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// The ioctl(2) requests of seccomp_unotify(2).
const (
	notifReceive = 0xc0502100 // SECCOMP_IOCTL_NOTIF_RECV
	notifSend    = 0xc0182101 // SECCOMP_IOCTL_NOTIF_SEND
)

// Deny answers the next call with errno.
func (l *Listener) Deny(errno unix.Errno) {
	t := l.env.T
	t.Helper()
	if err := WaitReadable(int(l.f.Fd()), Timeout()); err != nil {
		t.Fatalf("seccomp listener: %v", err)
	}
	n := &notification{}
	if err := ioctl(l.f, notifReceive, unsafe.Pointer(n)); err != nil {
		t.Fatalf("receive a notification: %v", err)
	}
	r := &response{id: n.id, errno: -int32(errno)}
	if err := ioctl(l.f, notifSend, unsafe.Pointer(r)); err != nil {
		t.Fatalf("answer a notification: %v", err)
	}
}

func ioctl(f *os.File, request uintptr, data unsafe.Pointer) error {
	defer runtime.KeepAlive(f)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(data)); errno != 0 {
		return errno
	}
	return nil
}
