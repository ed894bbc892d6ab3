package engines

import (
	"os"
	"strings"
	"testing"
)

// snippet returns the indented lines of README.md that tell how to put the
// runtime under the engine: those that follow the paragraph that begins with
// its name in bold.
func snippet(t testing.TB, engine string) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	check(t, err)
	_, text, found := strings.Cut(string(readme), "\n**"+engine+"**")
	if !found {
		t.Fatalf("README.md tells nothing of %s", engine)
	}
	_, text, _ = strings.Cut(text, "\n    ")
	block, _, _ := strings.Cut("    "+text, "\n\n")
	return strings.ReplaceAll("\n"+block, "\n    ", "\n")[1:] + "\n"
}
