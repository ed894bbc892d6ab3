package diag

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

var update = flag.Bool("update", false, "write docs/errors.md anew")

// docs is the page that is made of the entries.
const docs = "../../docs/errors.md"

// TestEntries: a code is there once, has all its texts, and can be typed.
func TestEntries(t *testing.T) {
	spelling := regexp.MustCompile(`^[a-z]+[a-z0-9]*(-[a-z0-9]+)*$`)
	seen := map[Code]bool{}
	for _, e := range Entries() {
		switch {
		case seen[e.Code]:
			t.Errorf("%s is there twice", e.Code)
		case !spelling.MatchString(string(e.Code)):
			t.Errorf("%q is no code", e.Code)
		case e.Summary == "" || strings.HasSuffix(e.Summary, ".") || strings.Contains(e.Summary, "\n"):
			t.Errorf("%s: the summary is one line without a full stop: %q", e.Code, e.Summary)
		case !strings.HasSuffix(e.Cause, ".") || !strings.HasSuffix(e.Remedy, "."):
			t.Errorf("%s: cause and remedy are sentences", e.Code)
		}
		seen[e.Code] = true
	}
}

// TestCodesInSource: every code that a package gives an error is in the table,
// and every code of the table is given.
func TestCodesInSource(t *testing.T) {
	used := map[Code]bool{}
	for _, r := range rules {
		used[r.code] = true
	}
	for _, s := range sections {
		used[s.code] = true
	}
	for errno := range 134 {
		used[codeOfErrno(syscall.Errno(errno))] = true
	}
	for where, code := range sourceCodes(t) {
		used[code] = true
		if EntryOf(code) == nil {
			t.Errorf("%s: the code %q is in no table", where, code)
		}
	}
	for code := range used {
		if EntryOf(code) == nil {
			t.Errorf("the code %q is in no table", code)
		}
	}
	for _, e := range Entries() {
		if !used[e.Code] {
			t.Errorf("nothing fails with the code %q", e.Code)
		}
	}
}

// sourceCodes finds the string constants that the program's own packages use as
// codes, by their place: Code: "x", e.Code = "x", Code = "x" of a declaration,
// and what is passed to functions of codes.
func sourceCodes(t *testing.T) map[string]Code {
	t.Helper()
	found := map[string]Code{}
	files := token.NewFileSet()
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		if entry.IsDir() && (name == "tests" || name == "testdata" || len(name) > 2 && name[0] == '.') {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			for _, literal := range codesIn(n) {
				text, _ := strconv.Unquote(literal.Value)
				found[files.Position(literal.Pos()).String()] = Code(text)
			}
			return true
		})
		return nil
	})
	if err != nil || len(found) < 50 {
		t.Fatalf("%d codes in the sources, %v", len(found), err)
	}
	return found
}

func codesIn(n ast.Node) []*ast.BasicLit {
	var list []*ast.BasicLit
	add := func(e ast.Expr) {
		if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING && l.Value != `""` {
			list = append(list, l)
		}
	}
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Code" {
			add(n.Value)
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if s, ok := left.(*ast.SelectorExpr); ok && s.Sel.Name == "Code" && len(n.Rhs) == len(n.Lhs) {
				add(n.Rhs[i])
			}
		}
	case *ast.ValueSpec:
		if s, ok := n.Type.(*ast.SelectorExpr); ok && s.Sel.Name == "Code" {
			add(n.Values[0])
		}
	case *ast.CallExpr:
		if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "hint" && len(n.Args) == 2 {
			add(n.Args[0])
		}
	}
	return list
}

// TestDocs: docs/errors.md is what the table says.
//
//	go test ./internal/diag -run TestDocs -update
func TestDocs(t *testing.T) {
	var want bytes.Buffer
	fmt.Fprint(&want, `# Errors

Every error has a *code*: it stands behind the message on stderr (`+"`code=mount-source`"+`), and in the member `+"`code`"+`
of the lines that `+"`--log-format json`"+` writes. Codes are stable; messages get better. `+"`runtime explain CODE`"+` prints
what this page says about one. The page is made of the same table (`+"`internal/diag/codes*.go`"+`).

| code | what has happened |
|---|---|
`)
	for _, e := range Entries() {
		fmt.Fprintf(&want, "| [%s](#%s) | %s |\n", e.Code, e.Code, e.Summary)
	}
	for _, e := range Entries() {
		fmt.Fprintf(&want, "\n## %s\n\n%s.\n\n%s\n\n**What to do:** %s\n", e.Code, capital(e.Summary), e.Cause, e.Remedy)
	}
	if *update {
		if err := os.WriteFile(docs, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(docs); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what the table says (%v); after a look at the difference:\n\tgo test ./internal/diag -run TestDocs -update", docs, err)
	}
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
