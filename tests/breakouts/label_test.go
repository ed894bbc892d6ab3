package breakouts

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// Labels: the security module confines the program only if the runtime writes
// the label to the kernel, and not to a file of the attacker's.

// profile loads an AppArmor profile for the length of the test. Under it,
// /etc/hostname cannot be read.
func profile(t *testing.T, env *harness.Env) string {
	t.Helper()
	require.File(t, "/sys/kernel/security/apparmor/profiles")
	parser := require.Program(t, "apparmor_parser")
	name := "breakout-" + filepath.Base(env.Dir)
	load := func(option string) {
		c := exec.Command(parser, option, "--skip-cache")
		c.Stdin = strings.NewReader("profile " + name + " flags=(attach_disconnected) { file, capability, signal, mount, ptrace, deny /etc/hostname r, }\n")
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("apparmor_parser %s: %v\n%s", option, err, out)
		}
	}
	load("-r")
	t.Cleanup(func() { load("-R") })
	return name
}

// lookAtLabel tells the label as the kernel has it, and whether it is enforced.
var lookAtLabel = harness.Shell("cat /proc/self/attr/current; cat /etc/hostname 2>/dev/null && echo HOLE: not confined; true")

// TestLabelBehindImage: what the image or a volume puts where the kernel's files
// would be does not get the label instead (CVE-2019-16884, CVE-2023-28642,
// CVE-2025-52881).
func TestLabelBehindImage(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	name := profile(t, env)
	confined := func(c *specs.Spec) { c.Process.ApparmorProfile = name }
	withDecoys := func(b *harness.Bundle) *harness.Bundle {
		for _, dir := range []string{"proc/self/attr/apparmor", "proc/thread-self/attr/apparmor", "decoy/self/attr/apparmor", "decoy/thread-self/attr/apparmor"} {
			mkdir(t, b.Path(dir))
			for _, file := range []string{"exec", "current", "../exec", "../current"} {
				write(t, b.Path(dir, file), "decoy\n", 0o666)
			}
		}
		write(t, b.Path("etc/hostname"), "secret\n", 0o644)
		return b
	}
	plain := withDecoys(env.Bundle(confined, lookAtLabel))
	want(t, "label", env.Run(plain).WantCode(t, 0).Stdout, name+" (enforce)\n")
	c := env.Create(withDecoys(env.Bundle(confined, harness.Forever))).Start()
	want(t, "label of an exec", env.Call("exec", c.ID, "sh", "-c", "cat /proc/self/attr/current; cat /etc/hostname 2>/dev/null").Stdout, name+" (enforce)\n")
	for _, edit := range []harness.Edit{tmpfs("/proc"), tmpfs("/proc/self/attr"), bind(env.Dir, "/proc/thread-self/attr"), harness.WithoutMount("/proc")} {
		r := env.Run(withDecoys(env.Bundle(confined, edit, lookAtLabel)))
		if strings.Contains(r.Stdout, "HOLE") || r.Code == 0 && strings.Contains(r.Stdout, "secret") {
			t.Errorf("%s", r)
		}
	}
	r := env.Run(env.Bundle(lookAtLabel, func(c *specs.Spec) { c.Process.ApparmorProfile = name + "-not-loaded" }))
	wantRefused(t, r, "process.apparmorProfile", "not loaded")

	swapped := withDecoys(env.Bundle(confined, lookAtLabel))
	swap(t, swapped.Path("proc"), swapped.Path("decoy"))
	raceRun(t, env, swapped)
}

// TestLabelNotApplied: a label that the host cannot apply is an error. Without
// SELinux there is none that it could: that is all that can be seen of it here.
func TestLabelNotApplied(t *testing.T) {
	t.Parallel()
	oneView(t)
	env := harness.New(t)
	if _, err := os.Stat("/sys/fs/selinux/enforce"); err == nil {
		t.Skip("this host runs SELinux")
	}
	const label = "system_u:system_r:container_t:s0:c1,c2"
	wantRefused(t, env.Run(env.Bundle(harness.Args("echo", "started"), func(c *specs.Spec) { c.Process.SelinuxLabel = label })),
		"process.selinuxLabel", "does not run SELinux")
	c := env.Create(env.Bundle(harness.Forever)).Start()
	wantRefused(t, env.Call("exec", "--process-label", label, c.ID, "echo", "started"), "SELinux")
	if _, err := os.Stat("/sys/kernel/security/apparmor/profiles"); err != nil {
		wantRefused(t, env.Run(env.Bundle(harness.Args("echo", "started"), func(c *specs.Spec) { c.Process.ApparmorProfile = "some" })),
			"process.apparmorProfile", "does not run AppArmor")
		wantRefused(t, env.Call("exec", "--apparmor", "some", c.ID, "echo", "started"), "AppArmor")
	}
}
