package systemd

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
)

// manager is a systemd of the test's own: it speaks D-Bus with another
// implementation than ours and counts what it is asked.
type manager struct {
	t         *testing.T
	mu        sync.Mutex
	calls     []string             // the methods, in the order in which they came
	messages  [][]any              // their arguments
	exists    bool                 // a failed unit of the name is still there
	active    bool                 // and cannot be reset
	processes []process            // of the unit
	unknown   string               // a property it does not know
	result    string               // of jobs; default "done"
	answerNot bool                 // keeps silent
	early     bool                 // sends the signal before the answer
	refuse    map[string][2]string // errors by method
}

// process is one in the answer to GetUnitProcesses.
type process struct {
	Cgroup  string
	Pid     uint32
	Command string
}

func encodeMessage(t testing.TB, m *dbus.Message) []byte {
	t.Helper()
	return encodeMessageIn(t, m, binary.LittleEndian)
}

func encodeMessageIn(t testing.TB, m *dbus.Message, order binary.ByteOrder) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.EncodeTo(&b, order); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// asked returns what has been asked on connections that are closed, and forgets it.
func (m *manager) asked() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls := strings.Join(m.calls, " ")
	m.calls = nil
	return calls
}

// first returns the arguments of the first call.
func (m *manager) first() []any {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.messages[0]
}

// listen puts the manager where the private socket of a user manager is.
func listen(t *testing.T, m *manager) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	must(t, os.Mkdir(filepath.Join(dir, "systemd"), 0o700))
	l, err := net.Listen("unix", filepath.Join(dir, "systemd/private"))
	must(t, err)
	m.t = t
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.serve(c)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
}

func (m *manager) serve(c net.Conn) {
	defer c.Close()
	m.mu.Lock() // one connection at a time; the test looks only while nothing is asked
	defer m.mu.Unlock()
	m.calls = append(m.calls, "connect")
	// systemd forgets a message that it reads together with BEGIN.
	hello := make([]byte, 4096)
	n, _ := c.Read(hello)
	if got := string(hello[:n]); got != "\x00AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n" {
		m.t.Errorf("authentication: %q", got)
		return
	}
	_, _ = io.WriteString(c, "DATA\r\n")
	_, _ = io.WriteString(c, "OK 0123456789abcdef0123456789abcdef\r\n")
	m.talk(c, c)
}

func (m *manager) talk(c net.Conn, r io.Reader) {
	for {
		call, err := dbus.DecodeMessage(r)
		if err != nil {
			return
		}
		member := call.Headers[dbus.FieldMember].Value().(string)
		m.calls = append(m.calls, member)
		m.messages = append(m.messages, call.Body)
		if m.answerNot {
			continue
		}
		m.answer(c, call, member)
	}
}

func (m *manager) answer(c net.Conn, call *dbus.Message, member string) {
	reply := &dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{dbus.FieldReplySerial: dbus.MakeVariant(call.Serial())}}
	fail := func(name, text string) {
		reply.Type = dbus.TypeError
		reply.Headers[dbus.FieldErrorName] = dbus.MakeVariant(name)
		reply.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(""))
		reply.Body = []any{text}
	}
	job := false
	switch refused := m.refuse[member]; {
	case refused[0] != "":
		fail(refused[0], refused[1])
	case member == "GetUnitProcesses":
		reply.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(m.processes))
		reply.Body = []any{m.processes}
	case member == "ResetFailedUnit":
		m.exists = m.active
	case member == "StartTransientUnit" && m.exists:
		fail(unitExists, "Unit x.scope was already loaded or has a fragment file.")
	case member == "StartTransientUnit" && m.unknown != "" && hasProperty(call, m.unknown):
		fail(readOnly, "Cannot set property "+m.unknown+", or unknown property.")
	case member == "StartTransientUnit" || member == "StopUnit":
		job = true
		reply.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(dbus.ObjectPath("/")))
		reply.Body = []any{dbus.ObjectPath("/job/7")}
	}
	result := m.result
	if result == "" {
		result = "done"
	}
	answer, removed := encodeMessage(m.t, reply), jobRemoved(m.t, result)
	switch {
	case !job:
		_, _ = c.Write(answer)
	case m.early:
		_, _ = c.Write(append(removed, answer...))
	default: // in pieces, as a stream may deliver it
		both := append(answer, removed...)
		for _, b := range both[:len(answer)+20] {
			_, _ = c.Write([]byte{b})
		}
		_, _ = c.Write(both[len(answer)+20:])
	}
}

func hasProperty(call *dbus.Message, name string) bool {
	for _, p := range call.Body[2].([][]any) {
		if p[0] == name {
			return true
		}
	}
	return false
}

var testUnit = Unit{Name: "x.scope", Slice: "system.slice", User: true}

const second = time.Second

