package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMan: the manual is what the tables say, a page for each verb and one for
// the program, and nothing else is there.
//
//	go test ./internal/cli -run TestMan -update
func TestMan(t *testing.T) {
	pages := map[string]string{"runtime.8": manProgram()}
	for _, c := range listed() {
		pages["runtime-"+c.name+".8"] = manVerb(c)
	}
	wantFiles(t, "../../docs/man", pages)
}

// wantFiles compares a directory with what it must hold, or writes it anew.
func wantFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%s is not what the tables say (%v); after a look at the difference:\n\tgo test ./internal/cli -update", path, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()] == "" {
			t.Errorf("%s: the tables have nothing of that name", filepath.Join(dir, e.Name()))
		}
	}
}

// TestManRenders: no page makes man(1) complain, and what is shown has the flags.
func TestManRenders(t *testing.T) {
	man, err := exec.LookPath("man")
	if err != nil {
		t.Skip("man is not installed")
	}
	pages, _ := filepath.Glob("../../docs/man/*.8")
	if len(pages) < 10 {
		t.Fatalf("pages: %q", pages)
	}
	for _, page := range pages {
		var warnings bytes.Buffer
		cmd := exec.Command(man, "--warnings", "--encoding=UTF-8", "--local-file", page)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANROFFSEQ=", "MANWIDTH=100")
		cmd.Stderr = &warnings
		text, err := cmd.Output()
		if err != nil || warnings.Len() > 0 {
			t.Errorf("%s: %v\n%s", page, err, warnings.Bytes())
		}
		if name := strings.TrimSuffix(filepath.Base(page), ".8"); !bytes.Contains(text, []byte(name+" - ")) || !bytes.Contains(text, []byte("--help")) {
			t.Errorf("%s renders as\n%s", page, text)
		}
	}
}

// manProgram is the page of the program itself.
func manProgram() string {
	var b strings.Builder
	manHead(&b, "runtime", "run OCI containers")
	b.WriteString(".B runtime\n[global options]\n.I command\n[options] [arguments]\n")
	b.WriteString(".SH DESCRIPTION\n" + roff("runtime creates containers from OCI bundles, and runs, changes and removes them, "+
		"as containerd, dockerd, podman and CRI-O ask for it, or people. A bundle is a directory with a config.json, "+
		"which says what the container is like, and mostly the root file system.") + "\n")
	b.WriteString(".SH COMMANDS\n")
	for _, c := range listed() {
		b.WriteString(".TP\n\\fB" + roff("runtime-"+c.name) + "\\fR(8)\n" + roff(c.usage) + "\n")
	}
	b.WriteString(".SH GLOBAL OPTIONS\n")
	manFlags(&b, globals)
	manExamples(&b, examples)
	b.WriteString(".SH ENVIRONMENT\n")
	for _, e := range [][2]string{
		{"XDG_RUNTIME_DIR", "where the state of a user's containers is kept, in the directory runtime"},
		{"NOTIFY_SOCKET", "where the container tells systemd that it is ready, see sd_notify(3)"},
		{"LISTEN_FDS, LISTEN_PID", "sockets that systemd passes to the container, see sd_listen_fds(3)"},
	} {
		b.WriteString(".TP\n.B " + roff(e[0]) + "\n" + roff(e[1]) + "\n")
	}
	b.WriteString(".SH FILES\n.TP\n.I /run/runtime\n" + roff("the state of containers, unless --root names another place") + "\n")
	b.WriteString(".SH EXIT STATUS\n" + roff("0 on success, 1 after an error, 3 for an unknown command, 255 after an error of exec. "+
		"run and exec in the foreground end with the exit code of the container's process, or with 128 and the number of the signal that ended it.") + "\n")
	b.WriteString(".SH DIAGNOSTICS\n" + roff("An error is one line on standard error, with a code that stays the same: runtime explain CODE says what it means and what to do.") + "\n")
	manSeeAlso(&b, "runtime")
	return b.String()
}

func manVerb(c *command) string {
	var b strings.Builder
	manHead(&b, "runtime-"+c.name, c.usage)
	b.WriteString(".B runtime\n[global options]\n.B " + roff(c.name) + "\n[options]\n")
	if c.args != "" {
		b.WriteString(".I " + roff(c.args) + "\n")
	}
	if c.description != "" {
		b.WriteString(".SH DESCRIPTION\n" + roff(strings.ReplaceAll(c.description, "\n", " ")) + "\n")
	}
	b.WriteString(".SH OPTIONS\n")
	manFlags(&b, c.flags)
	manExamples(&b, c.examples)
	manSeeAlso(&b, "runtime-"+c.name)
	return b.String()
}

func manHead(b *strings.Builder, name, usage string) {
	fmt.Fprintf(b, ".\\\" made of the tables in internal/cli: go test ./internal/cli -update\n")
	fmt.Fprintf(b, ".TH %s 8 \"\" runtime \"OCI runtime\"\n.nh\n.ad l\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n", strings.ToUpper(roff(name)), roff(name), roff(usage))
}

func manFlags(b *strings.Builder, tables [][]flag) {
	for _, f := range append(slices.Concat(tables...), helpFlag) {
		if f.hidden {
			continue
		}
		name, usage := placeholder(f)
		spelling := func(dashes, word string) string {
			s := "\\fB" + roff(dashes+word) + "\\fR"
			if f.kind != boolean {
				s += " \\fI" + roff(name) + "\\fR"
			}
			return s
		}
		b.WriteString(".TP\n" + spelling("--", f.name))
		if f.alias != "" {
			b.WriteString(", " + spelling("-", f.alias))
		}
		if f.kind == list {
			usage += " (may be repeated)"
		}
		if f.kind != boolean && f.value != "" {
			usage += " (default: " + f.value + ")"
		}
		b.WriteString("\n" + roff(usage) + "\n")
	}
}

// placeholder takes the name of a flag's value, which the usage has between
// backquotes, out of it.
func placeholder(f flag) (name, usage string) {
	before, rest, found := strings.Cut(f.usage, "`")
	name, after, _ := strings.Cut(rest, "`")
	if !found {
		return "value", f.usage
	}
	return name, before + name + after
}

func manExamples(b *strings.Builder, list []example) {
	if len(list) == 0 {
		return
	}
	b.WriteString(".SH EXAMPLES\n")
	for _, e := range list {
		b.WriteString(".TP\n" + roff(strings.ToUpper(e.does[:1])+e.does[1:]) + ":\n.nf\n.B\n")
		for line := range strings.SplitSeq(e.line, "\n") {
			b.WriteString("\\fB" + roff(line) + "\\fR\n")
		}
		b.WriteString(".fi\n")
	}
}

func manSeeAlso(b *strings.Builder, self string) {
	b.WriteString(".SH SEE ALSO\n")
	pages := []string{"runtime"}
	for _, c := range listed() {
		pages = append(pages, "runtime-"+c.name)
	}
	pages = slices.DeleteFunc(pages, func(p string) bool { return p == self })
	for i, p := range pages {
		comma := ",\n"
		if i == len(pages)-1 {
			comma = "\n"
		}
		b.WriteString("\\fB" + roff(p) + "\\fR(8)" + comma)
	}
}

// roff escapes text: a backslash and a hyphen mean something else, and a full
// stop or an apostrophe at the beginning of a line makes it a request.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}
