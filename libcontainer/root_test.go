package libcontainer

import (
	"os"
	"testing"
)

func TestDefaultRoot(t *testing.T) {
	if os.Geteuid() != 0 || inUserNamespace() {
		t.Skip("needs root of the host")
	}
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/1000")
	for _, user := range []string{"", "root", "somebody"} { // engines pass on the environment of whoever started them
		t.Setenv("USER", user)
		if got := DefaultRoot(); got != "/run/runtime" {
			t.Errorf("root, with USER=%s: %s", user, got)
		}
	}
}
