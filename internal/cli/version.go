package cli

import (
	"runtime"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/libcontainer/seccomp"
)

// Set by the linker: -X ociruntime/internal/cli.release=...
var (
	release = "0.1.0-dev"
	commit  = "unknown"
)

// version is what --version prints after the program's name; engines parse the
// lines by their first word.
func version() string {
	text := release + "\ncommit: " + commit + "\nspec: " + specs.Version + "\ngo: " + runtime.Version()
	if v := seccomp.Version(); v != "" {
		return text + "\nlibseccomp: " + v
	}
	return text + "\nlibseccomp: none; seccomp profiles are refused"
}
