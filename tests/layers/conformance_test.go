package layers

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestConformanceNamesTests: docs/spec-conformance.md names tests that exist.
func TestConformanceNamesTests(t *testing.T) {
	page, err := os.ReadFile("../../docs/spec-conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	err = filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		code.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`(Test\\w+)`").FindAllSubmatch(page, -1)
	if len(names) < 100 {
		t.Errorf("the page names %d tests only", len(names))
	}
	for _, name := range names {
		if !strings.Contains(code.String(), "func "+string(name[1])+"(t ") {
			t.Errorf("no test is called %s", name[1])
		}
	}
}
