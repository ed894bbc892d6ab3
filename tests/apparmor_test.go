package tests

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// apparmor puts the process under a profile.
func apparmor(profile string) harness.Edit {
	return func(c *specs.Spec) { c.Process.ApparmorProfile = profile }
}

// TestAppArmorProfile: the profile confines the process, and one of exec; one
// that is not loaded is named. Hosts without AppArmor are in TestBadConfig.
func TestAppArmorProfile(t *testing.T) {
	t.Parallel()
	require.File(t, "/sys/kernel/security/apparmor/profiles")
	require.Program(t, "apparmor_parser")
	env := harness.New(t)
	profile := env.ID()
	load := func(flag string) {
		c := exec.Command("apparmor_parser", flag, "--skip-cache")
		c.Stdin = strings.NewReader("profile " + profile + " flags=(attach_disconnected,mediate_deleted) {\n  file,\n  signal,\n  deny /etc/passwd rwl,\n}\n")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("apparmor_parser: %v: %s", err, out)
		}
	}
	load("-a")
	t.Cleanup(func() { load("-R") })
	const look = "cat /proc/self/attr/current; cat /etc/passwd 2>&1 | sed 's/.*: //'"
	want(t, "output", fields(env.Run(env.Bundle(harness.Shell(look), apparmor(profile))).WantCode(t, 0).Stdout), profile+" (enforce) Permission denied")

	c := env.Create(env.Bundle(harness.Forever))
	c.Start()
	inside := env.Call("exec", "--apparmor", profile, c.ID, "sh", "-c", look).WantCode(t, 0)
	want(t, "exec", fields(inside.Stdout), profile+" (enforce) Permission denied")

	env.Call("create", "--bundle", env.Bundle(apparmor("no-such-profile")).Dir, env.ID()).
		WantError(t, 1, "process.apparmorProfile", `"no-such-profile" is not loaded`)
}

// TestAppArmorMissing: a host without AppArmor cannot apply a profile, and says
// so before anything is made.
func TestAppArmorMissing(t *testing.T) {
	t.Parallel()
	require.NoFile(t, "/sys/kernel/security/apparmor/profiles")
	env := harness.New(t)
	env.Call("create", "--bundle", env.Bundle(apparmor("docker-default")).Dir, env.ID()).
		WantError(t, 1, "process.apparmorProfile", "docker-default", "does not run AppArmor")
	env.Run(env.Bundle(apparmor("unconfined"))).WantCode(t, 0)
}
