package engines

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/tests/view"
)

// World is a machine of its own, as far as an engine can tell: namespaces with
// their own process table, network, IPC, host name and mounts. What an engine
// writes below the directories that it shares with the host (/etc, /var,
// /root, /run, /home) goes to a tmpfs. It ends with its first process, and
// everything that an engine has started ends with it.
type World struct {
	T   *testing.T
	Dir string // scratch directory, on a tmpfs, visible inside under the same path
	env []string
	pid int
}

// worldEnv marks the test binary that is started again as a world's first
// process; its value is the World's Dir.
const worldEnv = "ENGINES_WORLD"

// worldPath is the PATH inside, systemd's default.
const worldPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// installed is where the runtime under test is inside, as README.md has it.
const installed = "/usr/local/bin/runtime"

// privateDirs are those whose changes stay inside.
var privateDirs = []string{"/etc", "/var", "/root", "/home", "/opt", "/mnt"}

// NewWorld starts a world that ends with the test.
func NewWorld(t *testing.T) *World {
	t.Helper()
	dir, err := os.MkdirTemp(view.Dir(), "w")
	check(t, err)
	check(t, os.Chmod(dir, 0o755))
	w := &World{T: t, Dir: dir}
	check(t, os.Mkdir(w.File("tmp"), 0o755))
	check(t, os.Chmod(w.File("tmp"), 0o777|os.ModeSticky))
	w.env = []string{"PATH=" + worldPath, "HOME=/root", "TMPDIR=" + w.File("tmp"), "LC_ALL=C.UTF-8"}
	w.start()
	w.install(t, binary(t), installed)
	return w
}

// File returns a path in Dir.
func (w *World) File(elem ...string) string {
	return filepath.Join(append([]string{w.Dir}, elem...)...)
}

// install copies a program into the world.
func (w *World) install(t testing.TB, from, to string) {
	t.Helper()
	program, err := os.ReadFile(from)
	check(t, err)
	// A process forked meanwhile would hold the file open for writing, golang.org/issue/22315.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	check(t, os.WriteFile(w.Path(to), program, 0o755))
}

// Path returns the path outside of a file inside.
func (w *World) Path(inside string) string {
	return fmt.Sprintf("/proc/%d/root%s", w.pid, inside)
}

// start runs the first process and waits until it has furnished the world.
func (w *World) start() {
	w.T.Helper()
	ready, report, err := os.Pipe()
	check(w.T, err)
	defer ready.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(w.env, worldEnv+"="+w.Dir)
	cmd.ExtraFiles = []*os.File{report}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		// Unshare, not clone: Go then makes "/" private before our code runs.
		Unshareflags: unix.CLONE_NEWNS,
	}
	check(w.T, cmd.Start())
	report.Close()
	w.pid = cmd.Process.Pid
	w.T.Cleanup(func() { w.end(cmd) })
	if said, err := io.ReadAll(ready); err != nil || string(said) != "ready" {
		w.T.Fatalf("the world did not come up: %q %v", said, err)
	}
}

// end kills everything inside. A PID namespace lasts until the last of its
// processes is collected, and those that a client in our own namespace has
// left are ours to collect.
func (w *World) end(cmd *exec.Cmd) {
	w.T.Helper()
	check(w.T, cmd.Process.Kill())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	deadline := time.After(timeout)
	for {
		select {
		case <-ended:
			return
		case <-deadline:
			w.T.Fatalf("the world does not end: %v", w.Processes())
		case <-time.After(20 * time.Millisecond):
			view.ReapOrphans()
		}
	}
}

