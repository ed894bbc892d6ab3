package tests

import (
	"encoding/json"
	"strings"
	"testing"

	"ociruntime/tests/harness"
)

// diagnosis is an element of `doctor --format json`.
type diagnosis struct{ Severity, Topic, Name, Message, Hint string }

func diagnose(t *testing.T, r harness.Result) map[string]diagnosis {
	t.Helper()
	var list []diagnosis
	check(t, json.Unmarshal([]byte(r.Stdout), &list))
	want(t, "stderr", r.Stderr, "")
	byName := map[string]diagnosis{}
	for _, d := range list {
		if d.Severity == "" || d.Topic == "" || d.Message == "" {
			t.Errorf("incomplete: %+v", d)
		}
		byName[d.Name] = d
	}
	return byName
}

// TestDoctor: where the other tests run, no error is found; what killed
// commands have left is named, and stays.
func TestDoctor(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	half := halfCreated(t, env)
	r := env.Call("doctor").WantCode(t, 0)
	for _, part := range []string{"ok: kernel: is Linux ", "ok: cgroup: ", "warning: state: " + half + " is left", "gc removes it"} {
		if !strings.Contains(r.Stdout, part) {
			t.Errorf("no %q in %s", part, r.Stdout)
		}
	}
	found := diagnose(t, env.Call("doctor", "--format", "json").WantCode(t, 0))
	want(t, "severity", found["state-leftover"].Severity, "warning")
	want(t, "severity", found["cgroup-mode"].Severity, "ok")
	if _, there := diagnose(t, env.Call("doctor", "-q", "-f", "json").WantCode(t, 0))["kernel"]; there {
		t.Error("--quiet prints what is well")
	}
	want(t, "gc", env.Call("gc").WantCode(t, 0).Stdout, half+"\tnever created\n")
	if _, there := diagnose(t, env.Call("doctor", "-f", "json").WantCode(t, 0))["state-leftover"]; there {
		t.Error("gc has left something")
	}
	env.Call("doctor", "--format", "table").WantError(t, 1, "--format", "text or json")
	off := diagnose(t, env.Call("--cgroup-manager", "disabled", "doctor", "-f", "json").WantCode(t, 0))
	want(t, "severity", off["cgroup-disabled"].Severity, "note")
}

// TestDoctorOfUser: an ordinary user is told what keeps his containers from
// starting, what they go without, and what to do.
func TestDoctorOfUser(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	u := newUser(t, env)
	found := diagnose(t, u.command("doctor", "--format", "json").Run().WantCode(t, 0))
	want(t, "severity", found["namespace-user"].Severity, "ok")
	for name, hint := range map[string]string{"ids-range": "usermod --add-subuids", "cgroup-not-delegated": ""} {
		if d := found[name]; d.Severity != "warning" || !strings.Contains(d.Hint, hint) {
			t.Errorf("%s: %+v", name, d)
		}
	}
	homeless := diagnose(t, u.bare("doctor", "--format", "json").Run().WantCode(t, 1))
	if d := homeless["state-root"]; d.Severity != "error" || !strings.Contains(d.Hint, "XDG_RUNTIME_DIR") {
		t.Errorf("%+v", d)
	}
	session := diagnose(t, u.bare("--root", u.dir+"/state", "--systemd-cgroup", "doctor", "--format", "json").Run().WantCode(t, 1))
	if d := session["systemd-unreachable"]; d.Severity != "error" || !strings.Contains(d.Message, "loginctl enable-linger") {
		t.Errorf("%+v", d)
	}
}
