package tests

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
	"ociruntime/tests/view"
)

// resources edits linux.resources.
func resources(edit func(r *specs.LinuxResources)) harness.Edit {
	return func(c *specs.Spec) { edit(c.Linux.Resources) }
}

// TestCgroupSettings: each limit, as its file shows it. A view without the
// controller skips its cases.
func TestCgroupSettings(t *testing.T) {
	t.Parallel()
	const mib = int64(1 << 20)
	cases := []struct {
		name           string
		controller     string
		edit           func(r *specs.LinuxResources)
		fileV1, fileV2 string
		v1, v2         string
	}{
		{"memory limit", "memory", func(r *specs.LinuxResources) { r.Memory = &specs.LinuxMemory{Limit: harness.Pointer(64 * mib)} },
			"memory.limit_in_bytes", "memory.max", "67108864", "67108864"},
		{"memory unlimited", "memory", func(r *specs.LinuxResources) { r.Memory = &specs.LinuxMemory{Limit: harness.Pointer(int64(-1))} },
			"memory.limit_in_bytes", "memory.max", "9223372036854771712", "max"},
		{"memory reservation", "memory", func(r *specs.LinuxResources) { r.Memory = &specs.LinuxMemory{Reservation: harness.Pointer(32 * mib)} },
			"memory.soft_limit_in_bytes", "memory.low", "33554432", "33554432"},
		{"memory and swap", "memory", func(r *specs.LinuxResources) {
			r.Memory = &specs.LinuxMemory{Limit: harness.Pointer(64 * mib), Swap: harness.Pointer(96 * mib)}
		}, "memory.memsw.limit_in_bytes", "memory.swap.max", "100663296", "33554432"},
		{"swappiness", "memory", func(r *specs.LinuxResources) { r.Memory = &specs.LinuxMemory{Swappiness: harness.Pointer(uint64(7))} },
			"memory.swappiness", "", "7", ""},
		{"OOM killer", "memory", func(r *specs.LinuxResources) { r.Memory = &specs.LinuxMemory{DisableOOMKiller: harness.Pointer(true)} },
			"memory.oom_control", "", "oom_kill_disable 1\nunder_oom 0\noom_kill 0", ""},
		{"cpu shares", "cpu", func(r *specs.LinuxResources) { r.CPU = &specs.LinuxCPU{Shares: harness.Pointer(uint64(512))} },
			"cpu.shares", "", "512", ""},
		{"cpu quota", "cpu", func(r *specs.LinuxResources) {
			r.CPU = &specs.LinuxCPU{Quota: harness.Pointer(int64(50000)), Period: harness.Pointer(uint64(200000))}
		}, "cpu.cfs_quota_us", "cpu.max", "50000", "50000 200000"},
		{"cpu period", "cpu", func(r *specs.LinuxResources) { r.CPU = &specs.LinuxCPU{Period: harness.Pointer(uint64(50000))} },
			"cpu.cfs_period_us", "cpu.max", "50000", "max 50000"},
		{"cpu quota without limit", "cpu", func(r *specs.LinuxResources) { r.CPU = &specs.LinuxCPU{Quota: harness.Pointer(int64(-1))} },
			"cpu.cfs_quota_us", "cpu.max", "-1", "max 100000"},
		{"cpu burst", "cpu", func(r *specs.LinuxResources) {
			r.CPU = &specs.LinuxCPU{Quota: harness.Pointer(int64(50000)), Burst: harness.Pointer(uint64(10000))}
		}, "cpu.cfs_burst_us", "cpu.max.burst", "10000", "10000"},
		{"cpu idle", "cpu", func(r *specs.LinuxResources) { r.CPU = &specs.LinuxCPU{Idle: harness.Pointer(int64(1))} },
			"cpu.idle", "cpu.idle", "1", "1"},
		{"cpuset cpus", "cpuset", func(r *specs.LinuxResources) { r.CPU = &specs.LinuxCPU{Cpus: "0"} },
			"cpuset.cpus", "cpuset.cpus", "0", "0"},
		{"cpuset mems", "cpuset", func(r *specs.LinuxResources) { r.CPU = &specs.LinuxCPU{Mems: "0"} },
			"cpuset.mems", "cpuset.mems", "0", "0"},
		{"pids", "pids", func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: harness.Pointer(int64(42))} },
			"pids.max", "pids.max", "42", "42"},
		{"pids unlimited", "pids", func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: harness.Pointer(int64(-1))} },
			"pids.max", "pids.max", "max", "max"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Controller(t, c.controller)
			wanted := c.v1
			if !view.HasControllerV1(c.controller) {
				if wanted = c.v2; c.fileV2 == "" {
					t.Skip("v1 only")
				}
			}
			env := harness.New(t)
			container := env.Create(env.Bundle(resources(c.edit)))
			want(t, c.fileV1, container.Setting(c.controller, c.fileV1, c.fileV2), wanted)
		})
	}
}

