//go:build !cgo && !seccomp_helper

package seccomp

import (
	"errors"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
)

// TestUnsupported: a build without libseccomp refuses each profile.
//
//	CGO_ENABLED=0 go test ./libcontainer/seccomp -run TestUnsupported
func TestUnsupported(t *testing.T) {
	_, _, err := Load(t.TempDir(), &specs.LinuxSeccomp{DefaultAction: specs.ActAllow})
	if !errors.Is(err, ErrUnsupported) || diag.CodeOf(err) != "seccomp-unsupported" {
		t.Errorf("got %v, code %s", err, diag.CodeOf(err))
	}
}
