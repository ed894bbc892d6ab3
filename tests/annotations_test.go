package tests

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// annotate adds an annotation.
func annotate(key, value string) harness.Edit {
	return func(c *specs.Spec) {
		if c.Annotations == nil {
			c.Annotations = map[string]string{}
		}
		c.Annotations[key] = value
	}
}

// TestHookOutputFiles: crun's annotations for what hooks print. It is added to
// the files, and still part of a failure's message.
func TestHookOutputFiles(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	out, err := env.File("out"), env.File("err")
	write(t, out, "before\n")
	hook := addHook("createRuntime", shellHook("echo printed; echo complained >&2"))
	env.Run(env.Bundle(hook, hook, annotate("run.oci.hooks.stdout", out), annotate("run.oci.hooks.stderr", err))).WantQuiet(t)
	wantFile(t, out, "before\nprinted\nprinted\n")
	wantFile(t, err, "complained\ncomplained\n")

	failing := addHook("createContainer", shellHook("echo why >&2; exit 3"))
	env.Run(env.Bundle(failing, annotate("run.oci.hooks.stderr", err))).WantError(t, 1, "hooks.createContainer[0]", "exit status 3", "why")
	wantFile(t, err, "complained\ncomplained\nwhy\n")

	env.Run(env.Bundle(hook, annotate("run.oci.hooks.stdout", "/no/such/file"))).WantError(t, 1, "hooks.createRuntime[0]", "/no/such/file")
}

// TestKeepOriginalGroups: the annotation behind `podman --group-add
// keep-groups`, with and without a user namespace, where the group has no name.
func TestKeepOriginalGroups(t *testing.T) {
	t.Parallel()
	const group = 7777
	caller := &syscall.Credential{Groups: []uint32{group}} // root, with the group
	for name, userns := range map[string]bool{"host user namespace": false, "user namespace": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			dir := env.File("team")
			check(t, os.Mkdir(dir, 0o770))
			check(t, os.Chown(dir, 65534, group))
			check(t, os.Chmod(dir, 0o770))
			edits := []harness.Edit{harness.Shell("sleep 100"), harness.Capabilities(), func(c *specs.Spec) {
				c.Mounts = append(c.Mounts, specs.Mount{Destination: "/mnt", Type: "bind", Source: dir, Options: []string{"bind"}})
			}}
			if userns {
				require.Userns(t)
				edits = append(edits, harness.UserNamespace)
			}
			for value, code := range map[string]int{"1": 0, "0": 1} {
				id := env.ID()
				create := env.Command("create", "--no-new-keyring", "--bundle", env.Bundle(append(edits, annotate("run.oci.keep_original_groups", value))...).Dir, id)
				create.Attr.Credential = caller
				create.Run().WantQuiet(t)
				env.Call("start", id).WantQuiet(t)
				exec := env.Command("exec", id, "touch", "/mnt/x"+value)
				exec.Attr.Credential = caller
				want(t, "exec with "+value, exec.Run().Code, code)
				env.Call("delete", "--force", id).WantQuiet(t)
			}
		})
	}
}

// TestDelegateCgroup: crun's annotation for a version 2 cgroup of the
// processes' own below the container's, where its limits are.
func TestDelegateCgroup(t *testing.T) {
	t.Parallel()
	require.CgroupV2(t)
	env := harness.New(t)
	inner := annotate("run.oci.delegate-cgroup", "a/b")
	c := env.Running(env.Bundle(harness.Forever, inner, harness.Namespace("cgroup", "")))
	top := c.CgroupDir("")
	if !strings.HasSuffix(top, "/a/b") {
		t.Errorf("the process is in %s", top)
	}
	want(t, "processes beside it", read(t, strings.TrimSuffix(top, "/a/b")+"/cgroup.procs"), "")
	want(t, "controllers", read(t, top+"/cgroup.controllers"), read(t, strings.TrimSuffix(top, "/a/b")+"/cgroup.controllers"))
	// The namespace shows that there is something above.
	want(t, "seen inside", c.ExecShell("grep -h ^0: /proc/self/cgroup /proc/1/cgroup").WantCode(t, 0).Stdout, "0::/a/b\n0::/a/b\n")
	c.Call("pause").WantCode(t, 0)
	c.Call("resume").WantCode(t, 0)
	c.Stop()
	c.Delete()

	env.Run(env.Bundle(ran, annotate("run.oci.delegate-cgroup", "../x"))).WantError(t, 1, "annotations[run.oci.delegate-cgroup]", "bad sub cgroup path")
}

// TestDelegateCgroupV1: there is nothing to delegate there.
func TestDelegateCgroupV1(t *testing.T) {
	t.Parallel()
	require.CgroupV1(t)
	env := harness.New(t)
	wantRan(t, env.Run(env.Bundle(ran, annotate("run.oci.delegate-cgroup", "inner"))))
}
