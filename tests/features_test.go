package tests

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go/features"

	"ociruntime/tests/harness"
)

// TestFeatures is what containerd, dockerd and CRI-O look for; anything on
// stderr would spoil it, as CRI-O reads both streams as one.
func TestFeatures(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	r := env.BareCommand("features").Run().WantCode(t, 0)
	want(t, "stderr", r.Stderr, "")
	var f features.Features
	check(t, json.Unmarshal([]byte(r.Stdout), &f))
	want(t, "lowest version", f.OCIVersionMin, "1.0.0")
	want(t, "highest version", f.OCIVersionMax, "1.3.0")
	want(t, "hooks", len(f.Hooks), 6)
	for _, option := range []string{"ro", "rro", "rbind", "nosymfollow", "tmpcopyup"} {
		if !slices.Contains(f.MountOptions, option) {
			t.Errorf("no mount option %s", option)
		}
	}
	for _, kind := range []string{"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"} {
		if !slices.Contains(f.Linux.Namespaces, kind) {
			t.Errorf("no namespace %s", kind)
		}
	}
	want(t, "capabilities", len(f.Linux.Capabilities), 41)
	if !*f.Linux.Cgroup.V1 || !*f.Linux.Cgroup.V2 || !*f.Linux.MountExtensions.IDMap.Enabled {
		t.Error("cgroups or id-mapped mounts are missing")
	}
	if *f.Linux.Seccomp.Enabled != (len(f.Linux.Seccomp.Actions) > 0) {
		t.Errorf("seccomp: %+v", f.Linux.Seccomp)
	}
	if !strings.HasPrefix(r.Stdout, "{\n    \"ociVersionMin\"") {
		t.Errorf("indentation: %.40q", r.Stdout)
	}
}
