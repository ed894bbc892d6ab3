package cli

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// testVerbs: one that takes everything, one that passes the rest of its line to
// a program, and one that takes nothing.
var (
	testFlags = [][]flag{{
		{name: "file", alias: "f", kind: text, value: "none"},
		{name: "all", alias: "a", kind: boolean},
	}, {
		{name: "count", kind: number, value: "0"},
		{name: "wait", kind: duration, value: "1s"},
		{name: "env", alias: "e", kind: list},
	}}
	testVerbs = []*command{
		{name: "verb", flags: testFlags, min: 1, max: 2},
		{name: "pass", flags: testFlags, min: 1, max: -1, passthrough: true},
		{name: "none"},
	}
	testGlobals = [][]flag{{
		{name: "root", kind: text, value: "/r"},
		{name: "debug", kind: boolean},
		{name: "version", alias: "v", kind: boolean},
	}}
)

// show writes a parsed call down: verb, flags in order, "|", arguments.
func show(c *call) string {
	var b strings.Builder
	flags := func(v values) {
		for _, g := range v.given {
			b.WriteString(" " + g.flag.name + "=" + g.value)
		}
	}
	flags(c.global)
	b.WriteString(" " + c.name())
	flags(c.flags)
	b.WriteString(" | " + strings.Join(c.args, " "))
	return strings.TrimSpace(b.String())
}

func TestParse(t *testing.T) {
	cases := []struct{ line, want string }{
		{"verb x", "verb | x"},
		{"verb --file y x", "verb file=y | x"},
		{"verb x --file y", "verb file=y | x"},
		{"verb x -f y z -a", "verb file=y all=true | x z"},
		{"verb -file=y x", "verb file=y | x"},
		{"verb --file= x", "verb file= | x"},
		{"verb --file=a=b x", "verb file=a=b | x"},
		{"verb --file --all x", "verb file=--all | x"},
		{"verb x -9", "verb | x -9"},
		{"verb x -", "verb | x -"},
		{"verb --all=false x", "verb all=false | x"},
		{"verb --all=T x", "verb all=true | x"},
		{"verb -e A=1 x -e B=2", "verb env=A=1 env=B=2 | x"},
		{"verb --count 3 --wait 2m x", "verb count=3 wait=2m | x"},
		{"verb -- --all -x", "verb | --all -x"},
		{"verb x -- -a", "verb | x -a"},
		{"verb x --help --all", "verb help=true all=true | x"},
		{"verb -h", "verb help=true |"},
		{"--root /a --debug verb x", "root=/a debug=true verb | x"},
		{"-root=/a verb x", "root=/a verb | x"},
		{"pass x ls -l --all", "pass | x ls -l --all"},
		{"pass -a x ls", "pass all=true | x ls"},
		{"pass -- x ls", "pass | x ls"},
		{"pass x -- ls", "pass | x -- ls"},
		{"none", "none |"},
		{"", "|"},
		{"-h", "help=true  |"},
		{"-v verb x", "version=true verb | x"},
	}
	for _, c := range cases {
		t.Run(c.line, func(t *testing.T) {
			got, err := parse(append([]string{"runtime"}, strings.Fields(c.line)...), testGlobals, testVerbs)
			if err != nil || show(got) != strings.TrimSpace(c.want) {
				t.Errorf("got  %s, %v\nwant %s", show(got), err, c.want)
			}
		})
	}
}

