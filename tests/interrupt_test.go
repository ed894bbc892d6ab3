package tests

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
)

// asksToEnd are the signals by which people and engines ask a command to end.
var asksToEnd = []struct {
	number syscall.Signal
	name   string
}{{syscall.SIGTERM, "SIGTERM"}, {syscall.SIGINT, "SIGINT"}, {syscall.SIGHUP, "SIGHUP"}, {syscall.SIGQUIT, "SIGQUIT"}}

// TestInterruptedInHook: a create or run that is asked to end while a hook runs
// ends with that and leaves nothing behind, which the harness checks.
func TestInterruptedInHook(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"create", "run", "run -d"} {
		for _, kind := range []string{"prestart", "createContainer", "startContainer", "poststart"} {
			if verb == "create" && kind[0] != 'c' && kind != "prestart" {
				continue // start's
			}
			for _, s := range asksToEnd {
				if s.number != syscall.SIGTERM && kind != "prestart" {
					continue
				}
				t.Run(verb+" "+kind+" "+s.name, func(t *testing.T) {
					t.Parallel()
					env := harness.New(t)
					bundle := env.Bundle(harness.Args("sleep", "1000"), harness.Mounted(bind(env.Dir, "/host", "bind")))
					reached := env.File("reached")
					if kind == "startContainer" { // the root is the container's
						reached = "/host/reached"
					}
					bundle.Edit(addHook(kind, shellHook("echo >"+reached+"; exec sleep 1000")))
					args := append(strings.Fields(verb), "--bundle", bundle.Dir, env.ID())
					process := env.Command(args...).Start()
					check(t, harness.Eventually(harness.Timeout(), func() bool { _, err := os.Stat(env.File("reached")); return err == nil }))
					process.Signal(s.number)
					process.Wait().WantError(t, 1, "interrupted by "+s.name, "hooks."+kind+"[0]")
				})
			}
		}
	}
}

// TestInterruptedAnywhere: whenever the signal comes, the container is either
// there, or there is nothing.
func TestInterruptedAnywhere(t *testing.T) {
	t.Parallel()
	for _, terminal := range []bool{false, true} {
		t.Run(fmt.Sprintf("terminal=%v", terminal), func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			bundle := env.Bundle(harness.UserNamespaceAt(1 << 19))
			began := time.Now()
			whole := env.ID()
			env.Call("create", "--bundle", bundle.Dir, whole).WantQuiet(t)
			took := time.Since(began)
			env.Call("delete", "--force", whole).WantQuiet(t)
			n := full(25, 500)
			for i := range n {
				bundle.Edit(harness.UserNamespaceAt(uint32(1+i) << 20))
				args := []string{"create", "--bundle", bundle.Dir}
				if terminal {
					socket := env.FDSocket()
					bundle.Edit(harness.Terminal)
					args = append(args, "--console-socket", socket.Path)
				}
				id := env.ID()
				process := env.Command(append(args, id)...).Start()
				time.Sleep(took * time.Duration(i) / time.Duration(n)) // a moment of each of its steps
				process.Signal(syscall.SIGTERM)
				r := process.Wait()
				switch {
				case r.Signal == syscall.SIGTERM: // before anything was there
				case r.Code == 0:
					env.Call("delete", "--force", id).WantQuiet(t)
					continue
				case !strings.Contains(r.Stderr, "interrupted by SIGTERM"):
					t.Error(r)
				}
				env.Call("state", id).WantError(t, 1, "does not exist")
				if left := env.Leftovers(); len(left) > 0 {
					t.Fatalf("after %s: %q", r, left)
				}
			}
		})
	}
}

// TestRunInterruptedEarly: a run in the foreground that is asked to end at any
// moment ends, with its program or without, and leaves nothing behind.
func TestRunInterruptedEarly(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Args("sleep", "1000"), harness.WithoutNamespace(specs.PIDNamespace))
	for i := range 25 {
		process := env.RunCommand(bundle).Start()
		time.Sleep(time.Duration(i) * 400 * time.Microsecond)
		process.Signal(syscall.SIGINT)
		r := process.Wait()
		if r.Signal != syscall.SIGINT && r.Code != 128+int(syscall.SIGINT) && !strings.Contains(r.Stderr, "interrupted by SIGINT") {
			t.Error(r)
		}
		if left := env.Leftovers(); len(left) > 0 {
			t.Fatalf("after %s: %q", r, left)
		}
	}
}
