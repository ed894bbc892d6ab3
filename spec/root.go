package spec

import "github.com/opencontainers/runtime-spec/specs-go"

// root checks config.md#root, and that nothing needs a mount namespace that is
// not there: mounting without one would change the host.
func (c *checker) root() {
	root := c.config.Root
	switch {
	case root == nil:
		c.problem("root", "is missing")
		return
	case root.Path == "":
		c.problem("root.path", "is missing")
	}
	if root.Readonly {
		c.needsNamespace("root.readonly", specs.MountNamespace)
	}
}

// propagations are those of the specification, and the recursive ones that
// engines have always been using.
const propagations = "shared slave private unbindable rshared rslave rprivate runbindable"

// paths checks rootfsPropagation, maskedPaths and readonlyPaths.
func (c *checker) paths(l *specs.Linux) {
	if p := l.RootfsPropagation; p != "" {
		if !oneOf(p, propagations) {
			c.unknown("linux.rootfsPropagation", "mount propagation", p, propagations)
		}
		c.needsNamespace("linux.rootfsPropagation", specs.MountNamespace)
	}
	c.pathList("linux.maskedPaths", l.MaskedPaths)
	c.pathList("linux.readonlyPaths", l.ReadonlyPaths)
}

func (c *checker) pathList(field string, list []string) {
	for i, path := range list {
		if !isAbsolute(path) {
			c.value(at(field, i), path, "must be an absolute path")
		}
	}
	if len(list) > 0 {
		c.needsNamespace(field, specs.MountNamespace)
	}
}
