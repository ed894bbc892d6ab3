package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os/exec"
	"path/filepath"
	"strings"
)

// loader type-checks packages from source. It forgives errors: the package
// that is to hold the output does not compile before the output exists.
type loader struct {
	dir      string // where go list runs: it decides the module
	fset     *token.FileSet
	files    map[string][]string // import path: absolute file names
	packages map[string]*types.Package
}

func newLoader(dir string) *loader {
	return &loader{
		dir:      dir,
		fset:     token.NewFileSet(),
		files:    map[string][]string{},
		packages: map[string]*types.Package{"unsafe": types.Unsafe},
	}
}

// Import implements types.Importer.
func (l *loader) Import(path string) (*types.Package, error) {
	if pkg := l.packages[path]; pkg != nil {
		return pkg, nil
	}
	if l.files[path] == nil {
		if err := l.list(path); err != nil {
			return nil, err
		}
	}
	var files []*ast.File
	for _, name := range l.files[path] {
		file, err := parser.ParseFile(l.fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	config := types.Config{Importer: l, IgnoreFuncBodies: true, FakeImportC: true, Error: func(error) {}}
	pkg, _ := config.Check(path, l.fset, files, nil)
	l.packages[path] = pkg
	return pkg, nil
}

// list finds the source files of a package and of all that it imports.
func (l *loader) list(path string) error {
	cmd := exec.Command("go", "list", "-e", "-deps", "-f", "{{.ImportPath}}|{{.Dir}}|{{join .GoFiles \"|\"}}", path)
	cmd.Dir = l.dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list %s: %w: %s", path, err, stderr.String())
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		names := []string{}
		for _, name := range fields[2:] {
			if name != "" {
				names = append(names, filepath.Join(fields[1], name))
			}
		}
		l.files[fields[0]] = names
	}
	return nil
}

// structType finds the struct type that "import/path.Type" names.
func (l *loader) structType(name string) (*types.Named, error) {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return nil, fmt.Errorf("not of the form import/path.Type")
	}
	pkg, err := l.Import(name[:dot])
	if err != nil {
		return nil, err
	}
	object := pkg.Scope().Lookup(name[dot+1:])
	if object == nil {
		return nil, fmt.Errorf("no such type")
	}
	named, ok := object.Type().(*types.Named)
	if !ok {
		return nil, fmt.Errorf("is not a named type")
	}
	if _, ok := named.Underlying().(*types.Struct); !ok {
		return nil, fmt.Errorf("is not a struct")
	}
	return named, nil
}
