// Package doctor says what this host, and this caller on it, have to offer
// containers, and what of it will keep one from starting. It changes nothing.
//
// Each topic has a file, with the facts as a struct of plain values, a function
// that reads them from the host, and a method that words them. Only the last is
// worth reading for what is said.
package doctor

import (
	"slices"

	"ociruntime/libcontainer"
)

// Severity says how much a finding matters.
type Severity string

// The severities. Only an Error means that containers do not start.
const (
	OK      Severity = "ok"      // there, and used
	Note    Severity = "note"    // not there, and missed by few
	Warning Severity = "warning" // some configurations are refused, or get less than they ask for
	Error   Severity = "error"   // the caller's containers do not start
)

// Finding is one thing to say.
type Finding struct {
	Severity Severity
	Topic    string // kernel, cgroup ...
	Name     string // stable name of what is said, for scripts
	Text     string // what there is, and what it means for containers
	Hint     string // what to do; empty when there is nothing to do
}

// Examine looks at everything, topic by topic. The Runtime says which state
// root and which manager of cgroups are meant.
func Examine(r *libcontainer.Runtime) []Finding {
	who := readCaller()
	return slices.Concat(
		who.findings(),
		readKernel().findings(),
		readNamespaces(&who).findings(&who),
		readIDRanges(&who).findings(&who),
		readCgroups(r, &who).findings(&who),
		readSecurity().findings(),
		readState(r).findings(&who),
	)
}

// report collects the findings of one topic.
type report struct {
	topic string
	list  []Finding
}

func (r *report) ok(name, text string)   { r.add(OK, name, text, "") }
func (r *report) note(name, text string) { r.add(Note, name, text, "") }

func (r *report) warning(name, text, hint string) { r.add(Warning, name, text, hint) }
func (r *report) error(name, text, hint string)   { r.add(Error, name, text, hint) }

func (r *report) add(s Severity, name, text, hint string) {
	r.list = append(r.list, Finding{s, r.topic, name, text, hint})
}
