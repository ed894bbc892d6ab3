package systemd

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"ociruntime/tests/harness"
)

// proxy stands between a call of the runtime and the manager's private socket,
// and keeps what the call sends.
type proxy struct {
	mu       sync.Mutex
	requests [][]byte // by connection
	done     sync.WaitGroup
}

// realSocket is the manager's private socket.
func (h *host) realSocket() string {
	if h.user {
		return "/run/user/" + strconv.Itoa(os.Getuid()) + "/systemd/private"
	}
	return "/run/systemd/private"
}

// asked runs a call of the runtime and returns the methods of systemd that it has
// called, in order. wrapper is put in front of the command.
func (h *host) asked(c *harness.Command, wrapper ...string) string {
	h.t.Helper()
	dir := h.File("proxy")
	h.check(os.MkdirAll(filepath.Join(dir, "systemd"), 0o700))
	socket := filepath.Join(dir, "systemd/private")
	_ = os.Remove(socket) // of an earlier call
	l, err := net.Listen("unix", socket)
	h.check(err)
	p := &proxy{}
	p.done.Add(1)
	go func() {
		defer p.done.Done()
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.relay(client, h.realSocket())
		}
	}()
	if h.user {
		wrapper = append(wrapper, "env", "XDG_RUNTIME_DIR="+dir)
	} else { // the path is fixed, so it has another meaning in a mount namespace
		wrapper = append(wrapper, "unshare", "--mount", "sh", "-c", `mount --bind "$0" /run/systemd/private && exec "$@"`, socket)
	}
	c.Args = append(append(wrapper[1:len(wrapper):len(wrapper)], c.Binary), c.Args...)
	c.Binary = wrapper[0]
	c.Run().WantCode(h.t, 0)
	h.check(l.Close())
	p.done.Wait()
	return p.methods()
}

// relay passes everything on, until the client hangs up.
func (p *proxy) relay(client net.Conn, socket string) {
	defer client.Close()
	server, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	var sent bytes.Buffer
	go func() {
		_, _ = io.Copy(client, server) // ends with the connection
	}()
	_, _ = io.Copy(io.MultiWriter(server, &sent), client)
	server.Close()
	p.mu.Lock()
	p.requests = append(p.requests, sent.Bytes())
	p.mu.Unlock()
}

// methods lists what was called. In a message the name of the method stands
// between NULs, as does that of the interface, which no argument of ours equals.
func (p *proxy) methods() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for _, sent := range p.requests {
		names = append(names, "connect")
		calls := bytes.Count(sent, []byte("org.freedesktop.systemd1.Manager\x00"))
		for word := range bytes.SplitSeq(sent, []byte{0}) {
			switch name := string(word); name {
			case "StartTransientUnit", "StopUnit", "ResetFailedUnit", "SetUnitProperties", "AttachProcessesToUnit":
				names = append(names, name)
				calls--
			}
		}
		if calls != 0 {
			names = append(names, strconv.Itoa(calls)+" others")
		}
	}
	return strings.Join(names, " ")
}
