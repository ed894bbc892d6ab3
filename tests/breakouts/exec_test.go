package breakouts

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/view"
)

// TestExecCapabilities: --cap widens neither the inheritable nor the ambient
// set (CVE-2022-29162, CVE-2022-24769), and nothing beyond the config is there
// without it.
func TestExecCapabilities(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Forever)).Start()
	const config = uint64(1<<29 | 1<<5 | 1<<10)
	for _, each := range []struct {
		args []string
		want uint64
	}{
		{[]string{"exec", c.ID, "cat", "/proc/self/status"}, config},
		{[]string{"exec", "--cap", "CAP_NET_RAW", c.ID, "cat", "/proc/self/status"}, config | 1<<13},
		{[]string{"exec", "--cap", "CAP_NET_RAW", "--user", "1000", c.ID, "cat", "/proc/self/status"}, config | 1<<13},
	} {
		text := env.Call(each.args...).WantCode(t, 0).Stdout
		want(t, "CapInh", field(t, text, "CapInh"), "0000000000000000")
		want(t, "CapAmb", field(t, text, "CapAmb"), "0000000000000000")
		want(t, "CapBnd", field(t, text, "CapBnd"), hex16(each.want))
		if effective := field(t, text, "CapEff"); effective != hex16(each.want) && !strings.Contains(strings.Join(each.args, " "), "--user") {
			t.Errorf("CapEff is %s", effective)
		}
	}
}

// TestExecUserNumber: a number is that uid, with the groups of the container, and
// nothing short of it is read as root (CVE-2026-30892).
func TestExecUserNumber(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Forever, func(c *specs.Spec) { c.Process.User = specs.User{UID: 5, GID: 6, AdditionalGids: []uint32{7}} })
	write(t, bundle.Path("etc/passwd"), "root:x:0:0::/:/bin/sh\n1:x:0:0::/:/bin/sh\n01:x:0:0::/:/bin/sh\nx:x:8:9::/:/bin/sh\n", 0o644)
	c := env.Create(bundle).Start()
	for user, ids := range map[string]string{"1": "1 6 6 7", "01": "1 6 6 7", "1:2": "1 2 2 7", "4294967294": "4294967294 6 6 7", "x": "8 9 9", "0": "0 6 6 7"} {
		r := env.Call("exec", "--user", user, c.ID, "sh", "-c", "echo $(id -u) $(id -g) $(id -G)")
		want(t, "ids of --user "+user, strings.TrimSpace(r.WantCode(t, 0).Stdout), ids)
	}
	for _, user := range []string{"1:4294967295", "-1", "+1", "4294967295", "4294967296", "1x", " 1", "0x1", "1:", ":1", "1:-1", "1:4294967296", "nobody", "1:2:3"} {
		if r := env.Call("exec", "--user", user, c.ID, "id"); r.Code == 0 {
			t.Errorf("--user %q: %s", user, r)
		}
	}
}

// TestNoUser: 2^32-1 means "as before" to the calls that change ids, and before
// that the process is root.
func TestNoUser(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	const none = 1<<32 - 1
	for field, user := range map[string]specs.User{
		"process.user.uid": {UID: none}, "process.user.gid": {UID: 1, GID: none}, "process.user.additionalGids[1]": {UID: 1, GID: 1, AdditionalGids: []uint32{5, none}},
	} {
		wantRefused(t, env.Run(env.Bundle(harness.Args("id"), func(c *specs.Spec) { c.Process.User = user })), field)
	}
}

// TestCallersGroups: the caller's supplementary groups do not get in, with which
// a process could read, or get round a denial (security rule of setgroups(2)).
func TestCallersGroups(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Forever, func(c *specs.Spec) { c.Process.User.AdditionalGids = []uint32{77} })
	c := env.Create(bundle).Start()
	once := env.Bundle(harness.Args("cat", "/proc/self/status"))
	for groups, args := range map[string][]string{
		"77": {"exec", c.ID, "cat", "/proc/self/status"},
		"":   {"run", "--bundle", once.Dir, env.ID()},
	} {
		call := env.Command(args...)
		call.Attr.Credential = &syscall.Credential{Groups: []uint32{4, 5, 6, 77777}}
		want(t, args[0]+": groups", field(t, call.Run().WantCode(t, 0).Stdout, "Groups"), groups)
	}
}