// TestCgroupMembership: the process is in the container's cgroup in every
// hierarchy, and only it.
func TestCgroupMembership(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Forever)
	c := env.Create(bundle)
	wanted := bundle.Config().Linux.CgroupsPath
	check := func(when string) {
		t.Helper()
		dirs, err := view.CgroupDirs(strconv.Itoa(c.Pid))
		if err != nil || len(dirs) == 0 {
			t.Fatalf("%s: %v, %v", when, dirs, err)
		}
		for name, dir := range dirs {
			if !strings.HasSuffix(dir, wanted) {
				t.Errorf("%s: hierarchy %q: in %s, want %s", when, name, dir, wanted)
				continue
			}
			want(t, when+": processes in "+dir, strings.TrimSpace(read(t, filepath.Join(dir, "cgroup.procs"))), strconv.Itoa(c.Pid))
		}
	}
	check("created")
	dirs := view.CgroupsNamed(strings.TrimPrefix(wanted, "/"))
	c.Stop()
	if now := view.CgroupsNamed(strings.TrimPrefix(wanted, "/")); len(now) != len(dirs) {
		t.Errorf("cgroups of a stopped container, which engines still read: %q, were %q", now, dirs)
	}
	c.Delete()
	if left := view.CgroupsNamed(strings.TrimPrefix(wanted, "/")); len(left) > 0 {
		t.Errorf("after delete: %q", left)
	}
}

// TestCgroupsPathForms: absolute is below the mount point, also nested;
// relative is below a place of the runtime's choice, the same for the same
// path; absent, it is named after the container.
func TestCgroupsPathForms(t *testing.T) {
	t.Parallel()
	t.Run("nested", func(t *testing.T) {
		t.Parallel()
		env := harness.New(t)
		path := "/" + env.ID() + "/middle/leaf"
		bundle := env.Bundle(func(c *specs.Spec) { c.Linux.CgroupsPath = path })
		c := env.Create(bundle)
		if dir := c.CgroupDir("pids"); !strings.HasSuffix(dir, path) {
			t.Errorf("cgroup %s, want %s", dir, path)
		}
		c.Delete()
		// Parents may stay, for they may be shared.
		view.RemoveCgroups(strings.Split(path, "/")[1])
	})
	t.Run("relative", func(t *testing.T) {
		t.Parallel()
		env := harness.New(t)
		path := env.ID()
		bundle := env.Bundle(func(c *specs.Spec) { c.Linux.CgroupsPath = path })
		c := env.Create(bundle)
		first := c.CgroupDir("pids")
		want(t, "name", filepath.Base(first), path)
		c.Delete()
		again := env.Create(bundle)
		want(t, "the same again", again.CgroupDir("pids"), first)
	})
	t.Run("absent", func(t *testing.T) {
		t.Parallel()
		env := harness.New(t)
		c := env.Create(env.Bundle(func(c *specs.Spec) { c.Linux.CgroupsPath = "" }))
		want(t, "name", filepath.Base(c.CgroupDir("pids")), c.ID)
	})
}

