package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
	"ociruntime/tests/view"
)

// subCgroup makes a cgroup below the container's in every hierarchy, as a
// container that may write there does. It goes with the container.
func subCgroup(t *testing.T, c *harness.Container, name string) {
	t.Helper()
	for hierarchy, dir := range cgroupsOf(t, c.Pid) {
		path := filepath.Join(dir, name)
		check(t, os.MkdirAll(path, 0o755))
		if hierarchy == "cpuset" { // takes no process before it has CPUs and memory nodes
			for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
				write(t, filepath.Join(path, file), read(t, filepath.Join(dir, file)))
			}
		}
	}
}

// cgroupsOf are the directories of all cgroups that a process is in.
func cgroupsOf(t *testing.T, pid int) map[string]string {
	t.Helper()
	dirs, err := view.CgroupDirs(strconv.Itoa(pid))
	check(t, err)
	return dirs
}

// TestExecCgroup: --cgroup puts the process below the container's cgroup, in
// all hierarchies or those named, and nowhere else.
func TestExecCgroup(t *testing.T) {
	t.Parallel()
	_, c := running(t)
	own := cgroupsOf(t, c.Pid)
	subCgroup(t, c, "sub")
	subCgroup(t, c, "sub/deep")
	cases := []struct {
		flags []string
		below func(hierarchy string) string
	}{
		{[]string{"--cgroup", "sub"}, func(string) string { return "/sub" }},
		{[]string{"--cgroup", "/sub/deep"}, func(string) string { return "/sub/deep" }},
		{[]string{"--cgroup", "sub/./deep/"}, func(string) string { return "/sub/deep" }},
		{[]string{"--cgroup", "."}, func(string) string { return "" }},
		{[]string{"--cgroup", "/"}, func(string) string { return "" }},
	}
	if _, v1 := own["memory"]; v1 {
		cases = append(cases, struct {
			flags []string
			below func(string) string
		}{[]string{"--cgroup", "memory,pids:sub", "--cgroup", "freezer:sub/deep"}, func(h string) string {
			return map[string]string{"memory": "/sub", "pids": "/sub", "freezer": "/sub/deep"}[h]
		}})
	}
	for _, x := range cases {
		t.Run(strings.Join(x.flags, " "), func(t *testing.T) {
			_, pid := c.ExecDetached(x.flags, "sleep", "1000")
			for hierarchy, dir := range cgroupsOf(t, pid) {
				want(t, "cgroup of "+hierarchy, dir, own[hierarchy]+x.below(hierarchy))
			}
		})
	}
}

// TestExecCgroupConfined: a path that leads out of the container's cgroup, or
// nowhere, is refused.
func TestExecCgroupConfined(t *testing.T) {
	t.Parallel()
	_, c := running(t)
	subCgroup(t, c, "sub")
	for path, message := range map[string]string{
		"../x": "bad sub cgroup path: ../x", "..": "bad sub cgroup path: ..", "sub/../..": "bad sub cgroup path",
		"/../sub": "bad sub cgroup path", "nosuch": "no such file or directory", "nosuch:sub": "nosuch",
		"memory:../sub": "bad sub cgroup path",
	} {
		c.ExecCommand([]string{"--cgroup", path}, "true").Run().WantError(t, 255, message)
	}
}

// limited gives the container a pids limit.
func limited(n int64) harness.Edit {
	return func(c *specs.Spec) { c.Linux.Resources.Pids = &specs.LinuxPids{Limit: harness.Pointer(n)} }
}

// TestExecPidsLimit: exec needs one process of the container's limit, and when
// that is used up says which limit it is.
func TestExecPidsLimit(t *testing.T) {
	t.Parallel()
	require.Controller(t, "pids")
	for _, userns := range []bool{false, true} {
		t.Run(fmt.Sprintf("userns=%v", userns), func(t *testing.T) {
			t.Parallel()
			edits := []harness.Edit{limited(3), harness.Shell("trap 'exit 0' TERM; sleep 1000 & echo ready; wait")}
			if userns {
				edits = append(edits, harness.UserNamespace)
			}
			_, c := running(t, edits...)
			for range 5 { // it must not add up
				c.Exec("true").WantCode(t, 0)
			}
			_, pid := c.ExecDetached(nil, "sleep", "1000")
			message := c.Exec("true").WantError(t, 255, "pids.max", "is 3", "resource temporarily unavailable")
			if !strings.Contains(message, c.CgroupDir("pids")) {
				t.Errorf("the message does not name the cgroup %s: %s", c.CgroupDir("pids"), message)
			}
			c.ExecCommand([]string{"-d"}, "true").Run().WantError(t, 255, "pids.max")
			check(t, unix.Kill(pid, unix.SIGKILL))
			c.WaitPid(pid)
			c.Exec("true").WantCode(t, 0)
		})
	}
}

