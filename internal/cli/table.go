package cli

import (
	"strconv"
	"time"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer"
)

// kind is how the value of a flag is written.
type kind int

const (
	boolean  kind = iota // --x, --x=true, --x=false
	text                 // --x VALUE, --x=VALUE
	number               // as text: a decimal number, 0 or more
	duration             // as text: "5s", "1m30s"
	list                 // as text, and may be repeated
)

// flag is one option. The parser and the help text are both made of these.
type flag struct {
	name    string
	alias   string // one letter, or ""
	kind    kind
	usage   string
	value   string // default
	choices string // what a completion offers as the value, separated by spaces
	hidden  bool
}

// command is one verb. All are variables whose values the linker lays out, so
// that they cost a start nothing: no code fills them in.
type command struct {
	name        string
	usage       string // one line
	args        string // what follows the flags, for help
	description string // for help, if the usage does not say it all
	examples    []example
	flags       [][]flag // what it shares with others, and its own
	min, max    int      // number of arguments; max < 0: any
	passthrough bool     // flags end at the first argument: the rest belongs to a program
	failure     int      // exit code of a command that fails; 0 means 1
	run         func(*call, *libcontainer.Runtime) error
}

// example is a command line that a reader may try, for help.
type example struct{ line, does string }

// call is one command line, taken apart.
type call struct {
	program string // argv[0]
	global  values
	command *command // nil: none was named
	flags   values
	args    []string
	log     *diag.Logger
}

// values are the flags that were given, in order; absent ones have their default.
type values struct {
	tables [][]flag
	given  []given
	outer  *values // of the globals, for a guess at what was meant
}

type given struct {
	flag  *flag
	value string
}

// text returns the last value given for a flag, or its default.
func (v values) text(name string) string {
	for i := len(v.given) - 1; i >= 0; i-- {
		if v.given[i].flag.name == name {
			return v.given[i].value
		}
	}
	if f := v.lookup(name); f != nil {
		return f.value
	}
	panic("bug: no flag --" + name)
}

// bool reports whether a boolean flag is set.
func (v values) bool(name string) bool { return v.text(name) == "true" }

// int returns the value of a number, which the parser has checked.
func (v values) int(name string) int {
	n, _ := strconv.Atoi(v.text(name))
	return n
}

// duration returns the value of a duration, which the parser has checked.
func (v values) duration(name string) time.Duration {
	d, _ := time.ParseDuration(v.text(name))
	return d
}

// set reports whether a flag was given at all.
func (v values) set(name string) bool {
	for _, g := range v.given {
		if g.flag.name == name {
			return true
		}
	}
	return false
}

// list returns all values of a flag, in order.
func (v values) list(name string) []string {
	var all []string
	for _, g := range v.given {
		if g.flag.name == name {
			all = append(all, g.value)
		}
	}
	return all
}