// TestCgroupsPathEscape: ".." does not lead out of the hierarchy.
func TestCgroupsPathEscape(t *testing.T) {
	t.Parallel()
	for _, up := range []string{"/../../../../", "../../../../../../", "/x/../../../../../"} {
		t.Run(up, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			name := env.ID()
			r := env.Run(env.Bundle(func(c *specs.Spec) { c.Linux.CgroupsPath = up + name }))
			if r.Code != 0 {
				r.WantError(t, 1, "linux.cgroupsPath")
			}
			if _, err := os.Stat("/" + name); err == nil {
				check(t, os.Remove("/"+name))
				t.Error("a directory outside the cgroup file system")
			}
		})
	}
}

// TestCgroupNotEmpty: a cgroup with processes in it is somebody else's.
func TestCgroupNotEmpty(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle())
	other := env.Bundle(func(s *specs.Spec) { s.Linux.CgroupsPath = c.Bundle.Config().Linux.CgroupsPath })
	env.Call("create", "--bundle", other.Dir, env.ID()).WantError(t, 1, "container's cgroup is not empty", "1 process(es) found")
	c.WantStatus("created")
	c.Delete()
}

// TestCgroupPreExisting: an empty cgroup made by somebody else is used.
func TestCgroupPreExisting(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	name := env.ID()
	for _, h := range view.Hierarchies() {
		check(t, os.Mkdir(filepath.Join(h.Point, name), 0o755))
	}
	t.Cleanup(func() { view.RemoveCgroups(name) })
	wantRan(t, env.Run(env.Bundle(ran, func(c *specs.Spec) { c.Linux.CgroupsPath = "/" + name })))
}

// TestCgroupFrozen: a frozen cgroup would hang the container for ever.
func TestCgroupFrozen(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	name := env.ID()
	file, value := "cgroup.freeze", "1"
	var frozen string
	for _, h := range view.Hierarchies() {
		dir := filepath.Join(h.Point, name)
		check(t, os.Mkdir(dir, 0o755))
		if len(h.Names) > 0 && strings.Contains(strings.Join(h.Names, ","), "freezer") {
			frozen, file, value = dir, "freezer.state", "FROZEN"
		} else if h.Unified && view.Current() == view.V2 {
			frozen = dir
		}
	}
	t.Cleanup(func() { view.RemoveCgroups(name) })
	check(t, os.WriteFile(filepath.Join(frozen, file), []byte(value), 0o644))
	env.Run(env.Bundle(func(c *specs.Spec) { c.Linux.CgroupsPath = "/" + name })).
		WantError(t, 1, "container's cgroup unexpectedly frozen")
}