func TestParseMistakes(t *testing.T) {
	cases := []struct {
		line, message, usage string
		code                 int
	}{
		{"foo", "No help topic for 'foo' (runtime help lists all commands)", "", 3},
		{"vreb x", `No help topic for 'vreb' (did you mean "verb"?)`, "", 3},
		{"verb --flie x", `flag provided but not defined: -flie (did you mean "--file"?)`, "Incorrect Usage: flag provided but not defined: -flie", 1},
		{"verb --root /x", `flag provided but not defined: -root (it stands before the command)`, "Incorrect Usage: flag provided but not defined: -root", 1},
		{"foo -h", "No help topic for 'foo' (runtime help lists all commands)", "", 3},
		{"--nosuch verb x", "flag provided but not defined: -nosuch", "Incorrect Usage: flag provided but not defined: -nosuch", 1},
		{"verb x --nosuch=1", "flag provided but not defined: -nosuch", "Incorrect Usage: flag provided but not defined: -nosuch", 1},
		{"verb ---all x", `flag provided but not defined: --all (did you mean "--all"?)`, "Incorrect Usage: flag provided but not defined: --all", 1},
		{"verb --=x x", "flag provided but not defined: -", "Incorrect Usage: flag provided but not defined: -", 1},
		{"verb x -v", "flag provided but not defined: -v (it stands before the command)", "Incorrect Usage: flag provided but not defined: -v", 1},
		{"verb x --file", "flag needs an argument: -file", "Incorrect Usage: flag needs an argument: -file", 1},
		{"verb --all=maybe x", `invalid value "maybe" for flag -all: parse error`, `Incorrect Usage: invalid value "maybe" for flag -all: parse error`, 1},
		{"verb --count -1 x", `invalid value "-1" for flag -count: parse error`, `Incorrect Usage: invalid value "-1" for flag -count: parse error`, 1},
		{"verb --wait 5 x", `invalid value "5" for flag -wait: parse error`, `Incorrect Usage: invalid value "5" for flag -wait: parse error`, 1},
		{"verb", `runtime: "verb" requires a minimum of 1 argument(s)`, "Incorrect Usage.", 1},
		{"verb a b c", `runtime: "verb" requires a maximum of 2 argument(s)`, "Incorrect Usage.", 1},
		{"none a", `runtime: "none" requires exactly 0 argument(s)`, "Incorrect Usage.", 1},
		{"pass", `runtime: "pass" requires a minimum of 1 argument(s)`, "Incorrect Usage.", 1},
	}
	for _, c := range cases {
		t.Run(c.line, func(t *testing.T) {
			_, err := parse(append([]string{"runtime"}, strings.Fields(c.line)...), testGlobals, testVerbs)
			var m *mistake
			if !errors.As(err, &m) {
				t.Fatalf("no mistake but %v", err)
			}
			if m.Error() != c.message || m.usage != c.usage || m.code != c.code {
				t.Errorf("got  %s / %s / %d\nwant %s / %s / %d", m, m.usage, m.code, c.message, c.usage, c.code)
			}
		})
	}
}

func TestValues(t *testing.T) {
	c, err := parse([]string{"runtime", "verb", "-e", "A", "--file=1", "x", "--file=2", "-e", "B", "--wait=3s"}, testGlobals, testVerbs)
	if err != nil {
		t.Fatal(err)
	}
	v := c.flags
	if v.text("file") != "2" || v.bool("all") || v.int("count") != 0 || v.duration("wait").Seconds() != 3 ||
		!slices.Equal(v.list("env"), []string{"A", "B"}) || !v.set("file") || v.set("all") {
		t.Errorf("%+v", v.given)
	}
	if c.global.text("root") != "/r" || c.global.set("root") {
		t.Errorf("globals: %+v", c.global.given)
	}
}

// FuzzParse: every command line is taken apart without loss, or refused. The
// words that flags, their values and arguments are made of are those that came
// in, and what looks like a flag is none of the arguments unless "--" or a
// program's name stands before it.
func FuzzParse(f *testing.F) {
	for _, line := range []string{"verb x --file y -a", "--root=/ pass -e A=1 x ls -l", "verb -- -x", "verb --count=", "verb x -9 -", "= -- ---", "h -h"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		argv := append([]string{"runtime"}, strings.Split(line, " ")...)
		c, err := parse(argv, testGlobals, testVerbs)
		if c == nil {
			t.Fatal("no call")
		}
		if err != nil {
			if m := (*mistake)(nil); !errors.As(err, &m) || m.code == 0 {
				t.Fatalf("%v is no mistake", err)
			}
			return
		}
		for _, g := range slices.Concat(c.global.given, c.flags.given) {
			if _, ok := g.flag.kind.check(g.value); !ok {
				t.Errorf("--%s has the value %q", g.flag.name, g.value)
			}
		}
		if c.command == nil {
			return
		}
		if n := len(c.args); !c.flags.bool("help") && (n < c.command.min || c.command.max >= 0 && n > c.command.max) {
			t.Errorf("%d arguments", n)
		}
		if slices.Contains(argv, "--") || c.command.passthrough {
			return
		}
		for _, a := range c.args {
			if _, err := strconv.Atoi(a); len(a) > 1 && a[0] == '-' && err != nil || !slices.Contains(argv, a) {
				t.Errorf("argument %q", a)
			}
		}
	})
}

// FuzzVerbs: no line makes the tables of the real verbs panic.
func FuzzVerbs(f *testing.F) {
	for _, c := range verbs {
		f.Add(c.name + " x -h")
	}
	f.Add("--log-format json kill x -9 --all")
	f.Fuzz(func(_ *testing.T, line string) {
		_, _ = parse(append([]string{"runtime"}, strings.Split(line, " ")...), globals, verbs)
	})
}
