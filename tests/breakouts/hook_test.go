package breakouts

import (
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/view"
)

func startContainerHook(hook specs.Hook) harness.Edit {
	return func(c *specs.Spec) { c.Hooks = &specs.Hooks{StartContainer: []specs.Hook{hook}} }
}

// TestHookOfTheImage: the path of a startContainer hook resolves in the
// container, so the image says what runs. It gets no more rights than the
// container process.
func TestHookOfTheImage(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	user := func(c *specs.Spec) { c.Process.User = specs.User{UID: 1000, GID: 1000, AdditionalGids: []uint32{7}} }
	bundle := env.Bundle(user, harness.Args("cat", "/proc/self/status", "/proc/self/cgroup"),
		startContainerHook(specs.Hook{Path: "/bin/hook"}))
	write(t, bundle.Path("bin/hook"), "#!/bin/sh\ncat /proc/self/status /proc/self/cgroup >/tmp/hook; env >/tmp/env; ls -l /proc/self/fd >/tmp/fd\n", 0o755)
	check(t, os.Chmod(bundle.Path("tmp"), 0o777))
	process := env.Run(bundle).WantCode(t, 0).Stdout
	text, err := os.ReadFile(bundle.Path("tmp/hook"))
	check(t, err)
	for _, line := range confinement(process) {
		if !strings.Contains(string(text), line) {
			t.Errorf("the hook lacks %q:\n%s", line, text)
		}
	}
	environ, err := os.ReadFile(bundle.Path("tmp/env"))
	check(t, err)
	for _, name := range []string{"HOME=", "TERM=", "RUNTIME_TEST_TOKEN="} {
		if strings.Contains(string(environ), name) {
			t.Errorf("the hook's environment has %s:\n%s", name, environ)
		}
	}
}

// confinement returns the lines of /proc/PID/status and cgroup that limit a process.
func confinement(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, ":")
		switch name {
		case "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp":
			lines = append(lines, line)
		}
		if view.Current() != view.V2 && strings.Contains(line, ":pids:") || strings.HasPrefix(line, "0::") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestHookSwapped: a hook or a config.json that is replaced after create has
// no effect (runtime.md#lifecycle).
func TestHookSwapped(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	asked := specs.Hook{Path: "/bin/busybox", Args: []string{"touch", env.File("asked")}}
	bundle := env.Bundle(harness.Forever, func(c *specs.Spec) {
		c.Hooks = &specs.Hooks{Poststart: []specs.Hook{asked}, Poststop: []specs.Hook{asked}}
	})
	c := env.Create(bundle)
	bundle.Edit(func(c *specs.Spec) {
		evil := specs.Hook{Path: "/bin/busybox", Args: []string{"touch", env.File("evil")}}
		c.Hooks = &specs.Hooks{Prestart: []specs.Hook{evil}, CreateRuntime: []specs.Hook{evil}, StartContainer: []specs.Hook{evil}, // Prestart is deprecated, and used by Docker
			Poststart: []specs.Hook{evil}, Poststop: []specs.Hook{evil}}
		c.Process.Args = []string{"touch", "/tmp/evil"}
		c.Process.Capabilities.Bounding = []string{"CAP_SYS_ADMIN"}
	})
	c.Start()
	c.WaitStdout("ready")
	exec := env.Call("exec", c.ID, "cat", "/proc/self/status").WantCode(t, 0)
	if !strings.Contains(exec.Stdout, "CapBnd:\t0000000020000420\n") {
		t.Errorf("exec has other capabilities than the config at create:\n%s", exec.Stdout)
	}
	c.Stop()
	c.Delete()
	if _, err := os.Stat(env.File("asked")); err != nil {
		t.Error("the hooks of create did not run")
	}
	for _, path := range []string{env.File("evil"), bundle.Path("tmp/evil")} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("a hook or program that was put into config.json after create has made %s", path)
		}
	}
}

// TestHookOutputOfTheImage: an annotation names files of the host for what hooks
// print, and engines exist that take annotations from an image. So what a
// program of the image prints does not get there; nor does a named pipe that
// nobody reads hold the runtime up.
func TestHookOutputOfTheImage(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	out, pipe := env.File("out"), env.File("pipe")
	check(t, unix.Mkfifo(pipe, 0o600))
	annotated := func(path string) harness.Edit {
		return func(c *specs.Spec) {
			c.Annotations = map[string]string{"run.oci.hooks.stdout": path, "run.oci.hooks.stderr": path}
		}
	}
	bundle := env.Bundle(harness.Args("true"), annotated(out), startContainerHook(specs.Hook{Path: "/bin/hook"}))
	write(t, bundle.Path("bin/hook"), "#!/bin/sh\necho '* * * * * root evil'; echo '* * * * * root evil' >&2\n", 0o755)
	env.Run(bundle).WantCode(t, 0)
	if text, err := os.ReadFile(out); err == nil {
		t.Errorf("the image has written %q into a file of the host", text)
	}
	bundle.Edit(annotated(pipe), func(c *specs.Spec) {
		c.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/busybox", Args: []string{"echo", "x"}}}}
	})
	env.Run(bundle).WantError(t, 1, "hooks.createRuntime[0]", pipe)
}

// TestHookMessageOfTheImage: what a hook of the image prints is part of the error
// message, and neither forges lines of the log nor commands the terminal.
func TestHookMessageOfTheImage(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Args("true"), startContainerHook(specs.Hook{Path: "/bin/hook"}))
	write(t, bundle.Path("bin/hook"), "#!/bin/sh\nprintf 'a\\033]0;owned\\007\\n{\"level\":\"error\"}\\n\\r\\302\\233\\0b' >&2; exit 1\n", 0o755)
	wantPlain(t, env, bundle, "owned")
	// So are the names in the image that an explanation quotes.
	bundle = env.Bundle(harness.Args("script"))
	write(t, bundle.Path("bin/script"), "#!/bin/\033]0;owned\007\r\u009b\n", 0o755)
	wantPlain(t, env, bundle, "owned")
	bundle = env.Bundle(harness.Args("/bin/scrpt"))
	write(t, bundle.Path("bin/script\033]0;owned\007\n"), "", 0o755)
	wantPlain(t, env, bundle, "scrpt")
}

// wantPlain fails the test unless bundle fails with one line of plain text in
// which word is, in the log and on stderr.
func wantPlain(t *testing.T, env *harness.Env, bundle *harness.Bundle, word string) {
	t.Helper()
	for _, format := range []string{"text", "json"} {
		log := env.File("log")
		check(t, os.RemoveAll(log))
		r := env.Call("--log", log, "--log-format", format, "run", "--bundle", bundle.Dir, env.ID())
		text, err := os.ReadFile(log)
		check(t, err)
		if r.Code == 0 || !strings.Contains(string(text), word) {
			t.Errorf("%s without %q: %s", text, word, r)
		}
		for _, said := range []string{r.Stderr, string(text)} {
			if i := strings.IndexFunc(said, func(c rune) bool { return c != '\n' && unicode.IsControl(c) }); i >= 0 || strings.Count(said, "\n") != 1 {
				t.Errorf("%d: %q", i, said)
			}
		}
	}
}
