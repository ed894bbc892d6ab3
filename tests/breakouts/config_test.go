package breakouts

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
)

// Values that engines copy into the configuration from what a user or a pod
// asks for: each ends in a name, or a message, where it must stay what it is.

// TestOversizedFields: no field is cut off, or runs into the next one, on its way
// to where it counts (CVE-2021-43784).
func TestOversizedFields(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	long := strings.Repeat("x", 70_000)
	var mappings []specs.LinuxIDMapping
	for i := range uint32(6000) {
		mappings = append(mappings, specs.LinuxIDMapping{ContainerID: 2 * i, HostID: 200_000 + 2*i, Size: 1})
	}
	for what, edit := range map[string]harness.Edit{
		"linux.uidMappings, linux.gidMappings": func(c *specs.Spec) {
			harness.UserNamespace(c)
			c.Linux.UIDMappings, c.Linux.GIDMappings = mappings, mappings
		},
		"mounts[7].source":      bind("/"+long, "/mnt"),
		"mounts[7].destination": bind(env.Dir, "/"+long),
		"mounts[7].type":        harness.Mounted(specs.Mount{Destination: "/mnt", Type: long, Source: "none"}),
		"mounts[7]":             harness.Mounted(specs.Mount{Destination: "/mnt", Type: "tmpfs", Source: "none", Options: []string{"mode=" + long}}),
		"hostname":              func(c *specs.Spec) { c.Hostname = long },
		"process.args":          harness.Args("/bin/" + long),
		"process.cwd":           func(c *specs.Spec) { c.Process.Cwd = "/" + long },
		"NUL byte":              bind(env.Dir+"\x00x", "/mnt"),
		"NUL byte ":             bind(env.Dir, "/mnt\x00/../.."),
		"NUL byte  ":            harness.Mounted(specs.Mount{Destination: "/mnt", Type: "tmpfs\x00", Source: "none"}),
		"mounts[7].options":     harness.Mounted(specs.Mount{Destination: "/mnt", Type: "tmpfs", Source: "none", Options: []string{"mode=755\x00,size=1"}}),
		"process.env":           func(c *specs.Spec) { c.Process.Env = append(c.Process.Env, "A=\x00LD_PRELOAD=/x") },
		"process.args ":         harness.Args("sh", "-c", "echo started\x00"),
		"hostname ":             func(c *specs.Spec) { c.Hostname = "a\x00b" },
		"linux.maskedPaths":     func(c *specs.Spec) { c.Linux.MaskedPaths = []string{"/proc/kcore\x00x"} },
		"linux.readonlyPaths":   func(c *specs.Spec) { c.Linux.ReadonlyPaths = []string{"/proc/sys\x00x"} },
		"process.selinuxLabel":  func(c *specs.Spec) { c.Process.SelinuxLabel = "a\x00b" },
		"linux.sysctl":          func(c *specs.Spec) { c.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward\x00": "1"} },
		"linux.devices":         func(c *specs.Spec) { c.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x\x00y", Type: "c"}} },
		"linux.cgroupsPath":     func(c *specs.Spec) { c.Linux.CgroupsPath = "/a\x00b" },
	} {
		bundle := env.Bundle(harness.Args("echo", "started"), edit)
		r := env.Run(bundle)
		field, _, _ := strings.Cut(strings.TrimSpace(what), ",")
		if r.Code == 0 || r.Signal != 0 || strings.Contains(r.Stdout, "started") || !strings.Contains(r.Stderr, field) || strings.Contains(r.Stderr, "goroutine") {
			t.Errorf("%s: %.1500s", what, r)
		}
	}
}

// TestNamesOfCgroupFiles: what becomes part of a file's name in a cgroup, or in
// resctrl, names nothing else (runc issue 4103).
func TestNamesOfCgroupFiles(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	resources := func(edit func(*specs.LinuxResources)) harness.Edit {
		return func(c *specs.Spec) {
			if c.Linux.Resources == nil {
				c.Linux.Resources = &specs.LinuxResources{}
			}
			edit(c.Linux.Resources)
		}
	}
	for _, name := range []string{"../../x", "..", "/", "a/b", "2MB/../../cgroup.procs", "", "x\ny"} {
		for what, edit := range map[string]harness.Edit{
			"hugepageLimits": resources(func(r *specs.LinuxResources) {
				r.HugepageLimits = []specs.LinuxHugepageLimit{{Pagesize: name, Limit: 1 << 21}}
			}),
			"unified": resources(func(r *specs.LinuxResources) { r.Unified = map[string]string{name: "1"} }),
			"rdma": resources(func(r *specs.LinuxResources) {
				r.Rdma = map[string]specs.LinuxRdma{name: {HcaHandles: harness.Pointer(uint32(1))}}
			}),
			"intelRdt": func(c *specs.Spec) { c.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: name, EnableMonitoring: true} },
		} {
			if r := env.Run(env.Bundle(harness.Args("echo", "started"), edit)); r.Code == 0 || r.Stdout != "" {
				t.Errorf("%s %q: %s", what, name, r)
			}
		}
	}
}

// TestOrdersInAnnotations: annotations that give rights are told to engines, and
// a property of systemd's is one word (CVE-2024-3154).
func TestOrdersInAnnotations(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	var features struct {
		PotentiallyUnsafeConfigAnnotations []string `json:"potentiallyUnsafeConfigAnnotations"`
	}
	check(t, json.Unmarshal([]byte(env.BareCommand("features").Run().WantCode(t, 0).Stdout), &features))
	listed := strings.Join(features.PotentiallyUnsafeConfigAnnotations, " ")
	for _, prefix := range []string{"org.systemd.property.", "run.oci."} {
		if !strings.Contains(listed+" ", prefix) {
			t.Errorf("features do not list %s among %q", prefix, listed)
		}
	}
	for _, name := range []string{"Exec Start", "ExecStart;x", "../x", "Ex", "Exec1"} {
		bundle := env.Bundle(func(c *specs.Spec) {
			c.Linux.CgroupsPath = "system.slice:test:" + filepath.Base(env.Dir)
			c.Annotations = map[string]string{"org.systemd.property." + name: "'/bin/sh'"}
		})
		wantRefused(t, env.BareCommand("--root", env.Root, "--systemd-cgroup", "run", "--bundle", bundle.Dir, env.ID()).Run(), "org.systemd.property")
	}
}

// TestSysBoundReadonly: the host's cgroups lie below its /sys. Bound read-only
// into a container without cgroup namespace, as rootless engines do, they are
// read-only as well (CVE-2023-25809).
func TestSysBoundReadonly(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	name := "breakout-" + filepath.Base(env.Dir)
	bundle := env.Bundle(harness.WithoutNamespace(specs.CgroupNamespace), harness.Capabilities("CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN"),
		harness.Shell(fmt.Sprintf(`
			cd /sys/fs/cgroup || exit 1
			for d in . */; do
				test -e "$d/cgroup.procs" || continue
				echo looked; mkdir "$d/%[1]s" 2>/dev/null && echo "HOLE: $d" && rmdir "$d/%[1]s"
				echo $$ 2>/dev/null >"$d/cgroup.procs" && echo "HOLE: $d/cgroup.procs"
			done; true`, name)),
		func(c *specs.Spec) {
			c.Linux.MaskedPaths, c.Linux.ReadonlyPaths = nil, nil
			for i := range c.Mounts {
				if c.Mounts[i].Destination == "/sys" {
					c.Mounts[i] = specs.Mount{Destination: "/sys", Type: "bind", Source: "/sys", Options: []string{"rbind", "nosuid", "noexec", "nodev", "ro"}}
				}
			}
		}, harness.WithoutMount("/sys/fs/cgroup"))
	r := env.Run(bundle).WantCode(t, 0)
	if strings.Contains(r.Stdout, "HOLE") || !strings.Contains(r.Stdout, "looked") {
		t.Errorf("%s", r)
	}
}

// TestPoisonedEnvironment: the variables that Go's runtime, or we, or systemd's
// protocols look at are those of whoever calls the engine. They change nothing
// of what a container is, and do not get into it.
func TestPoisonedEnvironment(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	socket := env.File("bus.sock")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	check(t, unix.Bind(fd, &unix.SockaddrUnix{Name: socket}))
	evil := env.File("evil")
	mkdir(t, evil)
	for _, name := range []string{"newuidmap", "newgidmap", "sh", "runtime", "busybox", "ps"} {
		write(t, evil+"/"+name, "#!/bin/busybox sh\n/bin/busybox touch "+evil+"/ran\n", 0o755)
	}
	poison := []string{
		"GODEBUG=inittrace=1,schedtrace=1,gctrace=1,execerrdot=0,containermaxprocs=1,panicnil=1,asyncpreemptoff=1,cgocheck=1,memprofilerate=1",
		"GOTRACEBACK=crash", "GOMAXPROCS=1000000", "GOGC=1", "GOMEMLIMIT=1", "GORACE=log_path=" + evil + "/race", "GOCOVERDIR=" + evil,
		"LISTEN_FDS=5", "LISTEN_PID=1", "LISTEN_FDNAMES=a:b", "MAINPID=1", "WATCHDOG_USEC=1",
		"XDG_RUNTIME_DIR=" + evil, "USER=evil", "HOME=" + evil, "TMPDIR=" + evil, "PATH=" + evil,
		"LD_PRELOAD=" + evil + "/x.so", "LD_LIBRARY_PATH=" + evil, "DBUS_SESSION_BUS_ADDRESS=unix:path=" + socket,
		"_OCI_TEST=1", "_LIBCONTAINER_INITPIPE=3", "_LIBCONTAINER_STATEDIR=" + evil, "RUNC_DMZ=legacy",
	}
	call := func(args ...string) harness.Result {
		t.Helper()
		c := env.Command(args...)
		c.Env = poison
		return c.Run()
	}
	bundle := env.Bundle(filtered(env), harness.Shell(`env; tr '\0' '\n' </proc/1/environ; grep -c . /proc/self/limits; sleep 1000`))
	c := env.Command("create", "--bundle", bundle.Dir, env.ID())
	c.Env = poison
	made := env.Adopt(c, bundle)
	waiting, err := os.ReadFile(made.Proc("environ"))
	check(t, err)
	want(t, "environment of the waiting process", string(waiting), "")
	if text := made.Stderr(); strings.Contains(text, "runtime:") && !strings.Contains(text, "init ") && !strings.Contains(text, "SCHED") {
		t.Errorf("create said %q", text)
	}
	call("start", made.ID).WantCode(t, 0)
	made.WaitStdout("PATH=")
	exec := call("exec", made.ID, "env").WantCode(t, 0)
	call("state", made.ID).WantCode(t, 0)
	call("ps", made.ID).WantCode(t, 0)
	call("kill", made.ID, "KILL").WantCode(t, 0)
	made.Wait()
	call("delete", made.ID).WantCode(t, 0)
	for what, text := range map[string]string{"program": made.Stdout(), "exec": exec.Stdout} {
		for _, variable := range poison {
			name, _, _ := strings.Cut(variable, "=")
			if name != "PATH" && name != "HOME" && strings.Contains(text, name+"=") || strings.Contains(text, evil) {
				t.Errorf("%s has %s: %s", what, name, text)
			}
		}
	}
	for _, name := range entries(t, evil) {
		if name == "ran" || strings.HasPrefix(name, "cov") || name == "race" || name == "runtime.sock" {
			t.Errorf("%s has appeared", name)
		}
	}
}

// TestUnknownSyscall: a call that is newer than the profile does not exist, for
// libraries to fall back to what does; one that the profile leaves out is
// forbidden.
func TestUnknownSyscall(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	if !hasSeccomp(env) {
		t.Skip("the binary was built without libseccomp")
	}
	text, err := os.ReadFile("../../libcontainer/seccomp/testdata/docker.json")
	check(t, err)
	bundle := env.Bundle(withAttacker(t), harness.Args("/tmp/attacker", "call", "9999", "165"), func(c *specs.Spec) {
		c.Linux.Seccomp = &specs.LinuxSeccomp{}
		check(t, json.Unmarshal(text, c.Linux.Seccomp))
	})
	want(t, "errnos of syscall(9999) and mount", env.Run(bundle).WantCode(t, 0).Stdout, "ENOSYS\nEPERM\n")
}

// TestDeleteWithoutPIDNamespace: nothing of a container outlives it, though it
// has no pid namespace that ends with its first process.
func TestDeleteWithoutPIDNamespace(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.WithoutNamespace(specs.PIDNamespace), harness.Shell(
		`for i in 1 2 3; do (trap '' TERM INT HUP; setsid sh -c 'trap "" TERM; while :; do sleep 1000; done') & done; sleep 0.2; echo forked`))
	c := env.Create(bundle)
	procs := filepath.Join(c.CgroupDir("pids"), "cgroup.procs")
	c.Start()
	c.WaitStdout("forked")
	c.Wait()
	text, err := os.ReadFile(procs)
	check(t, err)
	left := strings.Fields(string(text))
	if len(left) == 0 {
		t.Fatal("nothing is left that could outlive it")
	}
	env.Call("delete", "--force", c.ID).WantCode(t, 0)
	for _, pid := range left {
		if status, err := os.ReadFile("/proc/" + pid + "/status"); err == nil && !strings.Contains(string(status), "State:\tZ") {
			t.Errorf("process %s is still there: %s", pid, field(t, string(status), "State"))
		}
	}
}
