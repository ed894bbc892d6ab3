package tests

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	runc "github.com/containerd/go-runc"
	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// goRunc is containerd's client library, through which its shim makes every
// call: each method it has is called here.
type goRunc struct {
	*runc.Runc
	env *harness.Env
	ctx context.Context
}

func newGoRunc(t *testing.T) *goRunc {
	t.Helper()
	env := harness.New(t)
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout())
	t.Cleanup(cancel)
	return &goRunc{env: env, ctx: ctx, Runc: &runc.Runc{
		Command: harness.Binary(t), Root: env.Root, WorkDir: env.Dir,
		Log: env.File("log.json"), LogFormat: runc.JSON, Setpgid: true,
	}}
}

// create makes a container the way the shim does, and returns what it prints
// in the end.
func (g *goRunc) create(bundle *harness.Bundle, opts runc.CreateOpts) (*harness.Container, runc.IO) {
	t := g.env.T
	t.Helper()
	pipes, err := runc.NewPipeIO(0, 0)
	check(t, err)
	opts.IO = pipes
	opts.PidFile = g.env.File("pid")
	id := g.env.ID()
	c := g.env.Container(id, bundle)
	check(t, g.Create(g.ctx, id, bundle.Dir, &opts))
	c.Pid, err = runc.ReadPidFile(opts.PidFile)
	check(t, err)
	t.Cleanup(func() { pipes.Close() })
	return c, pipes
}

// running makes a container that runs for ever.
func (g *goRunc) running(edits ...harness.Edit) *harness.Container {
	g.env.T.Helper()
	c, _ := g.create(g.env.Bundle(append([]harness.Edit{harness.Args("sleep", "1000")}, edits...)...), runc.CreateOpts{})
	check(g.env.T, g.Start(g.ctx, c.ID))
	return c
}

// status asks for the container's.
func (g *goRunc) status(id string) string {
	g.env.T.Helper()
	state, err := g.State(g.ctx, id)
	check(g.env.T, err)
	return state.Status
}

// null is /dev/null for one call, which closes it.
func null(t testing.TB) runc.IO {
	t.Helper()
	null, err := runc.NewNullIO()
	check(t, err)
	return null
}

// wantErr fails the test unless the error has all parts.
func wantErr(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("want an error with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Fatalf("want %q in: %v", part, err)
		}
	}
}

func TestGoRuncLife(t *testing.T) {
	t.Parallel()
	g := newGoRunc(t)
	bundle := g.env.Bundle(harness.Shell("read line; echo got $line; exit 7"))
	c, pipes := g.create(bundle, runc.CreateOpts{NoNewKeyring: true})
	state, err := g.State(g.ctx, c.ID)
	check(t, err)
	want(t, "status", state.Status, "created")
	want(t, "pid", state.Pid, c.Pid)
	want(t, "bundle", state.Bundle, bundle.Dir)
	want(t, "rootfs", state.Rootfs, bundle.Rootfs())
	if age := time.Since(state.Created); age < 0 || age > harness.Timeout() {
		t.Errorf("created %v ago", age)
	}
	list, err := g.List(g.ctx)
	check(t, err)
	if len(list) != 1 || list[0].ID != c.ID || list[0].Status != "created" {
		t.Fatalf("list: %+v", list)
	}
	check(t, g.Start(g.ctx, c.ID))
	wantErr(t, g.Start(g.ctx, c.ID), "cannot start an already running container")
	_, err = io.WriteString(pipes.Stdin(), "words\n")
	check(t, err)
	got, err := io.ReadAll(pipes.Stdout())
	check(t, err)
	want(t, "output", string(got), "got words\n")
	want(t, "exit code", c.Wait().ExitStatus(), 7)
	want(t, "status", g.status(c.ID), "stopped")
	wantErr(t, g.Kill(g.ctx, c.ID, 9, nil), "container not running")
	check(t, g.Kill(g.ctx, c.ID, 9, &runc.KillOpts{All: true}))
	check(t, g.Delete(g.ctx, c.ID, nil))
	wantErr(t, g.Delete(g.ctx, c.ID, nil), "does not exist")
	check(t, g.Delete(g.ctx, c.ID, &runc.DeleteOpts{Force: true}))
	wantErr(t, g.Kill(g.ctx, c.ID, 9, nil), "does not exist")
}

