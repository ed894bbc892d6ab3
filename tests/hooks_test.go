package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
)

// hookKinds in the order of their run, runtime.md#lifecycle.
var hookKinds = []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}

// insideKinds run in the container's namespaces.
var insideKinds = map[string]bool{"createContainer": true, "startContainer": true}

// addHook appends a hook of the kind.
func addHook(kind string, hook specs.Hook) harness.Edit {
	return func(c *specs.Spec) {
		if c.Hooks == nil {
			c.Hooks = &specs.Hooks{}
		}
		lists := map[string]*[]specs.Hook{
			//lint:ignore SA1019 deprecated, and what Docker uses
			"prestart":      &c.Hooks.Prestart,
			"createRuntime": &c.Hooks.CreateRuntime, "createContainer": &c.Hooks.CreateContainer,
			"startContainer": &c.Hooks.StartContainer, "poststart": &c.Hooks.Poststart, "poststop": &c.Hooks.Poststop,
		}
		*lists[kind] = append(*lists[kind], hook)
	}
}

// shellHook is a hook that runs a script with the host's busybox; startContainer
// hooks resolve in the container, which has one at the same path.
func shellHook(script string) specs.Hook {
	return specs.Hook{Path: "/bin/busybox", Args: []string{"sh", "-c", script}, Env: []string{"PATH=/bin:/usr/bin"}}
}

// everyHook adds a hook of each kind made from a script that may use $KIND.
func everyHook(script string) harness.Edit {
	return func(c *specs.Spec) {
		for _, kind := range hookKinds {
			addHook(kind, shellHook("KIND="+kind+"; "+script))(c)
		}
	}
}

// TestHookOrder: every kind runs at its moment of the life, the hooks of a
// kind one after the other.
func TestHookOrder(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Shell("echo program >>/tmp/log"))
	log := bundle.Path("tmp/log") // the same file as /tmp/log inside
	for _, kind := range hookKinds {
		for _, n := range []string{"1", "2"} {
			path := log
			if kind == "startContainer" {
				path = "/tmp/log"
			}
			bundle.Edit(addHook(kind, shellHook("echo "+kind+n+" >>"+path)))
		}
	}
	c := env.Create(bundle)
	seen := "prestart1\nprestart2\ncreateRuntime1\ncreateRuntime2\ncreateContainer1\ncreateContainer2\n"
	wantFile(t, log, seen)
	c.Start()
	c.Wait()
	after := read(t, log)
	if !strings.HasPrefix(after, seen+"startContainer1\nstartContainer2\n") {
		t.Errorf("after start: %q", after)
	}
	// poststart runs beside the program, so only their own order is certain.
	for _, line := range []string{"program\n", "poststart1\n", "poststart2\n"} {
		want(t, line, strings.Count(after, line), 1)
	}
	if strings.Index(after, "poststart1") > strings.Index(after, "poststart2") || strings.Contains(after, "poststop") {
		t.Errorf("after start: %q", after)
	}
	c.Delete()
	wantFile(t, log, after+"poststop1\npoststop2\n")
}

// TestHookState: each hook reads the state of the container on stdin, with the
// status of its moment.
func TestHookState(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Forever, func(c *specs.Spec) { c.Annotations = map[string]string{"com.example": "yes"} })
	for _, kind := range hookKinds {
		path := bundle.Path("tmp", kind)
		if kind == "startContainer" {
			path = "/tmp/" + kind
		}
		bundle.Edit(addHook(kind, shellHook("cat >"+path)))
	}
	c := env.Create(bundle).Start()
	c.WaitStdout("ready")
	pid := c.Pid
	c.Stop()
	c.Delete()
	status := map[string]string{"prestart": "creating", "createRuntime": "creating", "createContainer": "creating",
		"startContainer": "created", "poststart": "running", "poststop": "stopped"}
	for _, kind := range hookKinds {
		var s harness.State
		text := read(t, bundle.Path("tmp", kind))
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Errorf("%s: %v: %q", kind, err, text)
			continue
		}
		want(t, kind+": ociVersion", s.OCIVersion, "1.3.0")
		want(t, kind+": id", s.ID, c.ID)
		want(t, kind+": bundle", s.Bundle, bundle.Dir)
		want(t, kind+": annotation", s.Annotations["com.example"], "yes")
		want(t, kind+": status", s.Status, status[kind])
		switch {
		case insideKinds[kind]:
			want(t, kind+": pid, as the container sees it", s.Pid, 1)
		case kind != "poststop":
			want(t, kind+": pid", s.Pid, pid)
		}
	}
}

