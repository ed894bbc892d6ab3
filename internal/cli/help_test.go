package cli

import (
	"bytes"
	stdflag "flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

var update = stdflag.Bool("update", false, "write help.txt anew")

// TestHelpText renders the help with urfave/cli and compares it with the text
// that is built in.
func TestHelpText(t *testing.T) {
	want := renderHelp(t, "")
	for _, c := range listed() {
		want += renderHelp(t, c.name)
	}
	if *update {
		if err := os.WriteFile("help.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if helpText != want {
		t.Errorf("help.txt is not what the tables say; after a look at the difference:\n\tgo test ./internal/cli -run TestHelpText -update\nwant:\n%s", want)
	}
}

// TestHelp: each part of the text is found, and is one part.
func TestHelp(t *testing.T) {
	for _, c := range append(verbs, &command{}) {
		text := help(c.name)
		if strings.Count(text, helpTitle) != 1 || !strings.HasSuffix(text, "\n") {
			t.Errorf("help of %q:\n%s", c.name, text)
		}
	}
}

// TestTables: names are there once, defaults are of their kind.
func TestTables(t *testing.T) {
	checkFlags(t, "runtime", globals)
	names := map[string]bool{}
	for _, c := range verbs {
		if names[c.name] || c.max >= 0 && c.max < c.min {
			t.Errorf("command %s: %+v", c.name, c)
		}
		if helps := c.run == nil; !helps && c.usage == "" {
			t.Errorf("command %s has no usage", c.name)
		} else if !helps && len(c.examples) == 0 {
			t.Errorf("command %s has no example", c.name)
		}
		names[c.name] = true
		checkFlags(t, c.name, c.flags)
	}
}

func checkFlags(t *testing.T, command string, tables [][]flag) {
	t.Helper()
	names := map[string]bool{helpFlag.name: true, helpFlag.alias: true}
	for _, f := range slices.Concat(tables...) {
		if f.usage == "" || names[f.name] || f.alias != "" && names[f.alias] {
			t.Errorf("%s --%s: no usage, or a name that is taken", command, f.name)
		}
		if _, ok := f.kind.check(f.value); !ok && f.kind != boolean {
			t.Errorf("%s --%s: the default is %q", command, f.name, f.value)
		}
		names[f.name] = true
		if f.alias != "" {
			names[f.alias] = true
		}
	}
}

// listed are the verbs that cli does not bring along itself.
func listed() []*command {
	return slices.DeleteFunc(slices.Clone(verbs), func(c *command) bool { return c.run == nil })
}

func renderHelp(t *testing.T, name string) string {
	t.Helper()
	var out bytes.Buffer
	app := cli.NewApp()
	app.Name = "runtime"
	app.Usage = "Open Container Initiative runtime"
	app.Version = "x" // for --version to be listed
	app.Writer = &out
	app.Flags = helpFlags(globals)
	cli.AppHelpTemplate = strings.Replace(cli.AppHelpTemplate, "{{if .Version}}", "{{if false}}", 1)
	for _, c := range listed() {
		app.Commands = append(app.Commands, &cli.Command{
			Name: c.name, Usage: c.usage, ArgsUsage: c.args, Description: c.description, Flags: helpFlags(c.flags),
		})
	}
	args := []string{"runtime", "--help"}
	if name != "" {
		args = []string{"runtime", name, "--help"}
	}
	if err := app.Run(args); err != nil {
		t.Fatal(err)
	}
	out.WriteString(examplesText(findCommand(name)))
	return out.String()
}

func findCommand(name string) *command {
	if c := find(verbs, name); c != nil {
		return c
	}
	return &command{examples: examples}
}

// examplesText is what cli has no section for.
func examplesText(c *command) string {
	if len(c.examples) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\nEXAMPLES:\n")
	for _, e := range c.examples {
		b.WriteString("   # " + e.does + "\n   " + strings.ReplaceAll(e.line, "\n", "\n   ") + "\n")
	}
	return b.String()
}

// helpFlags describes a table to urfave/cli.
func helpFlags(tables [][]flag) []cli.Flag {
	var all []cli.Flag
	for _, f := range slices.Concat(tables...) {
		if f.name == "version" {
			continue // cli has its own, and lists it last
		}
		var alias []string
		if f.alias != "" {
			alias = []string{f.alias}
		}
		switch f.kind {
		case boolean:
			all = append(all, &cli.BoolFlag{Name: f.name, Aliases: alias, Usage: f.usage, Hidden: f.hidden, DisableDefaultText: true})
		case duration:
			d, _ := time.ParseDuration(f.value)
			all = append(all, &cli.DurationFlag{Name: f.name, Aliases: alias, Usage: f.usage, Value: d, Hidden: f.hidden, DefaultText: f.value})
		case number:
			all = append(all, &cli.IntFlag{Name: f.name, Aliases: alias, Usage: f.usage, Hidden: f.hidden})
		default:
			usage := f.usage
			if f.kind == list {
				usage += " (may be repeated)" // cli.StringSliceFlag says so by naming the flag four times
			}
			all = append(all, &cli.StringFlag{Name: f.name, Aliases: alias, Usage: usage, Value: f.value, Hidden: f.hidden, DefaultText: f.value})
		}
	}
	return all
}