// A create is one connection, one call and one signal; so is a delete.
func TestStartAndStop(t *testing.T) {
	for _, early := range []bool{false, true} {
		m := &manager{early: early}
		listen(t, m)
		must(t, testUnit.Start(4711, "ID", []Property{{Name: "MemoryMax", Value: uint64(5)}}, 5*second))
		if got := m.asked(); got != "connect StartTransientUnit" {
			t.Errorf("to start: %s", got)
		}
		properties := map[string]string{}
		for _, p := range m.first()[2].([][]any) {
			properties[p[0].(string)] = p[1].(dbus.Variant).String()
		}
		for name, want := range map[string]string{"PIDs": "@au [4711]", "Slice": `"system.slice"`, "Delegate": "true", "MemoryMax": "@t 5", "Description": `"container ID"`} {
			if properties[name] != want {
				t.Errorf("property %s is %s, want %s", name, properties[name], want)
			}
		}
		must(t, testUnit.Stop(5*second))
		if got := m.asked(); got != "connect StopUnit" {
			t.Errorf("to stop: %s", got)
		}
	}
}

func TestFailedUnitIsReset(t *testing.T) {
	m := &manager{exists: true}
	listen(t, m)
	must(t, testUnit.Start(4711, "ID", nil, 5*second))
	if got := m.asked(); got != "connect StartTransientUnit GetUnitProcesses ResetFailedUnit StartTransientUnit" {
		t.Errorf("calls: %s", got)
	}
}

func TestUnitStays(t *testing.T) {
	m := &manager{exists: true, active: true}
	listen(t, m)
	err := testUnit.Start(4711, "ID", nil, 5*second)
	if err == nil || !strings.Contains(err.Error(), `start systemd unit "x.scope": Unit x.scope was already loaded`) {
		t.Errorf("a unit that stays: %v", err)
	}
}

// A unit with processes is somebody else's, and left alone.
func TestUnitIsActive(t *testing.T) {
	m := &manager{exists: true, processes: []process{{"/a.slice/x.scope", uint32(os.Getpid()), "a"}, {"/a.slice/x.scope/b", 1, ""}}}
	listen(t, m)
	err := testUnit.Start(4711, "ID", nil, 5*second)
	if !errors.Is(err, ErrActive) || !strings.Contains(err.Error(), "processes "+strconv.Itoa(os.Getpid())+" (systemd.test), 1 (") {
		t.Errorf("a unit with processes: %v", err)
	}
	if got := m.asked(); got != "connect StartTransientUnit GetUnitProcesses" {
		t.Errorf("calls: %s", got)
	}
}

// What a killed create may have left is stopped only if nobody is in it.
func TestStopEmpty(t *testing.T) {
	m := &manager{}
	listen(t, m)
	must(t, testUnit.StopEmpty(5*second))
	if got := m.asked(); got != "connect GetUnitProcesses StopUnit" {
		t.Errorf("an empty unit: %s", got)
	}
	m = &manager{processes: []process{{"/x.scope", 4711, "a"}}}
	listen(t, m)
	must(t, testUnit.StopEmpty(5*second))
	if got := m.asked(); got != "connect GetUnitProcesses" {
		t.Errorf("a unit with processes: %s", got)
	}
	m = &manager{refuse: map[string][2]string{"GetUnitProcesses": {noSuchUnit, "Unit x.scope not loaded."}, "StopUnit": {noSuchUnit, "Unit x.scope not loaded."}}}
	listen(t, m)
	must(t, testUnit.StopEmpty(5*second))
}

