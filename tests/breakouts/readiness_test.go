package breakouts

import (
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
)

// A container under a service manager has a socket of the runtime's, which runs
// with all rights and goes on to talk to the manager.

// manager listens as the host's service manager, and returns what it was told.
// What comes along with a message is gone: a barrier opens.
func manager(t *testing.T, path string) (heard func() string) {
	t.Helper()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	check(t, err)
	var mu sync.Mutex
	var all []byte
	done := make(chan struct{})
	go func() {
		defer close(done)
		var buf [4096]byte
		for {
			n, err := socket.Read(buf[:])
			if err != nil {
				return
			}
			mu.Lock()
			all = append(all, buf[:n]...)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() { socket.Close(); <-done })
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return string(all)
	}
}

// service creates a container under the manager at path, which runs the
// program of package tests/notifier.
func service(t *testing.T, env *harness.Env, path string, edits ...harness.Edit) (*harness.Container, *harness.Command) {
	t.Helper()
	bundle := env.Bundle(append([]harness.Edit{harness.Program(t, "tests/notifier")}, edits...)...)
	mkdir(t, bundle.Path("run/notify")) // the image is not the mapped root's
	create := env.Command("create", "--bundle", bundle.Dir, env.ID())
	create.Env = append(os.Environ(), "NOTIFY_SOCKET="+path)
	c := env.Adopt(create, bundle)
	start := env.Command("start", c.ID)
	start.Env = create.Env
	return c, start
}

// TestReadinessForged: a container gets nothing to the service manager but that
// it is ready: no words, no descriptors, no other main process.
func TestReadinessForged(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	heard := manager(t, env.File("manager"))
	c, start := service(t, env, env.File("manager"), harness.Args("/tmp/notifier",
		`send=MAINPID=1`, `send=STOPPING=1\nERRNO=5\nBUSERROR=x`, `with=FDSTORE=1\nFDNAME=stolen`, `with=BARRIER=1`, `send=`, `send=\x00READY=1`,
		`send=READY=1\x00`, `send=XREADY=1`, `send=\xff\xfe\x00\n\n\n`, `send=READY=1\x00MAINPID=1`, `flood=300`, `say=up`,
		`with=MAINPID=1\nREADY=1\nFDSTORE=1\nWATCHDOG=trigger`, `send=STOPPING=1`, `with=READY=1`, "sleep"))
	start.Run().WantQuiet(t)
	want(t, "what the manager was told", heard(), "READY=1\nMAINPID="+strconv.Itoa(c.Pid)+"\nBARRIER=1")
}

// TestReadinessFlood: who sends without end does not keep the runtime busy: he
// has to wait, a millisecond for each message.
func TestReadinessFlood(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	manager(t, env.File("manager"))
	const count = 500
	c, start := service(t, env, env.File("manager"), harness.Args("/tmp/notifier", "say=up", "flood="+strconv.Itoa(count), "send=READY=1", "sleep"))
	process := start.Start()
	c.WaitStdout("up\n")
	began := time.Now()
	process.Wait().WantQuiet(t)
	if took := time.Since(began); took < count/2*time.Millisecond {
		t.Errorf("%d messages were heard in %v", count, took)
	}
}

// TestReadinessLinger: a descriptor whose close(2) blocks does not keep start
// from seeing the end of the container.
func TestReadinessLinger(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	manager(t, env.File("manager"))
	peer, err := net.Listen("tcp4", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { peer.Close() })
	_, port, err := net.SplitHostPort(peer.Addr().String())
	check(t, err)
	c, start := service(t, env, env.File("manager"), harness.Args("/tmp/notifier", "say=up", "linger="+port),
		harness.WithoutNamespace(specs.NetworkNamespace))
	start.Args = append([]string{"--timeout", "500ms"}, start.Args...)
	process := start.Start()
	c.WaitStdout("up\n")
	tasks := "/proc/" + strconv.Itoa(process.Pid()) + "/task/"
	check(t, harness.Eventually(harness.Timeout(), func() bool {
		return slices.ContainsFunc(entries(t, tasks), func(tid string) bool {
			stack, _ := os.ReadFile(tasks + tid + "/stack")
			return strings.Contains(string(stack), "stream_wait_close")
		})
	}))
	c.Kill("KILL")
	process.Wait().WantQuiet(t)
}

// TestReadinessReplaced: a container that may mount makes the directory, which
// is one of the host's, writable, and puts traps there. Neither a start nor the
// delete follows one.
func TestReadinessReplaced(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := victim(t, env)
	manager(t, env.File("manager"))
	c, start := service(t, env, env.File("manager"), harness.Args("/tmp/notifier", "replace", "say=up", "sleep"),
		harness.Capabilities("CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"),
		func(c *specs.Spec) { c.Process.Env = append(c.Process.Env, "VICTIM="+dir) })
	process := start.Start()
	c.WaitStdout("up\n")
	c.Kill("KILL")
	process.Wait().WantQuiet(t)
	c.Wait()
	c.Delete()

	// Already before it is started, by an exec.
	c, start = service(t, env, env.File("manager"), harness.Args("/tmp/notifier", "send=READY=1", "sleep"), harness.Capabilities("CAP_SYS_ADMIN"))
	c.ExecShell("mount -o remount,rw,bind /run/notify && ln -s "+dir+"/new.sock /run/notify/notify.sock").WantCode(t, 0)
	r := start.Run()
	if _, err := os.Lstat(dir + "/new.sock"); err == nil {
		t.Errorf("start has followed a link of the container's: %s", r)
	}
	c.Call("delete", "--force").WantQuiet(t)

	c, start = service(t, env, env.File("manager"), harness.Args("/tmp/notifier", "send=READY=1", "sleep"), harness.Capabilities("CAP_SYS_ADMIN"))
	c.ExecShell("mount -o remount,rw,bind /run/notify && mkdir -p /run/notify/notify.sock/x").WantCode(t, 0)
	start.Run().WantError(t, 1, "notify/notify.sock", "is a directory")
	c.WantStatus("created")
	c.Call("delete", "--force").WantQuiet(t)
}

// TestReadinessReadOnly: without the right to mount, the directory is not the
// container's to write to.
func TestReadinessReadOnly(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	heard := manager(t, env.File("manager"))
	for _, edit := range []harness.Edit{func(*specs.Spec) {}, harness.UserNamespace} {
		bundle := harness.Args("sleep", "1000")
		c, _ := service(t, env, env.File("manager"), bundle, harness.Capabilities("CAP_DAC_OVERRIDE"), edit)
		r := c.ExecShell("echo x >/run/notify/x; rm -f /run/notify/notify.sock; mount -o remount,rw,bind /run/notify; ls /run/notify")
		if r.Stdout != "" {
			t.Errorf("the directory has changed: %s", r)
		}
	}
	want(t, "what the manager was told", heard(), "")
}
