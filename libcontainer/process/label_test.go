package process

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"ociruntime/libcontainer/lsm"
)

// loadProfile loads an AppArmor profile for the length of the test.
func loadProfile(t *testing.T, name string) {
	t.Helper()
	if !lsm.AppArmor() {
		t.Skip("needs AppArmor")
	}
	parser, err := exec.LookPath("apparmor_parser")
	if err != nil {
		t.Skip("needs apparmor_parser")
	}
	text := "profile " + name + " flags=(attach_disconnected) { file, capability, signal, deny /etc/hostname r, }\n"
	for _, option := range []string{"-r", "-R"} {
		run := func() {
			c := exec.Command(parser, option)
			c.Stdin = strings.NewReader(text)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("apparmor_parser %s: %v\n%s", option, err, out)
			}
		}
		if option == "-r" {
			run()
		} else {
			t.Cleanup(run)
		}
	}
}

func TestAppArmor(t *testing.T) {
	needsRoot(t)
	name := fmt.Sprintf("process-test-%d", os.Getpid())
	loadProfile(t, name)
	for _, c := range []struct {
		profile string
		nnp     bool
		out     string
		err     string
	}{
		{name, false, name + " (enforce)\ncat: /etc/hostname: Permission denied\n", ""},
		{name, true, name + " (enforce)\ncat: /etc/hostname: Permission denied\n", ""},
		{"unconfined", false, "unconfined\n", ""},
		{"no such profile", true, "", `process.apparmorProfile: AppArmor profile "no such profile" is not loaded`},
	} {
		in := Input{Process: minimal("sh", "-c", "cat /proc/self/attr/current; [ $0 = unconfined ] || cat /etc/hostname; true", c.profile)}
		in.Process.ApparmorProfile, in.Process.NoNewPrivileges = c.profile, c.nnp
		in.Process.User.UID = 1000
		got := start(t, in, options{})
		if c.err != "" {
			if got.err == nil || got.err.Error() != c.err {
				t.Errorf("%s: got %v, want %s", c.profile, got.err, c.err)
			}
			continue
		}
		if got.err != nil || got.out != c.out {
			t.Errorf("%s: got %q, %v, want %q", c.profile, got.out, got.err, c.out)
		}
	}
}
