package breakouts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
)

// The state directory says which processes to signal and what to delete: who
// can write there commands the runtime.

// verbs are commands that believe the state.
func verbs(bundle, id string) [][]string {
	return [][]string{
		{"create", "--bundle", bundle, id}, {"run", "--bundle", bundle, id}, {"start", id}, {"state", id}, {"kill", id, "KILL"},
		{"delete", id}, {"delete", "--force", id}, {"exec", id, "true"}, {"pause", id}, {"resume", id}, {"list"},
	}
}

// TestRootOfOthers: a state directory that belongs to, or can be written by,
// anybody else is not used, not even for the cache of seccomp filters.
func TestRootOfOthers(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(filtered(env))
	for what, prepare := range map[string]func(root string){
		"another user's":    func(root string) { check(t, os.Chown(root, 1000, 0)) },
		"writable by all":   func(root string) { check(t, os.Chmod(root, 0o777)) },
		"sticky like /tmp":  func(root string) { check(t, os.Chmod(root, 0o777|os.ModeSticky)) },
		"writable by group": func(root string) { check(t, os.Chmod(root, 0o770)) },
	} {
		root := env.File(strings.ReplaceAll(what, " ", "-"))
		mkdir(t, root)
		prepare(root)
		for _, args := range verbs(bundle.Dir, env.ID()) {
			if r := env.BareCommand(append([]string{"--root", root}, args...)...).Run(); r.Code == 0 {
				t.Errorf("%s: %s", what, r)
			}
		}
		want(t, "entries in a root "+what, len(entries(t, root)), 0)
	}
}

// TestRootIsLink: a link to the state directory counts as much as its owner:
// he could point it at any directory of root's, /etc for example.
func TestRootIsLink(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	theirs, target := env.File("theirs"), env.File("target")
	mkdir(t, theirs)
	check(t, os.Chown(theirs, 1000, 1000))
	check(t, os.Mkdir(target, 0o700))
	mkdir(t, target+"/apt")
	write(t, target+"/apt/config.json", "{}", 0o644)
	link(t, target, theirs+"/link")
	check(t, os.Lchown(theirs+"/link", 1000, 1000))
	bundle := env.Bundle(filtered(env))
	for _, root := range []string{theirs + "/link", theirs + "/link/../link", theirs + "/link/sub"} {
		for _, args := range append(verbs(bundle.Dir, "apt"), []string{"create", "--bundle", bundle.Dir, env.ID()}) {
			if r := env.BareCommand(append([]string{"--root", root}, args...)...).Run(); r.Code == 0 {
				t.Errorf("%s: %s", root, r)
			}
		}
	}
	want(t, "target", fmt.Sprint(entries(t, target)), "[apt]")
	want(t, "target/apt", fmt.Sprint(entries(t, target+"/apt")), "[config.json]")

	// Root's own links, as /var/run is one, are fine.
	link(t, target, env.File("ours"))
	id := env.ID()
	env.BareCommand("--root", env.File("ours"), "create", "--bundle", bundle.Dir, id).Run().WantCode(t, 0)
	env.BareCommand("--root", env.File("ours"), "delete", "--force", id).Run().WantCode(t, 0)
}

// TestUserRuntimeDirOfAnother: root who has kept the environment of a user, as
// su(1) may leave it, does not take state from where that user rules.
func TestUserRuntimeDirOfAnother(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	theirs := env.File("user")
	mkdir(t, theirs)
	c := env.Create(env.Bundle())
	check(t, os.Symlink(env.Root, theirs+"/runtime"))
	check(t, os.Lchown(theirs+"/runtime", 1000, 1000))
	list := env.BareCommand("list", "--quiet")
	list.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+theirs, "USER=user")
	if r := list.Run(); strings.Contains(r.Stdout, c.ID) {
		t.Errorf("root has followed the user's link: %s", r)
	}
}

// TestCreateRace: of many creates with one id, one wins, and the others do not
// touch what it has made.
func TestCreateRace(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Forever)
	race(t, func(i int) {
		if i >= 10 {
			return
		}
		id := env.ID()
		var calls []*harness.Process
		for range 6 {
			calls = append(calls, env.Command("create", "--bundle", bundle.Dir, id).Start())
		}
		won := 0
		for _, c := range calls {
			if c.Wait().Code == 0 {
				won++
			}
		}
		if won > 1 {
			t.Errorf("%d creates of one id have succeeded", won)
		}
		if won == 1 {
			env.Call("start", id).WantQuiet(t)
		}
		env.Call("delete", "--force", id).WantCode(t, 0)
	})
}