// TestExecCgroupEscape: exec --cgroup names a cgroup below the container's, or
// none.
func TestExecCgroupEscape(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Forever)).Start()
	sub := filepath.Join(c.CgroupDir("pids"), "sub")
	check(t, os.Mkdir(sub, 0o755))
	t.Cleanup(func() { os.Remove(sub) })
	for _, path := range []string{"../../..", "..", "/../..", "sub/../..", "sub/../../" + filepath.Base(c.CgroupDir("pids")), "./..", "pids:..", ":..", "a:../.."} {
		if r := env.Call("exec", "--cgroup", path, c.ID, "cat", "/proc/self/cgroup"); r.Code == 0 {
			t.Errorf("--cgroup %q: %s", path, r)
		}
	}
	path := "sub"
	if view.HasControllerV1("pids") {
		path = "pids:sub"
	}
	text := env.Call("exec", "--cgroup", path, c.ID, "cat", "/proc/self/cgroup").WantCode(t, 0).Stdout
	if !strings.Contains(text, "/sub\n") {
		t.Errorf("not in the cgroup below: %q", text)
	}
}

// TestExecIntoReplacedMounts: the container has replaced its /dev/pts and /proc
// before somebody enters it. The terminal is a true one, or there is none, and
// nothing of the host is opened.
func TestExecIntoReplacedMounts(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for what, script := range map[string]string{
		"tmpfs on /dev/pts":          "mount -t tmpfs none /dev/pts; ln -s /proc/1/root/dev/ptmx /dev/pts/ptmx",
		"pts is a link":              "umount /dev/pts; mv /dev/pts /dev/p; ln -s /proc/self/fd/3 /dev/pts",
		"ptmx is a file":             "mount -t tmpfs none /dev/pts; echo x >/dev/pts/ptmx",
		"something on ptmx":          "mount --bind /dev/zero /dev/pts/ptmx",
		"tmpfs on /proc":             "mount -t tmpfs none /proc; mkdir -p /proc/self/attr /proc/thread-self/attr; echo x >/proc/self/attr/exec",
		"a process's dir on /proc":   "mount --bind /proc/1 /proc",
		"nothing on /proc":           "umount -l /proc",
		"tmpfs over the root":        "mkdir -p /tmp/n/bin /tmp/n/dev/pts; cp /bin/busybox /tmp/n/bin; ln -s busybox /tmp/n/bin/tty; ln -s busybox /tmp/n/bin/true; mount --bind /tmp/n /tmp/n; cd /tmp/n",
		"a devpts of its own":        "mount -t devpts -o newinstance,ptmxmode=0666 none /dev/pts",
		"a procfs of an inner pidns": "unshare -p -f sh -c 'mount -t proc proc /proc'",
	} {
		bundle := env.Bundle(harness.Capabilities("CAP_SYS_ADMIN", "CAP_SYS_CHROOT"), harness.Shell(script+"; echo replaced; sleep 1000"),
			func(c *specs.Spec) { c.Linux.MaskedPaths, c.Linux.ReadonlyPaths = nil, nil })
		c := env.Create(bundle).Start()
		c.WaitStdout("replaced\n")
		pty := env.NewPty(24, 80)
		exec := env.Command("exec", "--tty", c.ID, "/bin/tty")
		exec.Stdin, exec.Stdout, exec.Stderr = pty.Slave, pty.Slave, pty.Slave
		r := exec.Start().Wait()
		pty.CloseSlave()
		text := pty.ReadAll()
		if r.Code == 0 && !strings.Contains(text, "/dev/pts/") && !strings.Contains(text, "/dev/console") && !strings.Contains(text, "not a tty") {
			t.Errorf("%s: exec --tty ends with 0 and %q", what, text)
		}
		if r := env.Call("exec", c.ID, "true"); r.Code != 0 {
			t.Errorf("%s: %s", what, r)
		}
	}
}

