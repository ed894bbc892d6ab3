package cli

import (
	"errors"
	"strconv"
	"strings"
)

// errUsage is a command line for urfave: a request for help, or a mistake,
// which it words and answers with the usage.
var errUsage = errors.New("usage")

// parse takes a command line apart. Flags may have one dash or two, and stand
// after arguments, except for commands that pass them on to a program.
func parse(argv []string, globals []flag, find func(string) *command) (*call, error) {
	c := &call{program: argv[0], global: values{table: globals}}
	rest, err := c.global.take(argv[1:], nil, true)
	if err != nil {
		return nil, err
	}
	if len(rest) == 0 {
		return nil, errUsage
	}
	if c.command = find(rest[0]); c.command == nil {
		return nil, errUsage
	}
	c.flags.table = c.command.flags
	c.args, err = c.flags.take(rest[1:], nil, c.command.passthrough)
	if err != nil {
		return nil, err
	}
	if len(c.args) < c.command.min || c.command.max >= 0 && len(c.args) > c.command.max {
		return nil, errUsage
	}
	return c, nil
}

// take reads flags from the front of argv, appends what is no flag to args, and
// returns all arguments. With stop, the first argument ends the flags.
func (v *values) take(argv, args []string, stop bool) ([]string, error) {
	for len(argv) > 0 {
		word := argv[0]
		switch {
		case word == "--":
			return append(args, argv[1:]...), nil
		case !isFlag(word):
			if stop {
				return append(args, argv...), nil
			}
			args = append(args, word)
			argv = argv[1:]
			continue
		}
		n, err := v.flag(argv)
		if err != nil {
			return nil, err
		}
		argv = argv[n:]
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
	switch {
	case f == nil:
		return 0, errUsage
	case f.kind == boolean && !hasValue:
		v.given = append(v.given, given{f, "true"})
		return 1, nil
	case f.kind == boolean:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return 0, errUsage
		}
		v.given = append(v.given, given{f, strconv.FormatBool(b)})
		return 1, nil
	case hasValue:
		v.given = append(v.given, given{f, value})
		return 1, nil
	case len(argv) < 2:
		return 0, errUsage
	}
	v.given = append(v.given, given{f, argv[1]})
	return 2, nil
}

func (v *values) lookup(name string) *flag {
	for i := range v.table {
		if f := &v.table[i]; name != "" && (f.name == name || f.alias == name) {
			return f
		}
	}
	return nil
}