// TestForgedPid: a record that names a process of somebody else, in each of the
// ways that one could come about. Nothing happens to that process.
func TestForgedPid(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	innocent := exec.Command("/bin/busybox", "sleep", "1000")
	check(t, innocent.Start())
	t.Cleanup(func() { _ = innocent.Process.Kill(); _ = innocent.Wait() })
	other := strconv.Itoa(innocent.Process.Pid)
	text, err := os.ReadFile("/proc/" + other + "/stat")
	check(t, err)
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	started := fields[19]

	c := env.Create(env.Bundle(harness.Forever)).Start()
	path := filepath.Join(env.Root, c.ID, "state.json")
	record, err := os.ReadFile(path)
	check(t, err)
	mine, err := os.ReadFile(c.Proc("stat"))
	check(t, err)
	began := strings.Fields(string(mine[strings.LastIndexByte(string(mine), ')')+1:]))[19]
	pid := fmt.Sprintf(`"pid":%d`, c.Pid)
	for what, forged := range map[string]string{
		"pid":                strings.Replace(string(record), pid, `"pid":`+other, 1),
		"pid and start time": strings.Replace(strings.Replace(string(record), pid, `"pid":`+other, 1), `"start":`+began, `"start":`+started, 1),
		"a thread":           strings.Replace(string(record), pid, `"pid":`+strconv.Itoa(c.Pid+1), 1),
		"pid 1":              strings.Replace(string(record), pid, `"pid":1`, 1),
		"pid 0":              strings.Replace(string(record), pid, `"pid":0`, 1),
		"negative":           strings.Replace(string(record), pid, `"pid":-1`, 1),
		"a huge one":         strings.Replace(string(record), pid, `"pid":2147483648`, 1),
	} {
		if forged == string(record) {
			t.Fatalf("%s: nothing to forge in %s", what, record)
		}
		write(t, path, forged, 0o600)
		for _, args := range [][]string{{"kill", c.ID, "KILL"}, {"exec", c.ID, "true"}, {"start", c.ID}, {"pause", c.ID}} {
			if r := env.Call(args...); r.Code == 0 {
				t.Errorf("%s: %s", what, r)
			}
		}
		if err := innocent.Process.Signal(syscall.Signal(0)); err != nil {
			t.Fatalf("%s: the innocent process is gone: %v", what, err)
		}
	}
	write(t, path, string(record), 0o600)
	c.WantStatus("running")
}

// TestHostileGate: start.sock, on which a created container waits, is something
// else. Start ends in time, and delete --force cleans up.
func TestHostileGate(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for what, replace := range map[string]func(path string){
		"missing":   func(string) {},
		"fifo":      func(path string) { check(t, unix.Mkfifo(path, 0o600)) },
		"file":      func(path string) { write(t, path, "", 0o600) },
		"directory": func(path string) { mkdir(t, path) },
		"link":      func(path string) { link(t, "/dev/null", path) },
		"dead":      func(path string) { unix.Close(listen(t, path, 1)) },
		"silent":    func(path string) { held(t, listen(t, path, 1)) },
		"full": func(path string) {
			held(t, listen(t, path, 0))
			held(t, dial(t, path))
		},
	} {
		c := env.Create(env.Bundle())
		path := filepath.Join(env.Root, c.ID, "start.sock")
		check(t, os.Remove(path))
		replace(path)
		began := time.Now()
		if r := env.Call("--timeout", "300ms", "start", c.ID); r.Code == 0 {
			t.Errorf("%s: %s", what, r)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: start took %s", what, took)
		}
		if what == "directory" { // nothing of ours; an administrator has to look
			check(t, os.Remove(path))
		}
		if r := env.Call("delete", "--force", c.ID); r.Code != 0 {
			t.Errorf("%s: %s", what, r)
		}
	}
}

func listen(t *testing.T, path string, backlog int) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	check(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	check(t, unix.Listen(fd, backlog))
	return fd
}

func dial(t *testing.T, path string) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	check(t, unix.Connect(fd, &unix.SockaddrUnix{Name: path}))
	return fd
}

func held(t *testing.T, fd int) {
	t.Helper()
	t.Cleanup(func() { unix.Close(fd) })
}

// TestGateOfAnother: whatever the umask of the engine, nobody else can connect
// to the gate and start a container behind its back.
func TestGateOfAnother(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	check(t, os.Mkdir(env.Root, 0o755))
	bundle := env.Bundle(harness.Args("touch", "/tmp/started"))
	id := env.ID()
	create := env.Command("-c", `umask 0; exec "$0" "$@"`, harness.Binary(t), "--root", env.Root, "create", "--bundle", bundle.Dir, id)
	create.Args = create.Args[2:] // --root is for the runtime
	create.Binary = "/bin/sh"
	c := env.Adopt(create, bundle)
	var st unix.Stat_t
	check(t, unix.Stat(filepath.Join(env.Root, id, "start.sock"), &st))
	if st.Mode&0o077 != 0 || st.Uid != 0 {
		t.Errorf("the gate has mode %o and belongs to %d", st.Mode&0o777, st.Uid)
	}
	for _, name := range []string{"state.json", "config.json"} {
		check(t, unix.Stat(filepath.Join(env.Root, id, name), &st))
		if st.Mode&0o077 != 0 {
			t.Errorf("%s has mode %o", name, st.Mode&0o777)
		}
	}
	c.WantStatus("created")
}
