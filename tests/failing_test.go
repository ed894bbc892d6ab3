package tests

import (
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/tracer"
)

// errnos are those that a full, poor or guarded host answers with.
var errnos = []syscall.Errno{unix.ENOSPC, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.EPERM, unix.EIO}

// TestCallFails lets one system call of create fail after the other: create
// either does without it or says so in one line, and then the host is as it was.
func TestCallFails(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]tracer.Target{"runtime": tracer.Runtime, "stage": tracer.Children} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			bundle := lasting(env)
			create := func(n int) tracer.Report {
				id := env.ID()
				plan := tracer.Plan{Target: target, Nth: n}
				if n > 0 {
					plan.Errno = errnos[n%len(errnos)]
				}
				r, report := env.Command("create", "--bundle", bundle.Dir, id).Trace(plan)
				if r.Code == 0 {
					deleteByForce(t, env, id)
				} else {
					wantPlainFailure(t, r)
				}
				wantNothingLeft(t, env)
				if t.Failed() {
					t.Fatalf("call %d, %s, failed with %v: %s", n, report.Call, plan.Errno, r)
				}
				t.Logf("call %d, %s, %v: %d %s", n, report.Call, plan.Errno, r.Code, r.Stderr)
				return report
			}
			for _, n := range steps(create(0).Calls) {
				create(n)
			}
		})
	}
}

// wantPlainFailure expects one line of an error on stderr, after warnings perhaps,
// and no Go runtime that gave up.
func wantPlainFailure(t *testing.T, r harness.Result) {
	t.Helper()
	if r.Code != 1 || r.Signal != 0 || strings.Count(r.Stderr, "level=error") != 1 || strings.Contains(r.Stderr, "goroutine") {
		t.Errorf("want exit code 1 and one error: %s", r)
	}
}
