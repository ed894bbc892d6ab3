package tests

import (
	"encoding/json"
	"strings"
	"testing"

	"ociruntime/tests/harness"
)

// TestCheck: all problems of a bundle at once, unknown keys with the word that
// was meant, and what this host cannot do; nothing is made.
func TestCheck(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	b := env.Bundle()
	env.Call("check", "--bundle", b.Dir).WantQuiet(t)

	b.SetJSON("relative", "process", "cwd")
	b.SetJSON("sideways", "linux", "rootfsPropagation")
	b.SetJSON(true, "process", "noNewPrivilege")
	r := env.Call("check", "--bundle", b.Dir).WantCode(t, 1)
	want(t, "stderr", r.Stderr, "")
	for _, part := range []string{"error: process.cwd", "error: linux.rootfsPropagation", "noNewPrivileges"} {
		if !strings.Contains(r.Stdout, part) {
			t.Errorf("no %q in %q", part, r.Stdout)
		}
	}
	var list []struct{ Severity, Field, Code, Message string }
	check(t, json.Unmarshal([]byte(env.Call("check", "--format", "json", "--bundle", b.Dir).WantCode(t, 1).Stdout), &list))
	want(t, "findings", len(list), 3)
	want(t, "severity", list[0].Severity, "warning")
	want(t, "field", list[0].Field, "process.noNewPrivilege")

	unknown := env.Bundle()
	unknown.SetJSON("x", "linux", "cgroupPath")
	if r := env.Call("check", "--bundle", unknown.Dir).WantCode(t, 0); !strings.Contains(r.Stdout, `did you mean "cgroupsPath"?`) {
		t.Error(r)
	}
	host := env.Bundle()
	host.SetJSON("nosuch", "root", "path")
	if r := env.Call("check", "--bundle", host.Dir).WantCode(t, 1); !strings.Contains(r.Stdout, "root.path") {
		t.Error(r)
	}
	env.Call("check", "--bundle", env.File("nosuch")).WantCode(t, 1)
}
