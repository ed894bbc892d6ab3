// Command gen writes JSON decoders and encoders that do not reflect, for
// struct types of any package, on top of ociruntime/internal/json.
//
// Run it from the directory of the package that is to hold the result:
//
//	//go:generate go run ociruntime/spec/internal/gen -out state_json.go -decode ociruntime/libcontainer.state -encode ociruntime/libcontainer.state
//
// Each -decode PATH.TYPE adds
//
//	func decodePackageType(d *json.Decoder, v *package.Type)
//
// and each -encode PATH.TYPE adds
//
//	func appendPackageType(dst []byte, v *package.Type) []byte
//
// with all that the types' fields need. For types of the package itself the
// name has no Package part, and may be unexported. A field may be a boolean, a
// string, an integer, a struct, a pointer to one of these, a time.Time, a slice of
// strings, integers or structs, or a map from strings to strings or structs; named
// types, `json:"name,omitempty"`, `json:"-"` and embedded structs work as in
// encoding/json. A float64, and a map to integers, can be written but not read.
// Anything else is refused here, not at run time.
//
// What a struct tag says about presence is kept when reading: a member without
// omitempty must be there (exceptions stand in rules.go). Fields that a
// `platform` tag gives to other systems than Linux are skipped both ways.
// Strings that hold NUL bytes are refused, as the kernel would see their first
// half, except in fields with the tag `gen:"opaque"`.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

func main() {
	out, source, err := generate(os.Args[1:], ".")
	if err == nil {
		err = os.WriteFile(out, source, 0o666)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// list is a flag that may be given more than once.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// generate returns the name of the output file and what belongs into it.
// Paths are relative to dir, the directory of the output's package.
func generate(args []string, dir string) (out string, source []byte, err error) {
	var decode, encode list
	flags := flag.NewFlagSet("gen", flag.ContinueOnError)
	flags.StringVar(&out, "out", "", "`file` to write")
	flags.Var(&decode, "decode", "import `path.Type` to write a decoder for (repeatable)")
	flags.Var(&encode, "encode", "import `path.Type` to write an encoder for (repeatable)")
	if err := flags.Parse(args); err != nil {
		return "", nil, err
	}
	if out == "" || len(decode)+len(encode) == 0 || flags.NArg() > 0 {
		flags.Usage()
		return "", nil, fmt.Errorf("give -out and at least one type")
	}
	home, err := packageAt(dir)
	if err != nil {
		return "", nil, err
	}
	g := newGenerator(newLoader(dir), home)
	for _, name := range decode {
		if err := g.add(name, g.decoder); err != nil {
			return "", nil, fmt.Errorf("-decode %s: %w", name, err)
		}
	}
	for _, name := range encode {
		if err := g.add(name, g.encoder); err != nil {
			return "", nil, fmt.Errorf("-encode %s: %w", name, err)
		}
	}
	source, err = g.file()
	return out, source, err
}

// packageAt returns the import path of the package in dir.
func packageAt(dir string) (string, error) {
	cmd := exec.Command("go", "list", "-e", "-f", "{{.ImportPath}}", ".")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	path, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	return string(bytes.TrimSpace(path)), nil
}