// furnish is the first process of a world: it arranges the mounts, says so,
// and then collects orphans for ever, as any init does.
func furnish(dir string) int {
	if err := arrange(dir); err != nil {
		return complain(err)
	}
	report := os.NewFile(3, "report")
	if _, err := report.WriteString("ready"); err != nil {
		return complain(err)
	}
	report.Close()
	for {
		_, err := unix.Wait4(-1, nil, 0, nil)
		if errors.Is(err, unix.ECHILD) {
			// A signal tells of the next orphan, but looking is simpler.
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// arrange makes the mounts of the calling process those of the world.
func arrange(dir string) error {
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if err := unix.Mount("proc", "/proc", "proc", flags, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := ownSys(dir); err != nil {
		return err
	}
	for _, point := range privateDirs {
		if err := private(dir, point); err != nil {
			return fmt.Errorf("overlay on %s: %w", point, err)
		}
	}
	for _, mount := range []func() error{ownRun, ownLocal} {
		if err := mount(); err != nil {
			return err
		}
	}
	if err := ownTun(dir); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte("engines")); err != nil {
		return err
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("ip link set lo up: %s", out)
	}
	// As systemd leaves it; engines count on that for shared volumes.
	return unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "")
}

// ownSys replaces /sys, which shows the devices of the network namespace it
// was mounted in, and keeps the cgroup mounts below it.
func ownSys(dir string) error {
	keep := filepath.Join(dir, "cgroup")
	if err := os.Mkdir(keep, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("/sys/fs/cgroup", keep, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind /sys/fs/cgroup: %w", err)
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if err := unix.Mount("sysfs", "/sys", "sysfs", flags, ""); err != nil {
		return fmt.Errorf("mount /sys: %w", err)
	}
	if err := unix.Mount(keep, "/sys/fs/cgroup", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move /sys/fs/cgroup: %w", err)
	}
	return os.Remove(keep)
}

// private covers the directory with an overlay of itself.
func private(dir, point string) error {
	upper := filepath.Join(dir, "private", point, "upper")
	work := filepath.Join(dir, "private", point, "work")
	for _, d := range []string{upper, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	info, err := os.Stat(point)
	if err != nil {
		return err
	}
	if err := os.Chmod(upper, info.Mode().Perm()); err != nil {
		return err
	}
	return unix.Mount("overlay", point, "overlay", 0, "lowerdir="+point+",upperdir="+upper+",workdir="+work)
}

// ownRun covers /run, where daemons keep sockets, locks and state.
func ownRun() error {
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	for _, d := range []string{"/run/lock", "/run/user"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// ownLocal covers /usr/local: nothing of the machine's may stand before what
// the packages install.
func ownLocal() error {
	if err := unix.Mount("tmpfs", "/usr/local", "tmpfs", unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("mount /usr/local: %w", err)
	}
	for _, d := range []string{"/usr/local/bin", "/usr/local/sbin"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// ownTun lets ordinary users open /dev/net/tun, as distributions do, without
// changing the host's node.
func ownTun(dir string) error {
	const tun = "/dev/net/tun"
	var st unix.Stat_t
	if unix.Stat(tun, &st) != nil {
		return nil // a kernel without it
	}
	node := filepath.Join(dir, "tun")
	if err := unix.Mknod(node, unix.S_IFCHR|0o666, int(st.Rdev)); err != nil {
		return err
	}
	if err := os.Chmod(node, 0o666); err != nil {
		return err
	}
	return unix.Mount(node, tun, "", unix.MS_BIND, "")
}

// inside returns the arguments that run args in the world.
func (w *World) inside(args ...string) []string {
	enter := []string{"nsenter", "-t", strconv.Itoa(w.pid), "-m", "-p", "-n", "-i", "-u", "--", "env", "--chdir=" + w.Dir}
	return append(enter, args...)
}

// Processes returns the command lines of what runs inside, by PID as the test
// sees it.
func (w *World) Processes() map[int]string {
	found := map[int]string{}
	ns, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", w.pid))
	for _, pid := range view.Processes() {
		if pid == w.pid || !view.Alive(pid) || !within(pid, ns) {
			continue
		}
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		found[pid] = strings.ReplaceAll(string(text), "\x00", " ")
	}
	return found
}

// within tells whether the process is in the PID namespace or in one below it.
func within(pid int, ns string) bool {
	link, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if link == ns {
		return true
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if pids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			return len(strings.Fields(pids)) > 2 // ours, the world's, a container's
		}
	}
	return false
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "engines:", err)
	return 2
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
