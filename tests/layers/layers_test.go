// Package layers keeps the architecture what docs/architecture.md says it is:
// each rule below has a reason, and a build that breaks one fails here.
package layers

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "ociruntime"

// layers orders the packages: an import points to a lower layer.
var layers = []struct {
	pattern string // of path.Match, relative to the module
	layer   int
}{
	{"internal/diag", 0},
	{"internal/sys", 1}, // its errors are diag's
	{"internal/json", 1},
	{"libcontainer/signal", 1},
	{"spec", 2},
	{"nsenter", 2},
	{"cgroups", 2},
	{"libcontainer/lsm", 2},
	{"libcontainer/seccomp", 2},
	{"libcontainer/intelrdt", 2},
	{"cgroups/*", 3}, // a manager of cgroups, by cgroups' own types
	{"rootfs", 3},
	{"libcontainer/doctor", 5}, // of what all others need
	{"libcontainer/*", 3},
	{"libcontainer", 4},
	{"internal/cli", 6},
	{"", 7},
}

// forbidden imports, by the importing package. A pattern ends in "/..." when it
// covers everything below.
var forbidden = []struct {
	by, imports, reason string
}{
	{"spec", module + "/nsenter", "the configuration is a value; what is done with it is not its business"},
	{"spec", module + "/cgroups", "the configuration is a value; what is done with it is not its business"},
	{"nsenter", "github.com/opencontainers/...", "nsenter knows namespaces and system calls, not OCI"},
	{"cgroups/...", module + "/nsenter", "cgroups serves programs that have no stage"},
	{"rootfs", module + "/cgroups", "rootfs is handed the directories to show, it does not look for them"},
	{"libcontainer/process", module + "/rootfs", "what lies between root and execve does not know how the root came about"},
	{"libcontainer/process", module + "/cgroups", "what lies between root and execve does not know how the root came about"},
	{"libcontainer/...", "github.com/urfave/...", "the library has callers without a command line"},
	{"libcontainer/seccomp", module + "/nsenter", "seccomp turns a profile into bytes; the stage loads them"},
	{"libcontainer/seccomp", module + "/spec", "seccomp turns a profile into bytes; specs-go has its types"},
	{"internal/cli", module + "/nsenter", "a verb is flags, options and one call of libcontainer"},
	{"internal/cli", module + "/rootfs", "a verb is flags, options and one call of libcontainer"},
	{"internal/cli", module + "/cgroups", "a verb is flags, options and one call of libcontainer"},
	{"internal/diag", module + "/...", "everybody words errors with it, so it can need nobody"},
}

// reserved imports have one home each, for the reason given.
var reserved = []struct {
	imports string
	homes   []string
	reason  string
}{
	{"unsafe", []string{"nsenter", "internal/sys"}, "raw memory has two places where it is reviewed"},
	{"C", []string{"libcontainer/seccomp"}, "libseccomp is the only C"},
	{"github.com/seccomp/...", []string{"libcontainer/seccomp"}, "libseccomp is the only C"},
	{"github.com/godbus/...", []string{"cgroups/systemd"}, "D-Bus costs start-up time, and only systemd's cgroups need it"},
	{"github.com/checkpoint-restore/...", []string{"libcontainer/criu"}, "the conversation with CRIU is held in one place"},
	{"github.com/urfave/...", nil, "a tenth of each start; the help text is rendered with it when the tables change"},
	{"github.com/cilium/...", nil, "its init costs more start-up time than the device filter takes to write by hand"},
	{"net/http", nil, "start-up time: its init builds tables that no container needs"},
	{"text/template", nil, "start-up time, and the linker keeps every method once it is there"},
	{"regexp", nil, "a pattern compiled at start costs every start"},
	{"log", nil, "diag has the log that engines parse"},
}

// Package is what `go list -json` tells of one.
type Package struct {
	ImportPath string
	Imports    []string
	Error      *struct{ Err string }
}

// ours returns the packages of the module that end up in a binary; generators
// and tests do not.
func ours(t *testing.T) []Package {
	t.Helper()
	var found []Package
	for _, p := range list(t, "-deps", module) {
		if _, ok := relative(p.ImportPath); ok {
			found = append(found, p)
		}
	}
	if len(found) < 5 {
		t.Fatalf("go list found %d packages of %s only", len(found), module)
	}
	return found
}

func list(t *testing.T, args ...string) []Package {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Error"}, args...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		t.Fatalf("go list: %s", failed.Stderr)
	} else if err != nil {
		t.Skip("needs the go command: ", err)
	}
	var packages []Package
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p Package
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// relative cuts the module's name off an import path of ours.
func relative(importPath string) (string, bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// covers tells whether a pattern covers an import path.
func covers(pattern, importPath string) bool {
	if tree, ok := strings.CutSuffix(pattern, "/..."); ok {
		return importPath == tree || strings.HasPrefix(importPath, tree+"/")
	}
	return pattern == importPath
}

func layerOf(t *testing.T, name string) int {
	t.Helper()
	for _, l := range layers {
		if ok, _ := path.Match(l.pattern, name); ok {
			return l.layer
		}
	}
	t.Errorf("%s has no layer: name its place in the list", name)
	return -1
}

func TestImportsPointDown(t *testing.T) {
	for _, p := range ours(t) {
		name, _ := relative(p.ImportPath)
		layer := layerOf(t, name)
		for _, imported := range p.Imports {
			lower, mine := relative(imported)
			if mine && layerOf(t, lower) >= layer {
				t.Errorf("%s imports %s, which is not below it", name, lower)
			}
		}
	}
}

func TestForbiddenImports(t *testing.T) {
	for _, p := range ours(t) {
		name, _ := relative(p.ImportPath)
		for _, rule := range forbidden {
			if !covers(rule.by, name) {
				continue
			}
			for _, imported := range p.Imports {
				if covers(rule.imports, imported) && imported != p.ImportPath {
					t.Errorf("%s imports %s: %s", name, imported, rule.reason)
				}
			}
		}
	}
}

func TestReservedImports(t *testing.T) {
	for _, p := range ours(t) {
		name, _ := relative(p.ImportPath)
		for _, rule := range reserved {
			for _, imported := range p.Imports {
				if covers(rule.imports, imported) && !slices.Contains(rule.homes, name) {
					t.Errorf("%s imports %s: %s", name, imported, rule.reason)
				}
			}
		}
	}
}

// TestTestsAreBlackBox: the tests drive the binary, so that any runtime can be
// put in its place, and no internal change can make them lie.
func TestTestsAreBlackBox(t *testing.T) {
	for _, p := range list(t, "-test", module+"/tests/...") {
		importer, _, _ := strings.Cut(p.ImportPath, " ") // "ociruntime/tests [ociruntime/tests.test]"
		if !covers(module+"/tests/...", strings.TrimSuffix(strings.TrimSuffix(importer, "_test"), ".test")) {
			continue
		}
		for _, imported := range p.Imports {
			imported, _, _ = strings.Cut(imported, " ")
			if name, mine := relative(imported); mine && !covers("tests/...", strings.TrimSuffix(name, "_test")) {
				t.Errorf("%s imports %s: tests are black box", importer, imported)
			}
		}
	}
}

// TestOnlyTestsImportTests: nothing of the harness gets into the binary.
func TestOnlyTestsImportTests(t *testing.T) {
	for _, p := range ours(t) {
		if name, _ := relative(p.ImportPath); covers("tests/...", name) {
			t.Errorf("the binary contains %s", name)
		}
	}
}