func TestGoRuncRun(t *testing.T) {
	t.Parallel()
	g := newGoRunc(t)
	pipes, err := runc.NewPipeIO(0, 0, func(o *runc.IOOption) { o.OpenStderr = false })
	check(t, err)
	defer pipes.Close()
	started := make(chan int, 1)
	handed := file(t, g.env, "handed")
	opts := runc.CreateOpts{IO: pipes, Started: started, ExtraFiles: []*os.File{handed}}
	done := make(chan int, 1)
	go func() {
		code, err := g.Run(g.ctx, g.env.ID(), g.env.Bundle(harness.Shell("echo out >&3; cat; exit 9")).Dir, &opts)
		if failed := (*runc.ExitError)(nil); !errors.As(err, &failed) || failed.Status != 9 {
			t.Errorf("run: %v", err)
		}
		done <- code
	}()
	if pid := <-started; pid <= 0 {
		t.Errorf("started as %d", pid)
	}
	_ = pipes.Stdin().Close()
	want(t, "exit code", <-done, 9)
	wantFile(t, handed.Name(), "out\n")
}

func TestGoRuncRunDetached(t *testing.T) {
	t.Parallel()
	g := newGoRunc(t)
	bundle := g.env.Bundle(harness.Args("sleep", "1000"))
	c := g.env.Container(g.env.ID(), bundle)
	code, err := g.Run(g.ctx, c.ID, bundle.Dir, &runc.CreateOpts{IO: null(t), Detach: true, NoPivot: true, PidFile: g.env.File("pid")})
	check(t, err)
	want(t, "exit code", code, 0)
	c.Pid, err = runc.ReadPidFile(g.env.File("pid"))
	check(t, err)
	want(t, "status", g.status(c.ID), "running")
}

func TestGoRuncSockets(t *testing.T) {
	t.Parallel()
	g := newGoRunc(t)
	console, err := runc.NewTempConsoleSocket()
	check(t, err)
	defer console.Close()
	pidfd, err := runc.NewTempPidfdSocket()
	check(t, err)
	defer pidfd.Close()
	bundle := g.env.Bundle(harness.Terminal, harness.Shell("stty size; tty; sleep 1000"))
	c, _ := g.create(bundle, runc.CreateOpts{ConsoleSocket: console, PidfdSocket: pidfd})
	master, err := console.ReceiveMaster()
	check(t, err)
	defer master.Close()
	process, err := pidfd.ReceivePidfd()
	check(t, err)
	defer process.Close()
	check(t, g.Start(g.ctx, c.ID))
	text := make([]byte, 100)
	n, err := master.Read(text)
	check(t, err)
	if n == 0 {
		t.Error("the terminal is silent")
	}
	check(t, g.Kill(g.ctx, c.ID, 9, nil))
	check(t, harness.WaitReadable(int(process.Fd()), harness.Timeout()))
}

func TestGoRuncExec(t *testing.T) {
	t.Parallel()
	g := newGoRunc(t)
	c := g.running()
	process := func(args ...string) specs.Process {
		return specs.Process{Args: args, Cwd: "/", Env: []string{"PATH=/bin", "A=b"}}
	}
	pipes, err := runc.NewPipeIO(0, 0)
	check(t, err)
	defer pipes.Close()
	started := make(chan int, 1)
	err = g.Exec(g.ctx, c.ID, process("sh", "-c", "echo $A; exit 5"), &runc.ExecOpts{IO: pipes, Started: started})
	if failed := (*runc.ExitError)(nil); !errors.As(err, &failed) || failed.Status != 5 {
		t.Errorf("exec: %v", err)
	}
	text, err := io.ReadAll(pipes.Stdout())
	check(t, err)
	want(t, "output", string(text), "b\n")
	if pid := <-started; pid <= 0 {
		t.Errorf("started as %d", pid)
	}

	err = g.Exec(g.ctx, c.ID, process("nosuch"), &runc.ExecOpts{IO: null(t), LogFile: g.env.File("exec.json")})
	wantErr(t, err, "exit status 255")
	last := lastError(t, g.env.File("exec.json"))
	if !strings.Contains(last, "executable file not found in $PATH") {
		t.Errorf("the last error of the log is %q", last)
	}

	pidFile := g.env.File("exec.pid")
	check(t, g.Exec(g.ctx, c.ID, process("sleep", "1000"), &runc.ExecOpts{IO: null(t), Detach: true, PidFile: pidFile}))
	pid, err := runc.ReadPidFile(pidFile)
	check(t, err)
	pids, err := g.Ps(g.ctx, c.ID)
	check(t, err)
	slices.Sort(pids)
	if !slices.Equal(pids, []int{min(c.Pid, pid), max(c.Pid, pid)}) {
		t.Errorf("ps: %v, want %d and %d", pids, c.Pid, pid)
	}
}

