package cli

import "ociruntime/internal/diag"

// kind is how the value of a flag is written.
type kind int

const (
	boolean kind = iota // --x, --x=true, --x=false
	text                // --x VALUE, --x=VALUE
	list                // as text, and may be repeated
)

// flag is one option, of which both parsers are made: ours, for a command line
// that is as it should be, and urfave's, for help and for all that is wrong.
type flag struct {
	name    string
	alias   string // one letter, or ""
	kind    kind
	usage   string
	value   string // default
	hidden  bool
	example string // what stands for the value in help
}

// command is one verb.
type command struct {
	name        string
	usage       string // one line
	args        string // what follows the flags, for help
	description string
	flags       []flag
	min, max    int  // number of arguments; max < 0: any
	passthrough bool // flags end at the first argument: the rest belongs to a program
	hidden      bool
	run         func(*call) error
}

// call is one command line, taken apart.
type call struct {
	program string // argv[0]
	global  values
	command *command
	flags   values
	log     *diag.Logger
	args    []string
}

// values are the flags that were given, by name; absent ones have their default.
type values struct {
	table []flag
	given []given
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
	for i := range v.table {
		if v.table[i].name == name {
			return v.table[i].value
		}
	}
	panic("bug: no flag --" + name)
}

// bool reports whether a boolean flag is set.
func (v values) bool(name string) bool { return v.text(name) == "true" }

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
