package tests

import (
	"os"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/tests/harness"
)

// TestIntelRdtNotMounted: "if intelRdt is set [and] resctrl is not mounted, the
// runtime MUST generate an error". What is done with one is tested with an
// imitation beside the code; hardware that has it is rare.
func TestIntelRdtNotMounted(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/sys/fs/resctrl/schemata"); err == nil {
		t.Skip("this host has resctrl mounted")
	}
	env := harness.New(t)
	for _, rdt := range []*specs.LinuxIntelRdt{{}, {ClosID: "/"}, {ClosID: "x", Schemata: []string{"L3:0=f"}}, {EnableMonitoring: true}} {
		env.Run(env.Bundle(ran, func(c *specs.Spec) { c.Linux.IntelRdt = rdt })).WantError(t, 1, "linux.intelRdt", "resctrl is not mounted")
	}
}
