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
func TestConformanceNamesTests(t *testing.T) { namesTests(t, "spec-conformance.md", 100) }

// TestPagesNameTests: so does docs/security.md, fuzz targets included, and it names
// every test of tests/breakouts.
func TestPagesNameTests(t *testing.T) {
	named := namesTests(t, "security.md", 80)
	for _, name := range testsIn(t, "../breakouts") {
		if name != "TestMain" && !named[name] {
			t.Errorf("%s is on no line of docs/security.md", name)
		}
	}
}

// namesTests returns the tests that a page of docs names, and fails for those
// that do not exist, or if there are not even so many.
func namesTests(t *testing.T, page string, least int) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	exist := map[string]bool{}
	for _, name := range testsIn(t, "../..") {
		exist[name] = true
	}
	named := map[string]bool{}
	for _, match := range regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllSubmatch(text, -1) {
		name := string(match[1])
		if named[name] = true; !exist[name] {
			t.Errorf("%s: no test is called %s", page, name)
		}
	}
	if len(named) < least {
		t.Errorf("%s names %d tests only", page, len(named))
	}
	return named
}

// testsIn lists the tests and fuzz targets below dir.
func testsIn(t *testing.T, dir string) []string {
	t.Helper()
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\([a-z] `)
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, match := range function.FindAllSubmatch(text, -1) {
			names = append(names, string(match[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
