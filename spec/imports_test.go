package spec

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Every command decodes a configuration or a state: what this package links
// costs each of them start-up time.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	must(t, err)
	deps := strings.Fields(string(out))
	for pkg, why := range map[string]string{
		"encoding/json": "half a millisecond for a first Unmarshal",
		"github.com/go-json-experiment/json/jsontext": "see internal/json; it is for tests",
		"regexp":        "compiles expressions at start-up",
		"net":           "starts resolvers",
		"text/template": "links all methods of all types",
		"os/exec":       "nothing here runs a program",
	} {
		if slices.Contains(deps, pkg) {
			t.Errorf("imports %s: %s", pkg, why)
		}
	}
}
