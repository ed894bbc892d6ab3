package breakouts

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
	"ociruntime/tests/view"
)

// CVE-2019-5736: whatever a container makes the runtime execute, it must not be
// the host's binary, which the container could then overwrite by /proc/PID/exe.

// ownRuntime gives the test a copy of the runtime to lose.
func ownRuntime(t *testing.T, env *harness.Env) (path string) {
	t.Helper()
	data, err := os.ReadFile(harness.Binary(t))
	check(t, err)
	path = env.File("runtime")
	write(t, path, string(data), 0o755)
	sum := sha256.Sum256(data)
	t.Cleanup(func() {
		after, err := os.ReadFile(path)
		if err != nil || sha256.Sum256(after) != sum {
			t.Errorf("the host's binary has changed (%d bytes were %d): %v", len(after), len(data), err)
		}
	})
	return path
}

// TestExeOfWaiting: the process that waits for start is not the host's binary,
// and its file cannot be written by any name.
func TestExeOfWaiting(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle())
	var inside, outside unix.Stat_t
	check(t, unix.Stat(c.Proc("exe"), &inside))
	check(t, unix.Stat(harness.Binary(t), &outside))
	if inside.Dev == outside.Dev && inside.Ino == outside.Ino {
		t.Fatal("the container's process is the host's binary")
	}
	for _, flags := range []int{unix.O_WRONLY, unix.O_RDWR, unix.O_WRONLY | unix.O_TRUNC} {
		fd, err := unix.Open(c.Proc("exe"), flags|unix.O_CLOEXEC, 0)
		if err == nil {
			unix.Close(fd)
			t.Errorf("root can open it with flags %#x", flags)
		}
	}
}

// TestExeAsProgram: /proc/self/exe as program, interpreter or library loader
// names whatever executes it, and that is nothing of value.
func TestExeAsProgram(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	runtime := ownRuntime(t, env)
	bundle := env.Bundle()
	write(t, bundle.Path("bin/script"), "#!/proc/self/exe\n", 0o755)
	link(t, "/proc/self/exe", bundle.Path("bin/linked"))
	for _, program := range []string{"/proc/self/exe", "/proc/1/exe", "/bin/script", "/bin/linked", "script"} {
		bundle.Edit(harness.Args(program, "--version"))
		c := env.Command("run", "--bundle", bundle.Dir, env.ID())
		c.Binary = runtime
		if r := c.Run(); r.Code == 0 || strings.Contains(r.Stdout, "version") {
			t.Errorf("%s: the container ran something of the runtime: %s", program, r)
		}
	}
	bundle.Edit(harness.Forever)
	c := env.Create(bundle)
	c.Start()
	c.WaitStdout("ready")
	for _, program := range []string{"/proc/self/exe", "/bin/script", "/bin/linked"} {
		e := env.Command("exec", c.ID, program, "--version")
		e.Binary = runtime
		if r := e.Run(); r.Code == 0 || strings.Contains(r.Stdout, "version") {
			t.Errorf("exec %s: the container ran something of the runtime: %s", program, r)
		}
	}
}

// TestExeDuringExec: from inside, while the host runs one exec after the other.
// Nothing about a process that is not yet a program of the container can be
// opened, read, traced or written: CVE-2019-5736, CVE-2016-9962. The container
// is root with all capabilities but CAP_SYS_PTRACE, which would be a right to
// do just that.
func TestExeDuringExec(t *testing.T) {
	t.Parallel()
	require.View(t, view.AsIs, view.V2) // the two ways of exec into a cgroup
	env := harness.New(t)
	runtime := ownRuntime(t, env)
	bundle := env.Bundle(withAttacker(t), harness.Capabilities("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER",
		"CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_SYS_RESOURCE"),
		harness.Args("/tmp/attacker", "pry"))
	link(t, "busybox", bundle.Path("bin/victim"))
	c := env.Create(bundle)
	c.Start()
	c.WaitStdout("prying\n")
	race(t, func(int) {
		e := env.Command("exec", c.ID, "/bin/true")
		e.Binary = runtime
		e.Run().WantCode(t, 0)
	})
	seen := func(what string) bool { return strings.Contains(c.Stdout(), what) }
	c.Kill("TERM")
	if status := c.Wait(); status.ExitStatus() != 0 {
		t.Errorf("the attacker ended with %v", status)
	}
	if text := strings.TrimPrefix(c.Stdout(), "prying\n"); strings.Contains(text, "HOLE") {
		t.Errorf("the attacker got through:\n%.2000s", text)
	}
	if !seen("refused ") {
		t.Errorf("the attacker has met no process to attack: %.2000s", c.Stdout())
	}
	t.Log(strings.TrimSpace(c.Stdout()))
}

// TestStageInPod: the stage of a container that joins the namespaces of another,
// as those of a pod do. A hostile neighbour who is root in their common user
// namespace, with the right to trace there, gets at nothing of what it still
// holds of the host; nor if the runtime takes itself for rootless.
func TestStageInPod(t *testing.T) {
	t.Parallel()
	oneView(t)
	require.Userns(t)
	for name, root := range map[string]uint32{"another's id": 100000, "the runtime's id": 0} {
		t.Run(name, func(t *testing.T) {
			env := harness.New(t)
			mapped := func(c *specs.Spec) {
				c.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: root, Size: 65536}}
				c.Linux.GIDMappings = c.Linux.UIDMappings
			}
			hostile := env.Bundle(harness.UserNamespace, mapped, withAttacker(t), harness.Args("/tmp/attacker", "pry", "neighbour"),
				harness.Capabilities("CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE", "CAP_SETUID", "CAP_SETGID", "CAP_KILL"))
			giveTo(t, hostile, int(root))
			a := env.Create(hostile).Start()
			a.WaitStdout("prying\n")
			join := func(kind specs.LinuxNamespaceType, name string) harness.Edit {
				return harness.Namespace(kind, harness.NamespacePath(a.Pid, name))
			}
			b := env.Bundle(join(specs.UserNamespace, "user"), join(specs.PIDNamespace, "pid"), harness.Args("true"))
			giveTo(t, b, int(root))
			race(t, func(i int) {
				args := []string{"run", "--bundle", b.Dir, env.ID()}
				if i%2 == 1 {
					args = append([]string{"--rootless", "true"}, args...)
				}
				env.Call(args...).WantCode(t, 0)
			})
			a.Kill("TERM")
			a.Wait()
			if strings.Contains(a.Stdout(), "HOLE") || !strings.Contains(a.Stdout(), "refused ") {
				t.Errorf("the neighbour got through, or met nobody:\n%.2000s", a.Stdout())
			}
		})
	}
}

// giveTo makes uid the owner of the root of a bundle.
func giveTo(t *testing.T, b *harness.Bundle, uid int) {
	t.Helper()
	check(t, filepath.WalkDir(b.Rootfs(), func(path string, _ os.DirEntry, err error) error {
		check(t, err)
		return os.Lchown(path, uid, uid)
	}))
}
