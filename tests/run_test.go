package tests

import (
	"testing"

	"ociruntime/tests/harness"
)

func TestRunExitCode(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	env.Run(env.Bundle(harness.Shell("exit 7"))).WantCode(t, 7)
}

func TestLife(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.Create(env.Bundle(harness.Forever))
	c.WantStatus("created")
	c.Start()
	c.WantStatus("running")
	c.Stop()
	c.Delete()
}
