package tests

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"ociruntime/tests/harness"
)

// findingsOf is what check finds, by "SEVERITY FIELD".
func findingsOf(t *testing.T, env *harness.Env, b *harness.Bundle, code int) map[string]string {
	t.Helper()
	var list []struct{ Severity, Field, Code, Message string }
	r := env.Call("check", "--format", "json", "--bundle", b.Dir).WantCode(t, code)
	check(t, json.Unmarshal([]byte(r.Stdout), &list))
	want(t, "stderr", r.Stderr, "")
	found := map[string]string{}
	for _, f := range list {
		found[f.Severity+" "+f.Field] = f.Message
	}
	return found
}

// TestCheckHost: what this host lacks for a configuration that is right in
// itself is found all at once, and nothing is made, not even a state root.
func TestCheckHost(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	b := env.Bundle(harness.Args("no-such-program"))
	mounts := len(b.Config().Mounts)
	b.SetJSON(object{"destination": "/a", "type": "nosuchfs"}, "mounts", mounts)
	b.SetJSON(object{"destination": "/b", "type": "tmpfs", "options": []string{"nosuid", "sizee=1m"}}, "mounts", mounts+1)
	b.SetJSON(object{"createRuntime": []any{object{"path": "/no/such/hook"}}, "startContainer": []any{object{"path": "/of/the/container"}}}, "hooks")
	b.SetJSON("/proc/1/ns/nosuch", "linux", "namespaces", 2, "path")
	b.SetJSON(object{"nosuchdev0": object{}}, "linux", "netDevices")
	b.SetJSON([]any{object{"pageSize": "3MB", "limit": 1}}, "linux", "resources", "hugepageLimits")
	b.SetJSON(object{"nosuch.max": "1"}, "linux", "resources", "unified")
	b.SetJSON(object{"schemata": []string{"L3:0=f"}}, "linux", "intelRdt")
	b.SetJSON(object{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []any{object{"names": []string{"mkdirr"}, "action": "SCMP_ACT_ERRNO"}}}, "linux", "seccomp")
	found := findingsOf(t, env, b, 1)
	for field, part := range map[string]string{
		"error mounts[7].type":                    "nosuchfs",
		"error mounts[8].options[1]":              `did you mean "size"?`,
		"error hooks.createRuntime[0].path":       "/no/such/hook",
		"error linux.namespaces[2].path":          "no such file",
		`error linux.netDevices["nosuchdev0"]`:    "no such device",
		"error linux.resources.unified":           "",
		"error linux.intelRdt":                    "resctrl",
		"warning linux.seccomp.syscalls[0].names": "mkdirr",
		"warning process.args[0]":                 "/usr/bin/no-such-program",
	} {
		if text, there := found[field]; !there || !strings.Contains(text, part) {
			t.Errorf("%s: %q, want %q", field, text, part)
		}
	}
	if _, there := found["error linux.resources.hugepageLimits[0].pageSize"]; !there && found["error linux.resources.hugepageLimits"] == "" {
		t.Error("the page size is accepted")
	}
	for field, text := range found {
		if strings.Contains(text, "/of/the/container") || strings.Contains(field, "args") && strings.HasPrefix(field, "error") {
			t.Errorf("%s: %s", field, text)
		}
	}
	if entries, err := os.ReadDir(env.Root); err == nil && len(entries) > 0 {
		t.Errorf("check has made %v", entries)
	}
}

// TestCheckRootless: an ordinary user is told of limits that he may not set,
// and of none that are no limits.
func TestCheckRootless(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	u := newUser(t, env)
	b := u.bundle(ran)
	u.command("check", "--bundle", b.Dir).Run().WantQuiet(t)
	b.SetJSON(object{"pids": object{"limit": -1}, "memory": object{"limit": -1}}, "linux", "resources")
	u.command("check", "--bundle", b.Dir).Run().WantQuiet(t)
	u.run(b).WantCode(t, 0)
	b.SetJSON(object{"pids": object{"limit": 20}}, "linux", "resources")
	if r := u.command("check", "--bundle", b.Dir).Run().WantCode(t, 1); !strings.Contains(r.Stdout, "not delegated") {
		t.Error(r)
	}
}
