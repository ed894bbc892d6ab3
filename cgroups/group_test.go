package cgroups

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
)

const second = time.Second

func testDetect(t *testing.T) {
	h, err := Detect()
	must(t, err)
	defer h.Close()
	if got, want := h.Mode.String(), os.Getenv(viewEnv); got != want {
		t.Errorf("mode: got %s, want %s", got, want)
	}
	for _, tree := range h.Hierarchies {
		if _, err := os.Stat(tree.Mount + "/cgroup.procs"); err != nil {
			t.Errorf("%q is no cgroup root: %v", tree.Mount, err)
		}
	}
}

func testLifeCycle(t *testing.T) {
	g := newGroup(t, "life")
	must(t, g.Create(nil))
	for _, place := range g.Location().Places {
		if _, err := os.Stat(place.Dir()); err != nil || place.Made == 0 {
			t.Errorf("not made: %+v, %v", place, err)
		}
	}
	c, other := inside(t, g, "exec sleep 100"), inside(t, g, "exec sleep 100")
	if out := membersOf(t, c.Process.Pid); strings.Count(out, testDir()+"/life\n") != len(g.Location().Places) {
		t.Errorf("process is not in every hierarchy:\n%s", out)
	}
	must(t, g.Freeze(second))
	if frozen, err := g.Frozen(); !frozen || err != nil {
		t.Errorf("frozen: %v, %v", frozen, err)
	}
	must(t, g.Thaw(second))

	// What follows is done by another process, from state.json.
	text, err := json.Marshal(g.Location())
	must(t, err)
	var l Location
	must(t, json.Unmarshal(text, &l))
	if !reflect.DeepEqual(l, g.Location()) {
		t.Errorf("location through JSON: got %+v, want %+v", l, g.Location())
	}
	later := Load(l)
	defer later.Close()
	if pids, err := later.Procs(); err != nil || len(pids) != 2 || !slices.Contains(pids, c.Process.Pid) || !slices.Contains(pids, other.Process.Pid) {
		t.Errorf("procs: %v, %v; want %d and %d", pids, err, c.Process.Pid, other.Process.Pid)
	}
	must(t, later.Freeze(second)) // a frozen container can be killed too
	must(t, later.Kill(second))
	if err := c.Wait(); signalOf(err) != syscall.SIGKILL {
		t.Errorf("the member ended with %v, not by SIGKILL", err)
	}
	must(t, later.Remove(5*second))
	must(t, later.Remove(second)) // again is no error
	for _, place := range l.Places {
		if _, err := os.Stat(place.Mount + testDir()); !os.IsNotExist(err) {
			t.Errorf("%s: still there after Remove, %v", place.Mount+testDir(), err)
		}
	}
}

// A cgroup that existed before Create is used, and stays after Remove.
func testExisting(t *testing.T) {
	first := newGroup(t, "existing")
	must(t, first.Create(nil))
	second := newGroup(t, "existing")
	must(t, second.Create(nil))
	must(t, second.Remove(time.Second))
	for _, place := range first.Location().Places {
		if _, err := os.Stat(place.Dir()); err != nil {
			t.Errorf("a cgroup that was there before is gone: %v", err)
		}
	}
	must(t, first.Remove(time.Second))
}

func testNotEmpty(t *testing.T) {
	g := newGroup(t, "taken")
	must(t, g.Create(nil))
	c := inside(t, g, "exec sleep 100")
	loser := newGroup(t, "taken")
	err := loser.Create(nil)
	if !errors.Is(err, ErrNotEmpty) || !strings.Contains(err.Error(), "container's cgroup is not empty: 1 process(es) found") {
		t.Errorf("create in a cgroup with a process: %v", err)
	}
	// Cleaning up after the failure must not touch the one that was first.
	if err := Load(loser.Location()).Kill(second); !errors.Is(err, ErrNoCgroup) {
		t.Errorf("kill of somebody else's cgroup: %v", err)
	}
	must(t, Load(loser.Location()).Remove(second))
	if pids, err := g.Procs(); err != nil || len(pids) != 1 {
		t.Errorf("the first container has processes %v, %v", pids, err)
	}
	must(t, c.Process.Kill())
	_ = c.Wait()
	must(t, g.Remove(second))
}

func testFrozen(t *testing.T) {
	g := newGroup(t, "ice")
	must(t, g.Create(nil))
	must(t, g.Freeze(second))
	if err := newGroup(t, "ice").Create(nil); !errors.Is(err, ErrFrozen) {
		t.Errorf("create in a frozen cgroup: %v", err)
	}
	child := newGroup(t, "ice/child")
	err := child.Create(nil)
	if !errors.Is(err, ErrFrozen) || !strings.Contains(err.Error(), "/ice above it is frozen") {
		t.Errorf("create below a frozen cgroup: %v", err)
	}
	if _, err := os.Stat(child.census().Dir()); !os.IsNotExist(err) {
		t.Errorf("the refused cgroup is there: %v", err)
	}
	must(t, g.Thaw(second))
	must(t, g.Remove(second))
}

