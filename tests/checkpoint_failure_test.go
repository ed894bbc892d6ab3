package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ociruntime/tests/fakecriu"
	"ociruntime/tests/harness"
)

// fake makes a directory in which criu is a fake, and a call that finds it.
func fake(t *testing.T, env *harness.Env, mode fakecriu.Mode) (dir string, call func(args ...string) *harness.Command) {
	t.Helper()
	dir = env.File("fake-" + string(mode))
	check(t, os.Mkdir(dir, 0o755))
	environment := fakecriu.Environment(t, dir, mode)
	return dir, func(args ...string) *harness.Command {
		c := env.Command(args...)
		c.Env = environment
		return c
	}
}

// wantUntouched fails the test unless the container runs, unfrozen, and obeys.
func wantUntouched(t *testing.T, c *harness.Container) {
	t.Helper()
	c.WantStatus("running")
	c.Exec("true").WantCode(t, 0)
	c.Stop()
	c.Delete()
}

// TestCheckpointRefused: what cannot succeed is said in one line before criu has
// seen the container.
func TestCheckpointRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		mode fakecriu.Mode
		args []string
		want []string
	}{
		{"old", fakecriu.Old, nil, []string{"version 2.12 is too old", "needs 3.0"}},
		{"silent", fakecriu.Silent, nil, []string{"no answer"}},
		{"pre-dump", fakecriu.Untracked, []string{"--pre-dump"}, []string{"--pre-dump", "cannot tell which memory has changed"}},
		{"lazy pages", fakecriu.Untracked, []string{"--lazy-pages"}, []string{"--lazy-pages", "cannot deliver memory late"}},
		{"mode", fakecriu.Obeys, []string{"--manage-cgroups-mode", "props"}, []string{"--manage-cgroups-mode", "none of soft, full, strict, ignore"}},
		{"absolute parent", fakecriu.Obeys, []string{"--parent-path", "/x"}, []string{"--parent-path", "must be relative"}},
		{"missing parent", fakecriu.Obeys, []string{"--parent-path", "../x"}, []string{"--parent-path", "no such file or directory"}},
		{"page server", fakecriu.Obeys, []string{"--page-server", "x"}, []string{"--page-server", "ADDRESS:PORT"}},
		{"status", fakecriu.Obeys, []string{"--status-fd", "17"}, []string{"--status-fd", "bad file descriptor"}},
		{"namespace", fakecriu.Obeys, []string{"--empty-ns", "mount"}, []string{"--empty-ns", "is not network"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			container := env.Running(env.Bundle(harness.Forever))
			dir, call := fake(t, env, c.mode)
			args := []string{"checkpoint", "--image-path", env.File("images")}
			if c.mode == fakecriu.Silent {
				args = append([]string{"--timeout", "1s"}, args...)
			}
			call(append(args, append(c.args, container.ID)...)...).Run().WantError(t, 1, c.want...)
			if _, err := os.Stat(filepath.Join(dir, fakecriu.Request)); err == nil {
				t.Error("criu was asked for the dump")
			}
			wantUntouched(t, container)
		})
	}
}

// TestCheckpointWithoutCRIU: the reason is one line, for checkpoint and restore.
func TestCheckpointWithoutCRIU(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	container := env.Running(env.Bundle(harness.Forever))
	for _, args := range [][]string{
		{"checkpoint", "--image-path", env.File("images"), container.ID},
		{"restore", "--image-path", env.File("images"), "--bundle", container.Bundle.Dir, env.ID()},
	} {
		c := env.Command(args...)
		c.Env = []string{"PATH=" + env.Dir}
		c.Run().WantError(t, 1, args[0]+" failed: ", `"criu"`, "executable file not found in $PATH")
	}
	wantUntouched(t, container)
}

// TestCheckpointStatus: only what runs can be checkpointed.
func TestCheckpointStatus(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	_, call := fake(t, env, fakecriu.Obeys)
	container := env.Create(env.Bundle(harness.Forever))
	checkpoint := func() *harness.Command { return call("checkpoint", "--image-path", env.File("images"), container.ID) }
	checkpoint().Run().WantError(t, 1, "cannot be checkpointed in created state")
	container.Start().Stop()
	checkpoint().Run().WantError(t, 1, "cannot be checkpointed in stopped state")
	container.Delete()
	checkpoint().Run().WantError(t, 1, "does not exist")
}

