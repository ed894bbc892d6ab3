package cli

import (
	"runtime"

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
	text := release + "\ncommit: " + commit + "\nspec: 1.3.0\ngo: " + runtime.Version()
	if v := seccomp.Version(); v != "" {
		text += "\nlibseccomp: " + v
	}
	return text
}