// TestExecPidsLimitAbove: the limit may be that of a cgroup above.
func TestExecPidsLimitAbove(t *testing.T) {
	t.Parallel()
	require.Controller(t, "pids")
	env := harness.New(t)
	bundle := env.Bundle(harness.Forever)
	bundle.Edit(func(c *specs.Spec) { c.Linux.CgroupsPath += "/leaf" })
	c := env.Running(bundle)
	c.Exec("true").WantCode(t, 0)
	above := filepath.Dir(c.CgroupDir("pids"))
	write(t, filepath.Join(above, "pids.max"), "2") // sh and its sleep
	c.Exec("true").WantError(t, 255, above, "is 2")
}

// pause freezes the container and arranges for it to run on at the end.
func pause(t *testing.T, c *harness.Container) {
	t.Helper()
	c.Call("pause").WantQuiet(t)
	t.Cleanup(func() { c.Call("resume") })
}

// TestExecPaused: exec refuses a paused container.
func TestExecPaused(t *testing.T) {
	t.Parallel()
	_, c := running(t)
	pause(t, c)
	for _, flags := range [][]string{nil, {"-d"}} {
		c.ExecCommand(flags, "true").Run().WantError(t, 255, "cannot exec in a paused container (use --ignore-paused to override)")
	}
	c.Call("resume").WantQuiet(t)
	c.Exec("true").WantCode(t, 0)
}

// TestExecIgnorePausedDetached returns, and the program runs after the resume.
func TestExecIgnorePausedDetached(t *testing.T) {
	t.Parallel()
	for _, userns := range []bool{false, true} {
		t.Run(fmt.Sprintf("userns=%v", userns), func(t *testing.T) {
			t.Parallel()
			edit := harness.Edit(func(*specs.Spec) {})
			if userns {
				edit = harness.UserNamespace
			}
			_, c := running(t, edit, func(c *specs.Spec) { c.Process.User = specs.User{UID: 5, GID: 6} })
			pause(t, c)
			call, pid := c.ExecDetached([]string{"--ignore-paused"}, "sh", "-c", "echo done; exit 6")
			want(t, "cgroups", fmt.Sprint(cgroupsOf(t, pid)), fmt.Sprint(cgroupsOf(t, c.Pid)))
			want(t, "output while paused", call.Stdout(), "")
			c.Call("resume").WantQuiet(t)
			want(t, "exit status", c.WaitPid(pid).ExitStatus(), 6)
			want(t, "output", call.Stdout(), "done\n")
		})
	}
}

// TestExecIgnorePausedForeground waits for the resume; not for ever, and not
// against the will of who interrupts it.
func TestExecIgnorePausedForeground(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	pause(t, c)

	process := c.ExecCommand([]string{"--ignore-paused"}, "sh", "-c", "echo done; exit 6").Start()
	waitChildIn(t, c, 1)
	c.Call("resume").WantQuiet(t)
	want(t, "output", process.Wait().WantCode(t, 6).Stdout, "done\n")

	pause(t, c)
	process = c.ExecCommand([]string{"--ignore-paused"}, "true").Start()
	waitChildIn(t, c, 1)
	began := time.Now()
	process.Signal(syscall.SIGTERM)
	process.Wait().WantError(t, 255, "interrupted by SIGTERM")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the signal took %v", took)
	}

	x := env.Command("--timeout", "1s", "exec", "--ignore-paused", c.ID, "true")
	process = x.Start()
	process.Wait().WantError(t, 255, "did not start in 1s", "still paused")
	c.Call("resume").WantQuiet(t)
	check(t, harness.Eventually(harness.Timeout(), func() bool {
		view.ReapOrphans() // the version 1 freezer has held them longer than exec lived
		return len(strings.Fields(read(t, filepath.Join(c.CgroupDir("freezer"), "cgroup.procs")))) == 2
	}))
}