// TestCheckpointKilledCRIU: a criu that is killed after it has frozen the
// container leaves it running, and one that was paused paused.
func TestCheckpointKilledCRIU(t *testing.T) {
	t.Parallel()
	for _, paused := range []bool{false, true} {
		name := map[bool]string{false: "running", true: "paused"}[paused]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			container := env.Running(env.Bundle(harness.Forever))
			if paused {
				container.Call("pause").WantCode(t, 0)
			}
			_, call := fake(t, env, fakecriu.Killed)
			images := env.File("images")
			call("checkpoint", "--image-path", images, container.ID).Run().
				WantError(t, 1, "criu dump: was killed by SIGKILL", "log: "+images+"/dump.log")
			container.WantStatus(name)
			if paused {
				container.Call("resume").WantCode(t, 0)
			}
			wantUntouched(t, container)
		})
	}
}

// TestCheckpointInterrupted: until the processes are killed, whoever asks a
// checkpoint to end gets the container back; and whoever kills it, too.
func TestCheckpointInterrupted(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			container := env.Running(env.Bundle(harness.Forever))
			dir, call := fake(t, env, fakecriu.Waits)
			images := env.File("images")
			process := call("checkpoint", "--image-path", images, container.ID).Start()
			check(t, harness.Eventually(harness.Timeout(), func() bool { _, err := os.Stat(filepath.Join(dir, fakecriu.Asked)); return err == nil }))
			process.Signal(signal)
			if signal == syscall.SIGKILL {
				process.Wait()
			}
			write(t, filepath.Join(dir, fakecriu.Go), "")
			if signal == syscall.SIGTERM {
				process.Wait().WantError(t, 1, "interrupted by SIGTERM")
				read(t, filepath.Join(dir, fakecriu.Refused))
			}
			if _, err := os.Stat(images + "/descriptors.json"); err == nil {
				t.Error("the images look complete")
			}
			wantUntouched(t, container)
		})
	}
}

// TestCheckpointAsks: what the command line and the container say arrives at criu.
func TestCheckpointAsks(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	holder := env.Holder(syscall.CLONE_NEWNET)
	bundle := env.Bundle(harness.Forever, harness.Mounted(bind(env.Dir, "/link/host", "bind")), harness.Namespace("network", harness.NamespacePath(holder, "net")))
	check(t, os.Symlink("/elsewhere", bundle.Path("link")))
	check(t, os.Mkdir(bundle.Path("elsewhere"), 0o755))
	bundle.SetJSON("/etc/some.conf", "annotations", "org.criu.config")
	container := env.Running(bundle)
	dir, call := fake(t, env, fakecriu.Obeys)
	images := env.File("images")
	check(t, os.MkdirAll(images+"/../first", 0o755))
	c := call("checkpoint", "--image-path", images, "--work-path", env.File("work"), "--parent-path", "../first", "--leave-running",
		"--tcp-established", "--tcp-skip-in-flight", "--ext-unix-sk", "--shell-job", "--file-locks", "--link-remap", "--auto-dedup", "--lazy-pages",
		"--empty-ns", "network", "--manage-cgroups-mode", "strict", "--page-server", "127.0.0.1:4321", "--status-fd", "3", container.ID)
	c.Files = []*os.File{file(t, env, "status")}
	c.Run().WantCode(t, 0).WantQuiet(t)
	request := read(t, filepath.Join(dir, fakecriu.Request))
	for _, part := range []string{
		`type: "DUMP"`, "pid: " + strconv.Itoa(container.Pid), "leave_running: true", "tcp_established: true", "tcp_skip_in_flight: true", "ext_unix_sk: true",
		"shell_job: true", "file_locks: true", "link_remap: true", "auto_dedup: true", "lazy_pages: true", "empty_ns: 1073741824",
		`manage_cgroups_mode: "STRICT"`, `address: "127.0.0.1"`, "port: 4321", "status_fd: 3", `parent_img: "../first"`, "track_mem: true",
		`config_file: "/etc/some.conf"`, `key: "/elsewhere/host"`, ":extRootNetNS", "freeze_cgroup: ", "orphan_pts_master: true",
	} {
		if !strings.Contains(request, part) {
			t.Errorf("no %s in %s", part, request)
		}
	}
	if _, err := os.Stat(env.File("work")); err != nil {
		t.Error(err)
	}
	wantUntouched(t, container)
}