// TestExecIntoChroot: a container that moves its root takes exec along, and
// nowhere else.
func TestExecIntoChroot(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Capabilities("CAP_SYS_ADMIN", "CAP_SYS_CHROOT"), harness.Shell(`
		mkdir -p /tmp/new/bin /tmp/new/old; cp -a /bin/. /tmp/new/bin/; echo new >/tmp/new/which; echo old >/which
		mount --bind /tmp/new /tmp/new; cd /tmp/new; echo ready; exec /bin/busybox chroot . /bin/sh -c 'echo moved; sleep 1000'`))
	link(t, "busybox", bundle.Path("bin/chroot"))
	c := env.Create(bundle).Start()
	c.WaitStdout("moved\n")
	want(t, "root of the exec", env.Call("exec", c.ID, "cat", "/which").WantCode(t, 0).Stdout, "new\n")
	if r := env.Call("exec", c.ID, "ls", "/../../../../"); strings.Contains(r.Stdout, "state") || r.Code != 0 {
		t.Errorf("above the root: %s", r)
	}
}

// TestExecIsStopped: a process of the container stops, or limits, whatever
// enters it. The runtime does not wait for ever, and leaves nothing behind.
func TestExecIsStopped(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	for _, attack := range []string{"stop", "limit", "kill"} {
		bundle := env.Bundle(withAttacker(t), harness.Args("/tmp/attacker", attack))
		c := env.Create(bundle).Start()
		c.WaitStdout("ready\n")
		hit := 0
		var reaped sync.WaitGroup
		for i := 0; i < 20 && hit < 3; i++ {
			// Detached: a program that is stopped is the container's own affair.
			file := env.File(fmt.Sprint(attack, i))
			r := env.Call("--timeout", "300ms", "exec", "--detach", "--pid-file", file, c.ID, "/bin/true")
			if r.Code != 0 {
				hit++
				continue
			}
			text, err := os.ReadFile(file)
			check(t, err)
			pid, err := strconv.Atoi(string(text))
			check(t, err)
			reaped.Add(1)
			go func() { defer reaped.Done(); _, _ = unix.Wait4(pid, nil, 0, nil) }() // or the pid namespace would not end
		}
		env.Call("delete", "--force", c.ID).WantCode(t, 0)
		reaped.Wait()
		if hit == 0 {
			t.Errorf("%s: never hit an exec", attack)
		}
	}
}

func field(t *testing.T, status, name string) string {
	t.Helper()
	for line := range strings.Lines(status) {
		if key, value, ok := strings.Cut(line, ":"); ok && key == name {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("no %s in %q", name, status)
	return ""
}

func hex16(v uint64) string {
	const digits = "0123456789abcdef"
	b := make([]byte, 16)
	for i := range b {
		b[15-i] = digits[v>>(4*i)&15]
	}
	return string(b)
}

// TestRaceExecCwd: the directory that exec starts in is exchanged by the
// container for a link to what lies outside, if anything of that is open
// (CVE-2024-21626).
func TestRaceExecCwd(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	dir := victim(t, env)
	bundle := env.Bundle(harness.Forever)
	mkdir(t, bundle.Path("place/sub"))
	check(t, os.Symlink("/proc/self/fd/4", bundle.Path("other")))
	c := env.Create(bundle).Start()
	leaked := leak(t, env, dir)
	swap(t, bundle.Path("place/sub"), bundle.Path("other"))
	race(t, func(int) {
		r := call(env, leaked, "exec", "--cwd", "/place/sub", c.ID, "sh", "-c", "ls . ../../../.. | grep secret && echo HOLE; true")
		if strings.Contains(r.Stdout, "HOLE") {
			t.Errorf("%s", r)
		}
	})
}

// TestRaceExecLimits: a process of the container changes the limits of whatever
// enters it. The program never gets more than the configuration says.
func TestRaceExecLimits(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	bundle := env.Bundle(withAttacker(t), harness.Args("/tmp/attacker", "raise"), func(c *specs.Spec) {
		c.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 100, Hard: 200}, {Type: "RLIMIT_CORE", Soft: 0, Hard: 0}}
	})
	c := env.Create(bundle).Start()
	c.WaitStdout("ready\n")
	race(t, func(int) {
		text := env.Call("exec", c.ID, "cat", "/proc/self/limits").WantCode(t, 0).Stdout
		for line := range strings.Lines(text) {
			f := strings.Fields(line)
			if strings.HasPrefix(line, "Max open files") && f[4] != "200" || strings.HasPrefix(line, "Max core file size") && f[5] != "0" {
				t.Errorf("more than 200 and 0: %s", line)
			}
		}
	})
}