// TestCgroupMount: what is mounted on /sys/fs/cgroup is read-only when asked, and
// shows the container's own cgroup; cgroup2 can show more without a namespace.
func TestCgroupMount(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]harness.Edit{"without namespace": func(*specs.Spec) {}, "cgroup namespace": addNamespace(specs.CgroupNamespace, "")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			dir := "/sys/fs/cgroup"
			if view.HasControllerV1("pids") {
				dir += "/pids"
			}
			got := env.Stdout(edit, harness.Shell("read pid <"+dir+"/cgroup.procs; echo first $pid; mkdir "+dir+"/new 2>&1; true"))
			scoped := name == "cgroup namespace" || view.HasControllerV1("pids")
			if scoped && !strings.HasPrefix(got, "first 1\n") || !strings.Contains(got, "Read-only file system") {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestCgroupMountWritable: without ro the container can make cgroups of its own.
func TestCgroupMountWritable(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := "/sys/fs/cgroup"
	if view.HasControllerV1("pids") {
		dir += "/pids"
	}
	got := env.Stdout(addNamespace(specs.CgroupNamespace, ""), harness.WithoutMount("/sys/fs/cgroup"),
		harness.Mounted(specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev"}}),
		harness.Shell("mkdir "+dir+"/new && echo made && rmdir "+dir+"/new"))
	want(t, "output", got, "made")
}

// TestCgroupSubtreeRemoved: cgroups that the container has made go with it.
func TestCgroupSubtreeRemoved(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := "/sys/fs/cgroup"
	if view.HasControllerV1("pids") {
		dir += "/pids"
	}
	wantRan(t, env.Run(env.Bundle(addNamespace(specs.CgroupNamespace, ""), harness.WithoutMount("/sys/fs/cgroup"),
		harness.Mounted(specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup"}),
		harness.Shell("mkdir -p "+dir+"/a/b "+dir+"/c && echo ran"))))
}

// TestPidsLimitOne: a container may be allowed one process only.
func TestPidsLimitOne(t *testing.T) {
	t.Parallel()
	require.Controller(t, "pids")
	env := harness.New(t)
	one := resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: harness.Pointer(int64(1))} })
	wantRan(t, env.Run(env.Bundle(one, ran)))
	r := env.Run(env.Bundle(one, harness.Shell("(exit 0); echo not reached")))
	if r.Code == 0 || strings.Contains(r.Stdout, "not reached") {
		t.Errorf("a second process started: %s", r)
	}
}

// TestMemoryLimitSmall: 512 KiB are enough for a small program: nothing of the
// runtime weighs on it.
func TestMemoryLimitSmall(t *testing.T) {
	t.Parallel()
	require.Controller(t, "memory")
	env := harness.New(t)
	wantRan(t, env.Run(env.Bundle(ran, resources(func(r *specs.LinuxResources) {
		r.Memory = &specs.LinuxMemory{Limit: harness.Pointer(int64(512 << 10))}
	}))))
}

// TestMemoryLimitEnforced: who exceeds it is killed.
func TestMemoryLimitEnforced(t *testing.T) {
	t.Parallel()
	require.Controller(t, "memory")
	env := harness.New(t)
	limited := resources(func(r *specs.LinuxResources) {
		r.Memory = &specs.LinuxMemory{Limit: harness.Pointer(int64(8 << 20)), Swap: harness.Pointer(int64(8 << 20))}
	})
	env.Run(env.Bundle(limited, harness.Shell("exec tail -c 100000000 /dev/zero"))).WantCode(t, 128+int(unix.SIGKILL))
}

// TestCgroupErrors: settings that make no sense, or that this host cannot give.
func TestCgroupErrors(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name       string
		controller string
		edit       func(r *specs.LinuxResources)
		parts      []string
	}{
		{"cpus that do not exist", "cpuset", func(r *specs.LinuxResources) { r.CPU = &specs.LinuxCPU{Cpus: "4000"} }, []string{"linux.resources.cpu.cpus", "4000"}},
		{"period too short", "cpu", func(r *specs.LinuxResources) { r.CPU = &specs.LinuxCPU{Period: harness.Pointer(uint64(1))} }, []string{"linux.resources.cpu.period"}},
		{"no controller", "", func(r *specs.LinuxResources) { r.Network = &specs.LinuxNetwork{ClassID: harness.Pointer(uint32(1))} }, []string{"linux.resources.network.classID"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.controller != "" {
				require.Controller(t, c.controller)
			}
			env := harness.New(t)
			env.Run(env.Bundle(resources(c.edit))).WantError(t, 1, c.parts...)
		})
	}
}

// TestCgroupControllerMissing: a limit whose controller the host does not
// offer is an error, never silence.
func TestCgroupControllerMissing(t *testing.T) {
	t.Parallel()
	if view.HasControllerV1("memory") || view.HasControllerV2("memory") {
		t.Skip("this view has a memory controller")
	}
	env := harness.New(t)
	env.Run(env.Bundle(resources(func(r *specs.LinuxResources) {
		r.Memory = &specs.LinuxMemory{Limit: harness.Pointer(int64(64 << 20))}
	}))).WantError(t, 1, "linux.resources.memory", `"memory"`)
}