// TestCheckpointHelp: podman asks so whether there is a checkpoint.
func TestCheckpointHelp(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	for verb, flags := range map[string][]string{
		"checkpoint": {"--image-path", "--work-path", "--parent-path", "--leave-running", "--tcp-established", "--tcp-skip-in-flight", "--link-remap",
			"--ext-unix-sk", "--shell-job", "--lazy-pages", "--status-fd", "--page-server", "--file-locks", "--pre-dump", "--manage-cgroups-mode",
			"--empty-ns", "--auto-dedup"},
		"restore": {"--console-socket", "--image-path", "--work-path", "--tcp-established", "--tcp-close", "--ext-unix-sk", "--shell-job", "--file-locks",
			"--manage-cgroups-mode", "--bundle", "--detach", "--pid-file", "--no-subreaper", "--no-pivot", "--empty-ns", "--auto-dedup",
			"--lazy-pages", "--lsm-profile", "--lsm-mount-context"},
	} {
		out := env.Call(verb, "--help").WantCode(t, 0).Stdout
		for _, flag := range flags {
			if !strings.Contains(out, flag) {
				t.Errorf("%s --help has no %s", verb, flag)
			}
		}
	}
}

// TestRestoreRefused: what is no checkpoint is said, and nothing is made.
func TestRestoreRefused(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Forever)
	_, call := fake(t, env, fakecriu.Obeys)
	images := env.File("images")
	restore := func(flags ...string) harness.Result {
		args := append([]string{"restore", "--bundle", bundle.Dir, "--image-path", images}, flags...)
		return call(append(args, env.ID())...).Run()
	}
	restore().WantError(t, 1, "--image-path", "no such file or directory")
	check(t, os.Mkdir(images, 0o755))
	restore().WantError(t, 1, "descriptors.json", "no checkpoint")
	write(t, images+"/descriptors.json", `{"a":1}`)
	restore().WantError(t, 1, "descriptors.json", "not a list")
	write(t, images+"/descriptors.json", `["","",""]`)
	restore("--lsm-profile", "web").WantError(t, 1, "--lsm-profile", "TYPE:NAME")
	bundle.Edit(harness.Namespace("mount", harness.NamespacePath(env.Holder(syscall.CLONE_NEWNS), "mnt")))
	restore().WantError(t, 1, "linux.namespaces[", "existing mount namespace")
}

// TestRestoreID: an id that is taken is refused, and its container left alone.
func TestRestoreID(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	container := env.Running(env.Bundle(harness.Forever))
	_, call := fake(t, env, fakecriu.Obeys)
	check(t, os.Mkdir(env.File("images"), 0o755))
	write(t, env.File("images/descriptors.json"), `["","",""]`)
	bundle := env.Bundle(harness.Forever)
	call("restore", "--bundle", bundle.Dir, "--image-path", env.File("images"), container.ID).Run().WantError(t, 1, "container with given ID already exists")
	wantUntouched(t, container)
}

// TestCheckpointRootless: an ordinary user is told that it takes root.
func TestCheckpointRootless(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Command("checkpoint", "--image-path", env.File("images"), "any")
	c.Attr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	c.Run().WantError(t, 1, "rootless containers cannot be checkpointed or restored", "needs root")
}

// TestCheckpointStdio: what of stdio lies outside of the container is left out of
// the images, also while a shell has put it aside to write elsewhere.
func TestCheckpointStdio(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	container := env.Running(env.Bundle(harness.Shell(`echo ready; exec 9>&1 >/inside; while :; do sleep 1000; done`)))
	check(t, harness.Eventually(harness.Timeout(), func() bool {
		link, err := os.Readlink(container.Proc("fd/1"))
		return err == nil && strings.HasSuffix(link, "/inside")
	}))
	dir, call := fake(t, env, fakecriu.Obeys)
	call("checkpoint", "--image-path", env.File("images"), "--leave-running", container.ID).Run().WantCode(t, 0)
	var names []string
	check(t, json.Unmarshal([]byte(read(t, env.File("images/descriptors.json"))), &names))
	request := read(t, filepath.Join(dir, fakecriu.Request))
	for i, name := range names {
		if !strings.HasPrefix(name, "file[") || !strings.Contains(request, `"`+name+`"`) {
			t.Errorf("descriptor %d is %q, and external: %s", i, name, request)
		}
	}
	container.Call("delete", "--force").WantCode(t, 0)
}