// A setting that the kernel refuses leaves nothing behind.
func testFailedCreate(t *testing.T) {
	g := newGroup(t, "failed/deep")
	huge := int64(1) << 62
	major := int64(4711)
	config := &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &huge}, Devices: []specs.LinuxDeviceCgroup{{Type: "q", Major: &major}}}
	if os.Getenv(viewEnv) != "v2" {
		config.Devices = nil
	}
	if err := g.Create(config); err == nil {
		t.Fatal("a pids limit of 2^62 was taken")
	}
	for _, place := range newGroup(t, "failed/deep").Location().Places {
		if place.Made != 3 {
			t.Errorf("left behind in %s: %d of 3 elements are missing", place.Mount, place.Made)
		}
	}
}

// Sub cgroups made by the container, with processes, go too.
func testNested(t *testing.T) {
	g := newGroup(t, "nest")
	must(t, g.Create(nil))
	inner := newGroup(t, "nest/a/b")
	must(t, inner.Create(nil))
	inside(t, inner, "exec sleep 100")
	if pids, err := g.Procs(); err != nil || len(pids) != 1 {
		t.Errorf("processes with those of sub cgroups: %v, %v", pids, err)
	}
	must(t, g.Kill(second))
	must(t, g.Remove(5*second))
}

func testBusy(t *testing.T) {
	g := newGroup(t, "busy")
	must(t, g.Create(nil))
	c := inside(t, g, "exec sleep 100")
	start := time.Now()
	err := g.Remove(50 * time.Millisecond)
	if code := diag.CodeOf(err); code != "cgroup-busy" {
		t.Errorf("code: %s", code)
	}
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), itoa(int64(c.Process.Pid))+" (s") { // sh, or sleep by now
		t.Errorf("remove with a process inside: %v", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("giving up took %v", took)
	}
	must(t, c.Process.Kill())
	_ = c.Wait()
	must(t, g.Remove(second))
}

func membersOf(t *testing.T, pid int) string {
	text, err := os.ReadFile("/proc/" + itoa(int64(pid)) + "/cgroup")
	must(t, err)
	return string(text)
}

func signalOf(err error) syscall.Signal {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0
	}
	return exit.Sys().(syscall.WaitStatus).Signal()
}

func ownerOf(t *testing.T, path string) int {
	info, err := os.Stat(path)
	must(t, err)
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

// enter tries to start a process in g by clone(2) and returns the error.
func enter(t *testing.T, g *Group) error {
	t.Helper()
	join, err := g.Join()
	must(t, err)
	defer join.Close()
	c := exec.Command("/bin/true")
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: join.Dir}
	err = c.Run()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func testRefusedJoin(t *testing.T) {
	if os.Getenv(viewEnv) == "v1" {
		t.Skip("clone into a cgroup needs version 2")
	}
	pod := newGroup(t, "pod")
	must(t, pod.Create(nil))
	threaded := newGroup(t, "pod/threaded")
	must(t, threaded.Create(nil))
	g := newGroup(t, "pod/invalid")
	must(t, g.Create(nil))
	for name := range strings.FieldsSeq(pod.unified().now("cgroup.subtree_control")) {
		must(t, os.WriteFile(pod.unified().Dir()+"/cgroup.subtree_control", []byte("-"+name), 0)) // these need domains
	}
	must(t, os.WriteFile(threaded.unified().Dir()+"/cgroup.type", []byte("threaded"), 0))
	err := g.ExplainJoin(enter(t, g))
	if !errors.Is(err, syscall.EOPNOTSUPP) || !strings.Contains(err.Error(), `it is "domain invalid"`) || !strings.Contains(err.Error(), `/pod above it is "domain threaded"`) {
		t.Errorf("entering an invalid domain: %v", err)
	}
	must(t, g.Remove(second))
	must(t, threaded.Remove(second))
	if hasField(pod.unified().now("cgroup.controllers"), "hugetlb") { // one that needs domains; cpuset, cpu and pids do not
		must(t, os.WriteFile(pod.unified().Dir()+"/cgroup.subtree_control", []byte("+hugetlb"), 0))
		err = pod.ExplainJoin(enter(t, pod))
		if !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "it has handed controllers down (") {
			t.Errorf("entering a cgroup that is not a leaf: %v", err)
		}
	}
	must(t, pod.Remove(second))
}
