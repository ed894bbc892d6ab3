// Package engines drives the runtime through the programs that people run it
// with: dockerd, containerd, podman and containerd's Go client. Each engine is
// the one Debian packages, started in a World of its own. Other runtimes can be
// put in the same place to compare: RUNTIME_BINARY=/usr/sbin/runc.
package engines

import (
	"os"
	"path/filepath"
	"testing"

	"ociruntime/tests/view"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(worldEnv); dir != "" {
		os.Exit(furnish(dir))
	}
	if os.Getenv(readyEnv) != "" {
		os.Exit(ready())
	}
	if os.Getenv("TEST_VIEWS") == "" {
		// Engines take long to start, so only the host as it is.
		os.Setenv("TEST_VIEWS", string(view.AsIs))
	}
	os.Exit(view.Main(m))
}

// binary is the runtime under test.
func binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv("RUNTIME_BINARY")
	if path == "" {
		path = filepath.Join("..", "..", "runtime")
	}
	path, err := filepath.Abs(path)
	check(t, err)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no runtime to test: %v (build it with make, or set RUNTIME_BINARY)", err)
	}
	return path
}
