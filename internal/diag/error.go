// Package diag words what went wrong: the error type every other package
// returns, the log that engines parse, and nothing of the runtime's own work.
package diag

import "strings"

// Error is one line to the user, in this order:
//
//	field: op "path": cause (hint)
//
// Every part but Err may be empty. Wrap one Error in another only to add what
// the inner one could not know; empty parts of the outer one print nothing.
type Error struct {
	Field string // path inside config.json, e.g. "mounts[3].options[1]"
	Op    string // what was being done: a system call or a verb, e.g. "fsopen"
	Path  string // the object it was done to: a file, a unit, a value
	Err   error  // the cause, worded as the kernel or Go words it
	Hint  string // an observed fact that explains the cause, or what to do
	Code  Code   // stable name for scripts; empty means "take the cause's"
	Stage Stage  // when it happened; empty means "take the cause's"
}

// Stage is how far a container had come, for scripts.
type Stage string

// The stages, in the order in which a container passes them. The first two
// come before anything has been made.
const (
	StageConfig    Stage = "config"    // config.json is read, and decided upon
	StageState     Stage = "state"     // the id is taken
	StageCgroup    Stage = "cgroup"    // the cgroup is made and entered
	StageNamespace Stage = "namespace" // the process is cloned, ids and devices reach it
	StageRootfs    Stage = "rootfs"    // mounts, devices, the new root
	StageHooks     Stage = "hooks"
	StageProcess   Stage = "process" // the process becomes what process asks for
	StageStart     Stage = "start"   // the program is executed
)

// Code is a stable, greppable name for a class of failure ("mount-source-missing").
type Code string

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Field)
	if e.Op != "" || e.Path != "" {
		separate(&b)
		b.WriteString(e.Op)
		if e.Path != "" {
			if e.Op != "" {
				b.WriteByte(' ')
			}
			b.WriteByte('"')
			b.WriteString(e.Path)
			b.WriteByte('"')
		}
	}
	if e.Err != nil {
		separate(&b)
		b.WriteString(e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Unwrap gives errors.Is and errors.As the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the outermost Code set in err's chain or, if there is none, one
// that its field, operation and errno tell. No error is without.
func CodeOf(err error) Code { return Code(factsOf(err).code) }

func separate(b *strings.Builder) {
	if b.Len() > 0 {
		b.WriteString(": ")
	}
}
