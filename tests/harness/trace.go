package harness

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"

	"ociruntime/tests/tracer"
)

// Trace runs the command under a tracer, to its end. What the tracer kills, or
// lets fail, is in the report. Output is the caller's files only as with Start.
func (c *Command) Trace(plan tracer.Plan) (Result, tracer.Report) {
	t := c.env.T
	t.Helper()
	cmd := exec.Command(c.Binary, c.Args...)
	cmd.Dir = c.Dir
	cmd.Env = append(c.environ(), tokenEnv+"="+c.env.token)
	cmd.ExtraFiles = c.Files
	p := &Process{t: t, args: c.Args}
	cmd.Stdout, p.stdout = captured(t, c.env.Dir, c.Stdout)
	cmd.Stderr, p.stderr = captured(t, c.env.Dir, c.Stderr)
	p.cmd = &exec.Cmd{}
	defer p.finish()
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	if plan.Timeout == 0 {
		plan.Timeout = c.Timeout
	}
	report, err := tracer.Run(cmd, plan)
	r := Result{Args: c.Args, Stdout: p.Stdout(), Stderr: p.Stderr(), Code: report.Status.ExitStatus()}
	if report.Status.Signaled() {
		r.Signal = report.Status.Signal()
	}
	switch {
	case errors.Is(err, tracer.ErrTimeout):
		t.Fatalf("%s %s: no answer in %s after %s\n%s", filepath.Base(c.Binary), strings.Join(c.Args, " "), plan.Timeout, report.Call, r.Output())
	case err != nil:
		t.Fatalf("trace %s: %v", strings.Join(c.Args, " "), err)
	}
	r.checkCodes(t)
	return r, report
}