// waitChildIn waits until the container's cgroup has that many processes more
// than without exec.
func waitChildIn(t *testing.T, c *harness.Container, more int) {
	t.Helper()
	dir := c.CgroupDir("freezer")
	check(t, harness.Eventually(harness.Timeout(), func() bool {
		return len(strings.Fields(read(t, filepath.Join(dir, "cgroup.procs")))) == 2+more // sh and sleep
	}))
}

// TestExecPausedMeanwhile: a container that is paused while an exec enters it
// does not hold that up for long. The pause comes at any moment.
func TestExecPausedMeanwhile(t *testing.T) {
	t.Parallel()
	env, c := running(t)
	for i := range 20 {
		process := c.ExecCommand(nil, "true").Start()
		time.Sleep(time.Duration(i) * 200 * time.Microsecond)
		env.Call("pause", c.ID).WantQuiet(t)
		resume := time.AfterFunc(300*time.Millisecond, func() { env.Call("resume", c.ID) })
		began := time.Now()
		if r := process.Wait(); r.Code != 0 && !strings.Contains(r.Stderr, "cannot exec in a paused container") {
			t.Error(r)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		if resume.Stop() {
			env.Call("resume", c.ID)
		} else {
			check(t, harness.Eventually(harness.Timeout(), func() bool { return c.State().Status == "running" }))
		}
	}
}

// TestExecAffinity: process.execCPUAffinity holds for exec; its final set for
// the program.
func TestExecAffinity(t *testing.T) {
	t.Parallel()
	_, c := running(t, func(c *specs.Spec) {
		c.Process.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0", Final: "0"}
	})
	cpus := func(r harness.Result) string { return statusField(t, r.WantCode(t, 0).Stdout, "Cpus_allowed_list") }
	want(t, "from config.json", cpus(c.Exec("cat", "/proc/self/status")), "0")
	all := statusField(t, read(t, c.Proc("status")), "Cpus_allowed_list")
	if all == "0" {
		t.Skip("needs two CPUs")
	}
	write(t, c.Bundle.Path("../process.json"), `{"args":["cat","/proc/self/status"],"cwd":"/","env":["PATH=/bin"],
		"execCPUAffinity":{"initial":"0"}}`)
	process := []string{"--process", filepath.Join(c.Bundle.Dir, "process.json")}
	// Without a final set the kernel resets it when the process enters a cpuset,
	// as far as it has one: the initial one may remain.
	if got := cpus(c.ExecCommand(process).Run()); got != all && got != "0" {
		t.Errorf("with an initial set only: CPUs %s, want %s or 0", got, all)
	}
	want(t, "cgroup", c.Exec("cat", "/proc/self/cgroup").Stdout, c.Exec("cat", "/proc/1/cgroup").Stdout)
	write(t, c.Bundle.Path("../process.json"), `{"args":["true"],"cwd":"/","env":["PATH=/bin"],"execCPUAffinity":{"initial":"9999999"}}`)
	c.ExecCommand(process).Run().WantError(t, 255, "execCPUAffinity.initial")
}

// TestExecHandedDown: a version 2 cgroup that has handed controllers down to
// those below takes no process any more; exec goes where the container's first
// process has gone. That is what containers with systemd look like.
func TestExecHandedDown(t *testing.T) {
	t.Parallel()
	require.CgroupV2(t)
	list := strings.Fields(read(t, "/sys/fs/cgroup/cgroup.controllers"))
	if len(list) == 0 {
		require.Controller(t, "memory")
	}
	_, c := running(t)
	top := c.CgroupDir("")
	init := filepath.Join(top, "init.scope")
	check(t, os.Mkdir(init, 0o755))
	for _, pid := range strings.Fields(read(t, filepath.Join(top, "cgroup.procs"))) {
		write(t, filepath.Join(init, "cgroup.procs"), pid)
	}
	handed := false
	for _, controller := range strings.Fields(read(t, filepath.Join(top, "cgroup.controllers"))) {
		handed = os.WriteFile(filepath.Join(top, "cgroup.subtree_control"), []byte("+"+controller), 0o644) == nil || handed
	}
	if !handed {
		t.Skip("no controller to hand down")
	}
	_, pid := c.ExecDetached(nil, "sleep", "1000")
	want(t, "cgroup", cgroupsOf(t, pid)[""], init)
}
