package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/view"
)

// programs are those that Program has built, by their directory.
var programs = struct {
	sync.Mutex
	built map[string]program
}{built: map[string]program{}}

type program struct {
	path string
	err  error
}

// Program binds a Go program of the repository, for what busybox cannot do
// inside, on /tmp/NAME. dir is its package's; the last element is NAME.
func Program(t testing.TB, dir string) Edit {
	t.Helper()
	name := filepath.Base(dir)
	programs.Lock()
	defer programs.Unlock()
	p, ok := programs.built[dir]
	if !ok {
		p.path = filepath.Join(view.Dir(), name)
		p.err = build(filepath.Join(repository(t), dir), p.path)
		programs.built[dir] = p
	}
	must(t, p.err)
	return Mounted(specs.Mount{Destination: "/tmp/" + name, Type: "bind", Source: p.path, Options: []string{"bind", "ro"}})
}

func build(dir, path string) error {
	c := exec.Command(filepath.Join(runtime.GOROOT(), "bin", "go"), "build", "-o", path, ".")
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", dir, err, out)
	}
	return nil
}