// An older systemd does not know every property; what it does not know must
// not keep the container from starting.
func TestOldSystemd(t *testing.T) {
	m := &manager{unknown: "AllowedCPUs"}
	listen(t, m)
	cpus := "0-1"
	properties, err := Properties(&specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: cpus}}, true)
	must(t, err)
	must(t, testUnit.Start(4711, "ID", properties, 5*second))
	if got := m.asked(); got != "connect StartTransientUnit StartTransientUnit" {
		t.Errorf("calls: %s", got)
	}
	m = &manager{unknown: "TasksAccounting"} // one that every systemd must have
	listen(t, m)
	if err := testUnit.Start(4711, "ID", nil, 5*second); err == nil || !strings.Contains(err.Error(), "unknown property") {
		t.Errorf("a required property is unknown: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	cases := []struct {
		name    string
		manager *manager
		do      func() error
		want    string
	}{
		{"job fails", &manager{result: "failed"}, func() error { return testUnit.Start(1, "ID", nil, second) },
			`start systemd unit "x.scope": systemd's job ended with "failed" (see: journalctl --user --unit x.scope)`},
		{"silence", &manager{answerNot: true}, func() error { return testUnit.Start(1, "ID", nil, 50*time.Millisecond) },
			`start systemd unit "x.scope": systemd did not answer in time (see: systemctl --user list-jobs)`},
		{"not allowed", &manager{refuse: map[string][2]string{"StartTransientUnit": {needsAuth, "Interactive authentication required."}}},
			func() error { return testUnit.Start(1, "ID", nil, second) },
			`start systemd unit "x.scope": Interactive authentication required. (the system's systemd obeys root only; a user needs a manager of his own (--rootless))`},
		{"stop of what is gone", &manager{refuse: map[string][2]string{"StopUnit": {noSuchUnit, "Unit x.scope not loaded."}}},
			func() error { return testUnit.Stop(second) }, ""},
		{"attach", &manager{}, func() error { return testUnit.Attach([]int{1, 2}, second) }, ""},
		{"set", &manager{}, func() error { return testUnit.Set([]Property{{Name: "TasksMax", Value: uint64(3)}}, second) }, ""},
		{"set refused", &manager{refuse: map[string][2]string{"SetUnitProperties": {"org.freedesktop.systemd1.NoSuchUnit", "Unit x.scope not loaded."}}},
			func() error { return testUnit.Set([]Property{{Name: "TasksMax", Value: uint64(3)}}, second) },
			`set properties of systemd unit "x.scope": Unit x.scope not loaded.`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			listen(t, c.manager)
			got := ""
			if err := c.do(); err != nil {
				got = err.Error()
				if code := diag.CodeOf(err); code != "systemd-unit" {
					t.Errorf("code: %s", code)
				}
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestNoSession(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/nonexistent/1000")
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	err := testUnit.Start(1, "ID", nil, second)
	if !errors.Is(err, ErrNoSession) || !strings.Contains(err.Error(), "/nonexistent/1000/bus is missing; log in, or run: loginctl enable-linger ") {
		t.Errorf("without a session: %v", err)
	}
}

func TestEndpoints(t *testing.T) {
	env := map[string]string{}
	getenv := func(name string) string { return env[name] }
	if got := endpoints(false, getenv); len(got) != 2 || got[0] != (endpoint{"/run/systemd/private", false}) || got[1] != (endpoint{"/run/dbus/system_bus_socket", true}) {
		t.Errorf("system: %v", got)
	}
	env["DBUS_SESSION_BUS_ADDRESS"] = "tcp:host=x;unix:guid=1,abstract=/tmp/%64bus%2c1;unix:path=/later"
	env["XDG_RUNTIME_DIR"] = "/run/user/7"
	got := endpoints(true, getenv)
	want := []endpoint{{"/run/user/7/systemd/private", false}, {"@/tmp/dbus,1", true}, {"/run/user/7/bus", true}}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("user: got %v, want %v", got, want)
		}
	}
	for _, bad := range []string{"", "unix:", "unix:path=", "unix:path=/a%2", "unix:path=/a%zz", "unixexec:path=/x"} {
		if got := socketPath(bad); got != "" {
			t.Errorf("%q gave %q", bad, got)
		}
	}
}

func FuzzSocketPath(f *testing.F) {
	f.Add("unix:path=/run/user/1000/bus,guid=00")
	f.Add("unix:abstract=%2f%")
	f.Fuzz(func(t *testing.T, address string) { _ = socketPath(address) })
}

// TestRealBus goes through a dbus-daemon, behind which a service of the test
// plays systemd.
func TestRealBus(t *testing.T) {
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("no dbus-daemon here")
	}
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+dir+"/bus")
	c := exec.Command(daemon, "--session", "--nofork", "--print-address=1", "--address=unix:path="+dir+"/bus")
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	server, err := dbus.Connect("unix:path=" + dir + "/bus")
	must(t, err)
	defer server.Close()
	service := &service{server: server}
	must(t, server.Export(service, managerPath, managerType))
	_, err = server.RequestName(managerName, dbus.NameFlagDoNotQueue)
	must(t, err)
	must(t, testUnit.Start(4711, "ID", []Property{{Name: "DeviceAllow", Value: []NamedString{{"/dev/char/1:3", "rwm"}}}}, 5*second))
	must(t, testUnit.Stop(5*second))
	service.mu.Lock()
	if len(service.properties) < 5 || service.name != "x.scope" {
		t.Errorf("systemd was asked for %s with %v", service.name, service.properties)
	}
	service.mu.Unlock()
	if err := testUnit.Attach([]int{1}, second); err == nil || !strings.Contains(err.Error(), "AttachProcessesToUnit") {
		t.Errorf("a method that is not there: %v", err)
	}
}

type service struct {
	server     *dbus.Conn
	mu         sync.Mutex
	name       string
	properties []struct {
		Name  string
		Value dbus.Variant
	}
}

func (s *service) StartTransientUnit(name, mode string, properties []struct {
	Name  string
	Value dbus.Variant
}, aux []struct {
	Name       string
	Properties []struct {
		Name  string
		Value dbus.Variant
	}
}) (dbus.ObjectPath, *dbus.Error) {
	s.mu.Lock()
	s.name, s.properties = name, properties
	s.mu.Unlock()
	return s.job()
}

func (s *service) StopUnit(name, mode string) (dbus.ObjectPath, *dbus.Error) { return s.job() }

func (s *service) job() (dbus.ObjectPath, *dbus.Error) {
	_ = s.server.Emit(managerPath, managerType+".JobRemoved", uint32(7), dbus.ObjectPath("/job/7"), "x.scope", "done")
	return "/job/7", nil
}
