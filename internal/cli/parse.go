package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ociruntime/internal/diag"
	"ociruntime/internal/json"
)

// mistake is a command line that cannot be carried out. The user sees it on
// stdout with the help text of the command, and as an error like any other.
type mistake struct {
	err   error
	usage string // what stands above the help text; empty: no help text
	code  int    // exit code
}

func (m *mistake) Error() string { return m.err.Error() }

func (m *mistake) Unwrap() error { return m.err }

// incorrect is the mistake of a flag that is none, or has a wrong value.
func incorrect(format string, args ...any) *mistake {
	err := fmt.Errorf(format, args...)
	return &mistake{err: &diag.Error{Err: err, Code: "usage"}, usage: "Incorrect Usage: " + err.Error(), code: 1}
}

// unknownCommand is the mistake that runc has an exit code for.
func unknownCommand(verbs []*command, name string) *mistake {
	err := &diag.Error{Err: errors.New("No help topic for '" + name + "'"), Code: "usage"}
	err.Hint = meant(json.Nearest(name, verbNames(verbs)), "runtime help lists all commands")
	return &mistake{err: err, code: 3}
}

// verbNames lists the commands for a guess at what was meant.
func verbNames(verbs []*command) string {
	var names strings.Builder
	for _, c := range verbs {
		names.WriteString(c.name + " ")
	}
	return names.String()
}

// unknownFlag is the mistake of a flag that the command does not have.
func (v *values) unknownFlag(name string) *mistake {
	m := incorrect("flag provided but not defined: -%s", name)
	var known strings.Builder
	for _, table := range v.tables {
		for i := range table {
			known.WriteString(table[i].name + " ")
		}
	}
	near := json.Nearest(name, known.String())
	switch {
	case v.outer != nil && v.outer.lookup(name) != nil:
		m.err = &diag.Error{Err: m.err, Hint: "it stands before the command"}
	case near != "":
		m.err = &diag.Error{Err: m.err, Hint: meant("--"+near, "")}
	}
	return m
}

// helpFlag is in front of the flags of every command, and of the globals.
var helpFlag = flag{name: "help", alias: "h", kind: boolean, usage: "show help"}

// parse takes a command line apart. Flags may have one dash or two, and stand
// after arguments, except for commands that pass them on to a program. With a
// mistake, the call says how far it got.
func parse(argv []string, globals [][]flag, verbs []*command) (*call, error) {
	c := &call{program: argv[0], global: values{tables: globals}}
	rest, err := c.global.take(argv[1:], true)
	if err != nil || len(rest) == 0 {
		return c, err
	}
	if c.command = find(verbs, rest[0]); c.command == nil {
		return c, unknownCommand(verbs, rest[0])
	}
	c.flags = values{tables: c.command.flags, outer: &c.global}
	c.args, err = c.flags.take(rest[1:], c.command.passthrough)
	if err == nil && !c.flags.bool("help") {
		err = c.checkCount()
	}
	return c, err
}

// find returns the command of this name, or nil.
func find(verbs []*command, name string) *command {
	for _, c := range verbs {
		if c.name == name {
			return c
		}
	}
	return nil
}

// checkCount checks the number of arguments.
func (c *call) checkCount() error {
	what, number := "", c.command.min
	switch n := len(c.args); {
	case c.command.min == c.command.max && n != c.command.min:
		what = "exactly"
	case n < c.command.min:
		what = "a minimum of"
	case c.command.max >= 0 && n > c.command.max:
		what, number = "a maximum of", c.command.max
	default:
		return nil
	}
	err := fmt.Errorf("%s: %q requires %s %d argument(s)", c.program, c.command.name, what, number)
	return &mistake{err: &diag.Error{Err: err, Code: "usage"}, usage: "Incorrect Usage.", code: 1}
}

// take reads the flags in argv and returns the arguments. With stop, the first
// argument ends the flags.
func (v *values) take(argv []string, stop bool) (args []string, err error) {
	for len(argv) > 0 {
		word := argv[0]
		switch {
		case word == "--":
			return append(args, argv[1:]...), nil
		case isFlag(word):
			n, err := v.flag(argv)
			if err != nil {
				return nil, err
			}
			argv = argv[n:]
		case stop:
			return argv, nil
		default:
			args = append(args, word)
			argv = argv[1:]
		}
	}
	return args, nil
}

// isFlag tells "-x" and "--x" from arguments, of which "-" and a negative
// number are ones too: `kill ID -9`.
func isFlag(word string) bool {
	if len(word) < 2 || word[0] != '-' {
		return false
	}
	_, err := strconv.Atoi(word)
	return err != nil
}

// flag reads the flag at the front of argv and returns how many words it took.
func (v *values) flag(argv []string) (int, error) {
	name, value, hasValue := strings.Cut(strings.TrimPrefix(argv[0][1:], "-"), "=")
	f := v.lookup(name)
	words := 1
	switch {
	case f == nil:
		return 0, v.unknownFlag(name)
	case f.kind == boolean && !hasValue:
		value = "true"
	case !hasValue && len(argv) < 2:
		return 0, incorrect("flag needs an argument: -%s", name)
	case !hasValue:
		value, words = argv[1], 2
	}
	value, ok := f.kind.check(value)
	if !ok {
		return 0, incorrect("invalid value %q for flag -%s: parse error", value, name)
	}
	v.given = append(v.given, given{f, value})
	return words, nil
}

// check reports whether value is one of this kind, and returns it in the form
// that values' methods expect.
func (k kind) check(value string) (string, bool) {
	switch k {
	case boolean:
		b, err := strconv.ParseBool(value)
		if err == nil {
			value = strconv.FormatBool(b)
		}
		return value, err == nil
	case number:
		n, err := strconv.Atoi(value)
		return value, err == nil && n >= 0
	case duration:
		_, err := time.ParseDuration(value)
		return value, err == nil
	}
	return value, true
}

func (v *values) lookup(name string) *flag {
	if name == helpFlag.name || name == helpFlag.alias {
		return &helpFlag
	}
	for _, table := range v.tables {
		for i := range table {
			if f := &table[i]; name != "" && (f.name == name || f.alias == name) {
				return f
			}
		}
	}
	return nil
}
