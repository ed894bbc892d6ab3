package hooks

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func sh(script string) specs.Hook {
	return specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", script}}
}

func kind(list ...specs.Hook) Kind {
	return Kind{Name: "prestart", Hooks: list, Start: Runtime, Timeout: time.Minute}
}

func TestStateArrivesAndOrderHolds(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	state := bytes.Repeat([]byte("x"), 200_000) // more than a pipe holds
	err := kind(sh("wc -c >>"+out), sh("echo second >>"+out)).Run(state)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(out)
	if string(got) != "200000\nsecond\n" {
		t.Errorf("got %q", got)
	}
}

func TestEnvironmentIsTheConfigs(t *testing.T) {
	h := sh(`[ "$(tr '\0' ' ' </proc/$$/environ)" = "A=1 " ]`)
	h.Env = []string{"A=1"}
	if err := kind(h).Run(nil); err != nil {
		t.Error(err)
	}
}

func TestHookThatIgnoresStdin(t *testing.T) {
	if err := kind(sh("exec <&-; exit 0")).Run(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
		t.Error(err)
	}
}

func TestHookThatLeavesAChild(t *testing.T) {
	began := time.Now()
	if err := kind(sh("sleep 20 & exit 0")).Run(nil); err != nil {
		t.Error(err)
	}
	if time.Since(began) > 10*time.Second {
		t.Error("waited for the hook's child")
	}
}

func TestFailures(t *testing.T) {
	one := 1
	slow := sh("sleep 20")
	slow.Timeout = &one
	cases := []struct {
		name string
		hook specs.Hook
		want []string
	}{
		{"exit status", sh("echo out; echo oops >&2; exit 3"), []string{`hooks.prestart[0]: error running prestart hook #0 "/bin/sh": exit status 3`, "stdout: out", "stderr: oops"}},
		{"signal", sh("kill -SEGV $$"), []string{"killed by SIGSEGV"}},
		{"missing", specs.Hook{Path: "/nosuch/hook"}, []string{`"/nosuch/hook": fork/exec: no such file or directory`}},
		{"timeout", slow, []string{"did not end in time", "after 1"}},
		{"flood", sh("head -c 10000000 /dev/zero | tr '\\0' y >&2; echo last >&2; exit 1"), []string{"last)"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			marker := filepath.Join(t.TempDir(), "ran")
			err := kind(c.hook, sh("touch "+marker)).Run([]byte("{}"))
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q lacks %q", err, w)
				}
			}
			if _, err := os.Stat(marker); err == nil {
				t.Error("the next hook ran")
			}
			if len(err.Error()) > 4000 {
				t.Errorf("%d bytes of error", len(err.Error()))
			}
		})
	}
}

func TestRunAllGoesOn(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "ran")
	var reported []error
	kind(sh("exit 1"), sh("touch "+marker)).RunAll(nil, func(err error) { reported = append(reported, err) })
	if len(reported) != 1 || errors.Is(reported[0], ErrTimeout) {
		t.Errorf("reported %v", reported)
	}
	if _, err := os.Stat(marker); err != nil {
		t.Error(err)
	}
}