func TestGoRuncExecTerminal(t *testing.T) {
	t.Parallel()
	g := newGoRunc(t)
	c := g.running()
	console, err := runc.NewConsoleSocket(g.env.File("console"))
	check(t, err)
	defer console.Close()
	pidfd, err := runc.NewPidfdSocket(g.env.File("pidfd"))
	check(t, err)
	defer pidfd.Close()
	process := specs.Process{Terminal: true, Args: []string{"/bin/sh", "-c", "tty; exec sleep 1000"}, Cwd: "/"}
	check(t, g.Exec(g.ctx, c.ID, process, &runc.ExecOpts{IO: null(t), Detach: true, ConsoleSocket: console, PidfdSocket: pidfd, PidFile: g.env.File("exec.pid")}))
	master, err := console.ReceiveMaster()
	check(t, err)
	defer master.Close()
	fd, err := pidfd.ReceivePidfd()
	check(t, err)
	fd.Close()
	text := make([]byte, 100)
	n, err := master.Read(text)
	check(t, err)
	if got := string(text[:n]); !strings.HasPrefix(got, "/dev/pts/0") {
		t.Errorf("terminal: %q", got)
	}
}

func TestGoRuncFreeze(t *testing.T) {
	t.Parallel()
	g := newGoRunc(t)
	c := g.running()
	check(t, g.Pause(g.ctx, c.ID))
	want(t, "status", g.status(c.ID), "paused")
	wantErr(t, g.Exec(g.ctx, c.ID, specs.Process{Args: []string{"/bin/true"}, Cwd: "/"}, &runc.ExecOpts{IO: null(t)}), "exit status 255")
	check(t, g.Resume(g.ctx, c.ID))
	want(t, "status", g.status(c.ID), "running")
	wantErr(t, g.Resume(g.ctx, c.ID), "container not paused")
}

func TestGoRuncTop(t *testing.T) {
	t.Parallel()
	g := newGoRunc(t)
	c := g.running()
	for _, options := range []string{"-ef", "-opid,comm"} {
		top, err := g.Top(g.ctx, c.ID, options)
		check(t, err)
		column := slices.Index(top.Headers, "PID")
		if column < 0 || len(top.Processes) != 1 || top.Processes[0][column] != strconv.Itoa(c.Pid) {
			t.Errorf("top %s: %+v", options, top)
		}
	}
}

// TestGoRuncUpdate: zero is what an engine does not mean to change.
func TestGoRuncUpdate(t *testing.T) {
	t.Parallel()
	require.Controller(t, "memory")
	require.Controller(t, "cpu")
	g := newGoRunc(t)
	c := g.running(func(s *specs.Spec) {
		s.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: harness.Pointer(int64(64 << 20))}}
	})
	zero, unsigned := int64(0), uint64(0)
	check(t, g.Update(g.ctx, c.ID, &specs.LinuxResources{
		Memory:  &specs.LinuxMemory{Limit: &zero, Reservation: &zero, Kernel: &zero},
		CPU:     &specs.LinuxCPU{Shares: &unsigned, Quota: harness.Pointer(int64(20000)), Period: harness.Pointer(uint64(100000))},
		BlockIO: &specs.LinuxBlockIO{Weight: new(uint16)},
	}))
	want(t, "memory", c.Setting("memory", "memory.limit_in_bytes", "memory.max"), "67108864")
	want(t, "quota", strings.Fields(c.Setting("cpu", "cpu.cfs_quota_us", "cpu.max"))[0], "20000")
	wantErr(t, g.Update(g.ctx, c.ID, &specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "99999"}}), "99999")
}

