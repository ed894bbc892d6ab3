package spec

import (
	"errors"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
)

// rootless checks what only root may do.
func (c *checker) rootless() {
	if Namespace(c.config, specs.UserNamespace) == nil {
		c.add(&diag.Error{Field: "linux.namespaces", Err: errors.New("needs a user namespace, as the runtime is not run by root"),
			Hint: "runtime spec --rootless makes a configuration that has one"})
	}
}
