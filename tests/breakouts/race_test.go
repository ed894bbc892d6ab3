package breakouts

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
)

// Races: another container shares the root or a volume, and exchanges entries
// of it while the runtime works there. A start that fails is fine; what must
// not happen is that the runtime acts on the host, or that something starts
// without its protection.

// raceRun runs the bundle again and again, and fails on HOLE in the output. It
// reports how many runs went well: a race in which nothing ever starts, or
// nothing ever fails, has not been one.
func raceRun(t *testing.T, env *harness.Env, bundle *harness.Bundle, flags ...string) {
	t.Helper()
	started, refused := 0, map[string]int{}
	raceUntil(t, func() bool { return started > 0 }, func(int) {
		r := env.Run(bundle, flags...)
		switch {
		case strings.Contains(r.Stdout, "HOLE") || r.Signal != 0:
			t.Errorf("the container got through: %s", r)
		case r.Code == 0:
			started++
		default:
			message := harness.Message(strings.TrimSpace(r.Stderr))
			refused[message]++
		}
	})
	t.Logf("started %d times", started)
	for message, n := range refused {
		t.Logf("refused %d times: %s", n, message)
	}
	if started == 0 {
		t.Error("never started, so nothing was tried")
	}
}

// TestRaceProc: /proc of the root becomes a link between check and mount, so
// that labels and sysctls are written to files of the attacker (CVE-2019-19921,
// CVE-2025-52881).
func TestRaceProc(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	dir := victim(t, env)
	for _, target := range []string{"decoy", dir} {
		bundle := env.Bundle(harness.Shell("test -e /decoy/version && echo HOLE: procfs on /decoy; cat /proc/sys/net/ipv4/ip_forward"),
			func(c *specs.Spec) { c.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"} })
		mkdir(t, bundle.Path("decoy/sys/net/ipv4"))
		write(t, bundle.Path("decoy/sys/net/ipv4/ip_forward"), "fake\n", 0o644)
		check(t, os.Symlink(target, bundle.Path("other")))
		before := fingerprint(t, bundle.Path("decoy"))
		t.Run(fmt.Sprintf("to %.5s", target), func(t *testing.T) {
			swap(t, bundle.Path("proc"), bundle.Path("other"))
			raceRun(t, env, bundle)
		})
		want(t, "the decoy", fingerprint(t, bundle.Path("decoy")), before)
	}
}

// TestRaceDestination: a component of a mount's destination becomes a link to
// the host after it was checked (CVE-2021-30465), or while missing directories
// are made (CVE-2024-45310).
func TestRaceDestination(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	dir := victim(t, env)
	for i, target := range escapes(dir) {
		volume := env.File(fmt.Sprint("volume", i))
		mkdir(t, volume+"/a")
		check(t, os.Symlink(target, volume+"/b"))
		source := env.File(fmt.Sprint("source", i))
		mkdir(t, source)
		bundle := env.Bundle(
			harness.Shell("for f in /vol/a/sub/secret /vol/a/secret /vol/b/secret; do test -e $f && echo HOLE: $f; done; true"),
			bind(volume, "/vol"), bind(source, "/vol/a/sub"), bind(source, "/vol/a/new/dir"), tmpfs("/vol/a/other"))
		t.Run(fmt.Sprintf("to %.3s", target), func(t *testing.T) {
			swap(t, volume+"/a", volume+"/b")
			raceRun(t, env, bundle)
		})
	}
}

// TestRaceMasks: /proc and /sys are moved away and back while paths in them are
// masked or made read-only, for the masks to miss.
func TestRaceMasks(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	for _, name := range []string{"proc", "sys"} {
		bundle := env.Bundle(harness.Shell(`
			cd /proc; test -e self/stat || exit 3 # moved away, and without any power
			for f in keys timer_list; do test "$(stat -c %t:%T $f)" = 1:3 || echo HOLE: $f; done
			echo 1 2>/dev/null >sys/net/ipv4/ip_forward && echo HOLE: /proc/sys
			cd /sys; test -e kernel || exit 3
			test "$(ls firmware | wc -l)" = 0 || echo HOLE: /sys/firmware
			true`), func(c *specs.Spec) {
			c.Linux.MaskedPaths = []string{"/proc/keys", "/proc/timer_list", "/sys/firmware"}
			c.Linux.ReadonlyPaths = []string{"/proc/sys", "/proc/bus"}
		})
		for _, dir := range []string{"other/self", "other/sys/net/ipv4", "other/firmware", "other/bus"} {
			mkdir(t, bundle.Path(dir))
		}
		write(t, bundle.Path("other/keys"), "", 0o644)
		write(t, bundle.Path("other/timer_list"), "", 0o644)
		t.Run(name, func(t *testing.T) {
			swap(t, bundle.Path(name), bundle.Path("other"))
			raceRun(t, env, bundle)
		})
	}
}

// TestRaceDev: the image's own /dev, on which nothing is mounted, becomes a link
// to the host while nodes and links are made there (CVE-2026-41579), and so does
// the directory of a device elsewhere.
func TestRaceDev(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	dir := victim(t, env)
	for i, target := range escapes(dir + "/sub") { // where nothing stops who makes a null device
		bundle := env.Bundle(withoutDev, harness.Args("true"), func(c *specs.Spec) {
			c.Linux.MaskedPaths = nil
			c.Linux.Devices = []specs.LinuxDevice{{Path: "/opt/new/fuse", Type: "c", Major: 10, Minor: 229, UID: harness.Pointer(uint32(7))},
				{Path: "/opt/secret", Type: "p"}}
		})
		mkdir(t, bundle.Path("opt"))
		for _, name := range []string{"dev", "opt"} {
			check(t, os.Symlink(target, bundle.Path(name+"2")))
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			swap(t, bundle.Path("dev"), bundle.Path("dev2"))
			swap(t, bundle.Path("opt"), bundle.Path("opt2"))
			raceRun(t, env, bundle)
		})
	}
}

// TestRaceMaskSource: /dev/null becomes something else while paths are masked
// with it (CVE-2025-31133).
func TestRaceMaskSource(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	dir := victim(t, env)
	for _, target := range []string{"/proc/sys/kernel/core_pattern", dir + "/secret"} {
		dev, err := os.MkdirTemp(env.Dir, "dev")
		check(t, err)
		check(t, unix.Mknod(dev+"/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
		check(t, os.Symlink(target, dev+"/other"))
		bundle := env.Bundle(withoutDev, bind(dev, "/dev"),
			harness.Shell("for f in /proc/keys /proc/timer_list; do test \"$(stat -c %t:%T $f)\" = 1:3 || echo HOLE: $f; done"))
		t.Run("to "+target[:5], func(t *testing.T) {
			swap(t, dev+"/null", dev+"/other")
			raceRun(t, env, bundle)
		})
	}
}

// TestRaceConsole: /dev/console or /dev/pts is exchanged while the terminal is
// put there (CVE-2025-52565).
func TestRaceConsole(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	dir := victim(t, env)
	dev := env.File("dev")
	mkdir(t, dev+"/pts")
	write(t, dev+"/console", "", 0o644)
	check(t, os.Symlink(dir+"/console", dev+"/other"))
	check(t, os.Symlink(dir, dev+"/otherpts"))
	bundle := env.Bundle(harness.Terminal, harness.WithoutMount("/dev/shm"), harness.WithoutMount("/dev/mqueue"),
		harness.Shell("cat </dev/null; stat -L -c %t:%T /dev/console"), func(c *specs.Spec) {
			for i := range c.Mounts {
				if c.Mounts[i].Destination == "/dev" {
					c.Mounts[i] = specs.Mount{Destination: "/dev", Type: "bind", Source: dev, Options: []string{"bind"}}
				}
			}
			c.Linux.MaskedPaths = nil
		})
	swap(t, dev+"/console", dev+"/other")
	swap(t, dev+"/pts", dev+"/otherpts")
	created := 0
	race(t, func(int) {
		socket := env.FDSocket()
		id := env.ID()
		if r := env.Call("create", "--bundle", bundle.Dir, "--console-socket", socket.Path, id); r.Code != 0 {
			return
		}
		created++
		env.Call("delete", "--force", id).WantCode(t, 0)
	})
	t.Logf("created %d times", created)
}

// TestRaceCopyUp: entries are exchanged while a directory of the root is copied
// into a new tmpfs.
func TestRaceCopyUp(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	dir := victim(t, env)
	bundle := env.Bundle(harness.Shell("grep -r 'of the host' /data 2>/dev/null && echo HOLE; find /data -type b | grep . && echo HOLE; true"),
		harness.Mounted(specs.Mount{Destination: "/data", Type: "tmpfs", Source: "tmpfs", Options: []string{"tmpcopyup"}}))
	mkdir(t, bundle.Path("data/dir"))
	write(t, bundle.Path("data/secret"), "of the image\n", 0o644)
	write(t, bundle.Path("data/dir/secret"), "of the image\n", 0o644)
	check(t, os.Symlink(dir+"/secret", bundle.Path("other")))
	check(t, os.Symlink(dir, bundle.Path("otherdir")))
	swap(t, bundle.Path("data/secret"), bundle.Path("other"))
	swap(t, bundle.Path("data/dir"), bundle.Path("otherdir"))
	raceRun(t, env, bundle)
}

// TestRaceCwd: the working directory becomes a link, when it is made and when
// it is entered (CVE-2024-21626).
func TestRaceCwd(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	dir := victim(t, env)
	bundle := env.Bundle(harness.Shell("ls | grep secret && echo HOLE; ls ../../../../.. | grep -v '^[bdemprstw]' && echo HOLE; true"),
		func(c *specs.Spec) { c.Process.Cwd = "/work/made/sub" })
	mkdir(t, bundle.Path("work"))
	check(t, os.Symlink(dir, bundle.Path("work2")))
	swap(t, bundle.Path("work"), bundle.Path("work2"))
	raceRun(t, env, bundle)
}

// TestRacePasswd: /etc/passwd is read by the runtime, for HOME: it may become a
// named pipe, an endless device or a link at any time.
func TestRacePasswd(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	theirs := env.File("passwd")
	write(t, theirs, "root:x:0:0::/of-the-host:/bin/sh\n", 0o644)
	bundle := env.Bundle(harness.Shell("case $HOME in *host*) echo HOLE;; esac"))
	check(t, unix.Mkfifo(bundle.Path("etc/fifo"), 0o666))
	check(t, os.Symlink(theirs, bundle.Path("etc/link")))
	swap(t, bundle.Path("etc/passwd"), bundle.Path("etc/fifo"))
	swap(t, bundle.Path("etc/passwd"), bundle.Path("etc/link"))
	raceRun(t, env, bundle)
}
