package spec

import (
	"strings"

	"ociruntime/internal/diag"
)

// Stable names for what can be wrong with a configuration, beside those of
// internal/json.
const (
	CodeNotFound   diag.Code = "config-not-found"  // no config.json in the bundle
	CodeUnreadable diag.Code = "config-unreadable" // a file that cannot be read, or is too large
	CodeInvalid    diag.Code = "config-invalid"    // a value that the runtime-spec or the kernel forbids
	CodeUnknown    diag.Code = "config-unknown"    // a property that nothing reads
	CodeWarning    diag.Code = "config-warning"    // allowed, but without the expected effect
)

// Problems is everything that is wrong, in the order of the runtime-spec. It
// is an error only when it is not empty.
type Problems []*diag.Error

// Error lists all problems on one line.
func (p Problems) Error() string {
	var b strings.Builder
	for i, problem := range p {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(problem.Error())
	}
	return b.String()
}

// Unwrap gives errors.Is and errors.As every problem.
func (p Problems) Unwrap() []error {
	list := make([]error, len(p))
	for i, problem := range p {
		list[i] = problem
	}
	return list
}

// asError returns p, or nil if there is no problem.
func (p Problems) asError() error {
	if len(p) == 0 {
		return nil
	}
	return p
}