func TestGoRuncStats(t *testing.T) {
	t.Parallel()
	require.Controller(t, "memory")
	g := newGoRunc(t)
	c := g.running(func(s *specs.Spec) {
		s.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: harness.Pointer(int64(64 << 20))}}
	})
	stats, err := g.Stats(g.ctx, c.ID)
	for errors.Is(err, os.ErrClosed) { // the library may close its pipe before it has read it
		stats, err = g.Stats(g.ctx, c.ID)
	}
	check(t, err)
	want(t, "memory limit", stats.Memory.Usage.Limit, 64<<20)
	want(t, "processes", stats.Pids.Current, 1)
	if stats.Memory.Usage.Usage == 0 {
		t.Error("no memory is used")
	}
	events, err := g.Events(g.ctx, c.ID, time.Second)
	check(t, err)
	event := <-events
	check(t, event.Err)
	want(t, "type", event.Type, "stats")
	want(t, "id", event.ID, c.ID)
	check(t, g.Kill(g.ctx, c.ID, 9, nil))
	c.Wait()
	for event := range events { // until the runtime sees the end
		if errors.Is(event.Err, os.ErrClosed) {
			break // as above
		}
		check(t, event.Err)
	}
}

func TestGoRuncHost(t *testing.T) {
	t.Parallel()
	g := newGoRunc(t)
	_, err := g.Version(g.ctx)
	check(t, err)
	features, err := g.Features(g.ctx)
	check(t, err)
	if features.OCIVersionMin == "" || features.OCIVersionMax == "" || !slices.Contains(features.MountOptions, "rro") {
		t.Errorf("features: %+v", features)
	}
	check(t, os.Mkdir(g.env.Root, 0o700))
	list, err := g.List(g.ctx)
	check(t, err)
	want(t, "containers", len(list), 0)
}

// TestGoRuncCreateFails: the shim shows its user the last error of the log,
// and calls delete for what may be there.
func TestGoRuncCreateFails(t *testing.T) {
	t.Parallel()
	g := newGoRunc(t)
	id := g.env.ID()
	err := g.Create(g.ctx, id, g.env.Bundle(harness.Args("nosuch")).Dir, &runc.CreateOpts{IO: null(t), PidFile: g.env.File("pid")})
	wantErr(t, err, "exit status 1")
	if last := lastError(t, g.Log); !strings.Contains(last, `exec: "nosuch": executable file not found in $PATH`) {
		t.Errorf("the last error of the log is %q", last)
	}
	if _, err := os.Stat(g.env.File("pid")); err == nil {
		t.Error("there is a pid file")
	}
	check(t, g.Delete(g.ctx, id, &runc.DeleteOpts{Force: true}))
}

// TestGoRuncCancelled: the library kills the runtime when its caller gives up,
// at any moment. Deleting by force makes up for that.
func TestGoRuncCancelled(t *testing.T) {
	t.Parallel()
	g := newGoRunc(t)
	bundle := g.env.Bundle(harness.Args("sleep", "1000"))
	for step := range full(12, 100) {
		c := g.env.Container(g.env.ID(), bundle)
		ctx, cancel := context.WithTimeout(g.ctx, time.Duration(step)*500*time.Microsecond)
		_ = g.Create(ctx, c.ID, bundle.Dir, &runc.CreateOpts{IO: null(t)}) // killed, or done before
		cancel()
		check(t, g.Delete(g.ctx, c.ID, &runc.DeleteOpts{Force: true}))
		wantErr(t, g.Delete(g.ctx, c.ID, nil), "does not exist")
	}
}

// TestGoRuncCheckpoint: without CRIU, or with one that the kernel is too new
// for, the container goes on as if nothing had happened.
func TestGoRuncCheckpoint(t *testing.T) {
	t.Parallel()
	g := newGoRunc(t)
	c := g.running()
	images := g.env.File("images")
	opts := runc.CheckpointOpts{ImagePath: images, WorkDir: g.env.File("work"), FileLocks: true}
	if err := g.Checkpoint(g.ctx, c.ID, &opts, runc.LeaveRunning); err != nil {
		t.Logf("checkpoint: %v", err)
	}
	want(t, "status", g.status(c.ID), "running")
	check(t, g.Exec(g.ctx, c.ID, specs.Process{Args: []string{"/bin/true"}, Cwd: "/"}, &runc.ExecOpts{IO: null(t)}))

	_, err := g.Restore(g.ctx, g.env.ID(), c.Bundle.Dir, &runc.RestoreOpts{
		CheckpointOpts: runc.CheckpointOpts{ImagePath: filepath.Join(g.env.Dir, "nosuch")}, IO: null(t), Detach: true, NoSubreaper: true})
	wantErr(t, err, "exit status")
}

// lastError returns the message of the last error in a log of JSON lines.
func lastError(t testing.TB, path string) string {
	t.Helper()
	last := ""
	for _, entry := range harness.ParseLog(t, read(t, path)) {
		if entry.Level == "error" {
			last = entry.Msg
		}
	}
	return last
}
