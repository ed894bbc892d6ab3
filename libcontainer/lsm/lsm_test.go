package lsm

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestAppendMountContext(t *testing.T) {
	cases := []struct{ data, label, want string }{
		{"", "", ""},
		{"size=1m", "", "size=1m"},
		{"", "system_u:object_r:container_file_t:s0:c1,c2", `context="system_u:object_r:container_file_t:s0:c1,c2"`},
		{"size=1m", "a:b:c:s0", `size=1m,context="a:b:c:s0"`},
	}
	for _, c := range cases {
		if got := AppendMountContext(c.data, c.label); got != c.want {
			t.Errorf("%q + %q: got %s, want %s", c.data, c.label, got, c.want)
		}
	}
}

// The kernel's own list of modules says whether the cheap tests are right.
func TestHost(t *testing.T) {
	list, err := os.ReadFile("/sys/kernel/security/lsm")
	if err != nil {
		t.Skip("securityfs is not mounted: nothing to compare with")
	}
	has := func(name string) bool {
		for _, n := range strings.FieldsFunc(string(list), func(r rune) bool { return r == ',' || r == '\n' }) {
			if n == name {
				return true
			}
		}
		return false
	}
	if AppArmor() != has("apparmor") {
		t.Errorf("AppArmor() is %v, the kernel runs %s", AppArmor(), list)
	}
	if SELinux() && !has("selinux") {
		t.Errorf("SELinux() is true, the kernel runs %s", list)
	}
}

func TestCheck(t *testing.T) {
	for _, label := range []string{"", Unconfined} {
		if err := CheckAppArmor("process.apparmorProfile", label); err != nil {
			t.Errorf("profile %q: %v", label, err)
		}
	}
	err := CheckAppArmor("process.apparmorProfile", "docker-default")
	if AppArmor() != (err == nil) {
		t.Errorf("AppArmor %v, check says %v", AppArmor(), err)
	}
	want := `process.apparmorProfile: apply AppArmor profile "docker-default": this host does not run AppArmor`
	if err != nil && (err.Error() != want || !errors.Is(err, ErrNoAppArmor)) {
		t.Errorf("got %v", err)
	}
	err = CheckSELinux("linux.mountLabel", "a:b:c:s0")
	if SELinux() != (err == nil) || err != nil && !errors.Is(err, ErrNoSELinux) {
		t.Errorf("SELinux %v, check says %v", SELinux(), err)
	}
	if err := CheckSELinux("linux.mountLabel", ""); err != nil {
		t.Error(err)
	}
}
