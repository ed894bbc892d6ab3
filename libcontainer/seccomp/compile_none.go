//go:build !cgo && !seccomp_helper

package seccomp

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
)

// Enabled reports whether this build can compile profiles.
func Enabled() bool { return false }

// Version is libseccomp's, "2.5.4", or "" without it.
func Version() string { return "" }

func engine() string { return "" }

func compile(*specs.LinuxSeccomp) (*Filter, []Warning, error) {
	return nil, nil, &diag.Error{Field: field, Err: ErrUnsupported, Code: "seccomp-unsupported"}
}
