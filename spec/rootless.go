package spec

import "github.com/opencontainers/runtime-spec/specs-go"

// rootless checks what only root may do.
func (c *checker) rootless() {
	if Namespace(c.config, specs.UserNamespace) == nil {
		c.problem("linux.namespaces", "needs a user namespace, as the runtime is not run by root")
	}
}
