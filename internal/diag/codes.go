package diag

import "slices"

// Entry is what `runtime explain` and docs/errors.md say about a Code.
//
// The entries are the one list of codes that there is. A code may get a better
// text, but it keeps its name and its meaning: scripts decide by it. All texts
// are constants that the linker lays out, so that a start does not pay for them.
type Entry struct {
	Code    Code
	Summary string // what has happened, in one line
	Cause   string // how it comes about, in sentences
	Remedy  string // what to do
}

// Entries returns all codes, by topic.
func Entries() []Entry {
	return slices.Concat(commandCodes[:], stateCodes[:], configCodes[:], rootCodes[:], mountCodes[:], namespaceCodes[:],
		processCodes[:], securityCodes[:], hookCodes[:], cgroupCodes[:], criuCodes[:],
		hostCodes[:])
}

// EntryOf returns the entry of a code, or nil if there is no such code.
func EntryOf(code Code) *Entry {
	for _, e := range Entries() {
		if e.Code == code {
			return &e
		}
	}
	return nil
}
