package cli

import "runtime"

// Set by the linker: -X ociruntime/internal/cli.release=...
var (
	release = "0.1.0-dev"
	commit  = "unknown"
)

// version is what --version prints after the program's name; engines parse the
// lines by their first word.
func version() string {
	return release + "\ncommit: " + commit + "\nspec: 1.3.0\ngo: " + runtime.Version()
}