// TestHookNamespaces: which hooks run in the container's namespaces.
func TestHookNamespaces(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Forever)
	for _, kind := range hookKinds {
		path := bundle.Path("tmp", kind)
		if kind == "startContainer" {
			path = "/tmp/" + kind
		}
		bundle.Edit(addHook(kind, shellHook("for n in mnt net uts ipc pid; do readlink /proc/self/ns/$n; done >"+path)))
	}
	c := env.Create(bundle).Start()
	c.WaitStdout("ready")
	namespaces := func(proc string) string {
		var b strings.Builder
		for _, name := range []string{"mnt", "net", "uts", "ipc", "pid"} {
			link, err := os.Readlink(filepath.Join(proc, "ns", name))
			check(t, err)
			fmt.Fprintln(&b, link)
		}
		return b.String()
	}
	outside, inside := namespaces("/proc/self"), namespaces(c.Proc(""))
	c.Stop()
	c.Delete()
	for _, kind := range hookKinds {
		expected := outside
		if insideKinds[kind] {
			expected = inside
		}
		want(t, kind, read(t, bundle.Path("tmp", kind)), expected)
	}
}

// TestHookRoot: createContainer runs before pivot_root, so its "/" is still
// the runtime's; startContainer's is the container's.
func TestHookRoot(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle()
	write(t, bundle.Path("etc/inside"), "")
	write(t, env.File("outside"), "")
	report := "test -e /etc/inside && echo inside; test -e " + env.File("outside") + " && echo outside; true"
	bundle.Edit(addHook("createContainer", shellHook("{ "+report+"; } >"+bundle.Path("tmp/createContainer"))),
		addHook("startContainer", shellHook("{ "+report+"; } >/tmp/startContainer")))
	env.Run(bundle).WantQuiet(t)
	wantFile(t, bundle.Path("tmp/createContainer"), "outside\n")
	wantFile(t, bundle.Path("tmp/startContainer"), "inside\n")
}

// TestHookSeesMounts: when createContainer runs, the mounts are there below the
// rootfs, and what the hook binds into the rootfs shows inside.
func TestHookSeesMounts(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Shell("cat /mnt/file"))
	write(t, env.File("file"), "from the hook\n")
	check(t, os.MkdirAll(env.File("dir"), 0o755))
	check(t, os.Rename(env.File("file"), env.File("dir/file")))
	bundle.Edit(addHook("createContainer", shellHook("mount --bind "+env.File("dir")+" "+bundle.Path("mnt")+" && grep -q "+
		bundle.Path("proc")+" /proc/self/mountinfo")))
	r := env.Run(bundle).WantCode(t, 0)
	want(t, "output", r.Stdout, "from the hook\n")
}

// TestHookArgsEnv: args is the whole argv, env the whole environment.
func TestHookArgsEnv(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	hook := env.File("hook")
	script(t, hook, "#!/bin/busybox sh\n{ echo \"$@\"; /bin/busybox tr '\\0' '\\n' </proc/$$/environ; } >"+env.File("out")+"\n")
	run := env.RunCommand(env.Bundle(addHook("prestart", specs.Hook{Path: hook, Args: []string{"name", "a b", "c"}, Env: []string{"ONLY=this"}})))
	run.Run().WantQuiet(t)
	wantFile(t, env.File("out"), "a b c\nONLY=this\n")
}

// TestHookWithoutArgs: argv is the path alone.
func TestHookWithoutArgs(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	hook := env.File("hook")
	script(t, hook, "#!/bin/busybox sh\necho \"$# $0\" >"+env.File("out")+"\n")
	env.Run(env.Bundle(addHook("createRuntime", specs.Hook{Path: hook}))).WantQuiet(t)
	wantFile(t, env.File("out"), "0 "+hook+"\n")
}

// TestHookIgnoresStdin: a hook that exits without reading its stdin is no
// failure; a large state must not end the runtime by SIGPIPE.
func TestHookIgnoresStdin(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	large := func(c *specs.Spec) { c.Annotations = map[string]string{"large": strings.Repeat("x", 200_000)} }
	wantRan(t, env.Run(env.Bundle(ran, everyHook("exec <&-; exit 0"), large)))
}

// TestHookOutput: a hook's output is not mixed into the container's.
func TestHookOutput(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	r := env.Run(env.Bundle(everyHook("echo noise of $KIND"), harness.Shell("echo program"))).WantCode(t, 0)
	want(t, "stdout", r.Stdout, "program\n")
}
