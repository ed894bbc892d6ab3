package spec

import "github.com/opencontainers/runtime-spec/specs-go"

// hooks checks config.md#posix-platform-hooks, all six kinds of them, also
// those that would only run later.
func (c *checker) hooks() {
	h := c.config.Hooks
	if h == nil {
		return
	}
	c.hookList("hooks.prestart", h.Prestart) // deprecated, not gone: dockerd uses it
	c.hookList("hooks.createRuntime", h.CreateRuntime)
	c.hookList("hooks.createContainer", h.CreateContainer)
	c.hookList("hooks.startContainer", h.StartContainer)
	c.hookList("hooks.poststart", h.Poststart)
	c.hookList("hooks.poststop", h.Poststop)
}

func (c *checker) hookList(field string, list []specs.Hook) {
	for i, h := range list {
		if !isAbsolute(h.Path) {
			c.value(at(field, i)+".path", h.Path, "must be an absolute path")
		}
		if h.Timeout != nil && *h.Timeout <= 0 {
			c.number(at(field, i)+".timeout", int64(*h.Timeout), "must be at least 1 second")
		}
		if len(h.Env) > 0 {
			c.environment(at(field, i)+".env", h.Env)
		}
	}
}
