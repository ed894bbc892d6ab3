package systemd

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/cgroups"
)

// TestRealSystemd goes through the life of a scope with the systemd that runs
// this machine: the system's for root, else the user's own.
func TestRealSystemd(t *testing.T) {
	user := os.Geteuid() != 0
	c, err := dial(user, second)
	if err != nil {
		t.Skip("no systemd here: ", err)
	}
	c.close()
	unit, err := Parse("", "test"+strconv.Itoa(os.Getpid()), user)
	must(t, err)
	r := &specs.LinuxResources{
		Memory:  &specs.LinuxMemory{Limit: ptr(int64(64 << 20))},
		CPU:     &specs.LinuxCPU{Shares: ptr(uint64(512)), Quota: ptr(int64(50000))},
		Pids:    &specs.LinuxPids{Limit: ptr(int64(20))},
		Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}, {Allow: true, Type: "c", Major: ptr(int64(10)), Minor: ptr(int64(229)), Access: "rw"}},
	}
	member := exec.Command("sleep", "100")
	must(t, member.Start())
	defer func() { _ = member.Process.Kill(); _ = member.Wait() }()
	g := start(t, unit, member.Process.Pid, r)
	defer g.Close()
	defer func() { _ = unit.Stop(10 * second) }()

	pids, err := g.Procs()
	if err != nil || len(pids) != 1 || pids[0] != member.Process.Pid {
		t.Errorf("in the scope: %v, %v", pids, err)
	}
	if !user {
		checkShow(t, unit)
		checkDevice(t, unit, g)
	}
	if later, ok := Of(g.Location()); !ok || later.Name != unit.Name || later.User != user {
		t.Errorf("the unit as a later command finds it: %+v, %v", later, ok)
	}
	must(t, g.SetAnd(&specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(30))}}, func() error {
		return unit.Set([]Property{{Name: "TasksMax", Value: uint64(30)}}, patience)
	}))
	if got := show(t, unit, "TasksMax"); got != "30" {
		t.Errorf("after Set TasksMax is %s", got)
	}
	must(t, g.Freeze(patience))
	must(t, g.Thaw(patience))
	active := exec.Command("sleep", "100")
	must(t, active.Start())
	defer func() { _ = active.Process.Kill(); _ = active.Wait() }()
	if err := unit.Start(active.Process.Pid, "x", nil, patience); err == nil || !strings.Contains(err.Error(), strconv.Itoa(member.Process.Pid)+" (sleep)") {
		t.Errorf("start of a unit that is active: %v", err)
	}
	must(t, unit.Attach([]int{active.Process.Pid}, patience))
	must(t, Unit{Name: unit.Name, User: user}.Stop(patience))
	_ = member.Wait()
	must(t, unit.Stop(patience)) // again is no error
	must(t, g.Remove(patience))
	for _, place := range g.Location().Places {
		if _, err := os.Stat(place.Dir()); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", place.Dir(), err)
		}
	}
}

// start does what a create does.
func start(t *testing.T, unit Unit, pid int, r *specs.LinuxResources) *cgroups.Group {
	t.Helper()
	h, err := cgroups.Detect()
	must(t, err)
	defer h.Close()
	g, err := h.NewScope(unit.Path(), unit.Name, unit.User, cgroups.Options{Lenient: unit.User})
	must(t, err)
	properties, err := Properties(r, h.Mode == cgroups.V2)
	must(t, err)
	if !unit.User {
		devices, _, err := Devices(r.Devices)
		must(t, err)
		properties = append(properties, devices...)
	}
	must(t, unit.Start(pid, "test", properties, patience))
	must(t, g.Adopt(pid))
	must(t, g.Create(r))
	join, err := g.Join() // on version 1 the process enters the other hierarchies itself
	must(t, err)
	for _, tasks := range join.Tasks {
		_, err := syscall.Write(tasks.FD, []byte(strconv.Itoa(pid)))
		must(t, err)
	}
	join.Close()
	return g
}

func show(t *testing.T, unit Unit, property string) string {
	t.Helper()
	args := []string{"show", "--value", "-p", property, unit.Name}
	if unit.User {
		args = append([]string{"--user"}, args...)
	}
	out, err := exec.Command("systemctl", args...).CombinedOutput()
	if err != nil {
		t.Errorf("systemctl %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func checkShow(t *testing.T, unit Unit) {
	want := map[string]string{"TasksMax": "20", "DevicePolicy": "strict", "Delegate": "yes", "CPUQuotaPerSecUSec": "500ms"}
	h, err := cgroups.Detect()
	must(t, err)
	h.Close()
	if h.Mode == cgroups.V2 {
		want["MemoryMax"], want["CPUWeight"] = "67108864", "59"
	} else {
		want["MemoryLimit"], want["CPUShares"] = "67108864", "512"
	}
	for property, value := range want {
		if got := show(t, unit, property); got != value {
			t.Errorf("systemctl show %s: %s, want %s", property, got, value)
		}
	}
}

// checkDevice: an allowed device stays open to the container over a
// daemon-reload, and one that is not allowed stays closed.
func checkDevice(t *testing.T, unit Unit, g *cgroups.Group) {
	try := func(when string) {
		t.Helper()
		c := exec.Command("/bin/sh", "-c", "read go; true </dev/null && true <>/dev/fuse && ! true </dev/kmsg")
		go_, err := c.StdinPipe()
		must(t, err)
		must(t, c.Start())
		join, err := g.Join()
		must(t, err)
		defer join.Close()
		for _, tasks := range join.Tasks {
			_, err := syscall.Write(tasks.FD, []byte(strconv.Itoa(c.Process.Pid)))
			must(t, err)
		}
		if join.Dir >= 0 {
			must(t, os.WriteFile("/proc/self/fd/"+strconv.Itoa(join.Dir)+"/cgroup.procs", []byte(strconv.Itoa(c.Process.Pid)), 0))
		}
		_, _ = go_.Write([]byte("\n"))
		if err := c.Wait(); err != nil {
			t.Errorf("%s: devices: %v", when, err)
		}
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		must(t, syscall.Mknod("/dev/fuse", syscall.S_IFCHR|0o600, 10<<8|229))
	}
	try("at first")
	if out, err := exec.Command("systemctl", "daemon-reload").CombinedOutput(); err != nil {
		t.Fatalf("daemon-reload: %v: %s", err, out)
	}
	time.Sleep(100 * time.Millisecond) // it applies what it has read in its own time
	try("after daemon-reload")
}

// patience is for emulated machines.
const patience = 100 * time.Second

func ptr[T any](v T) *T { return &v }
