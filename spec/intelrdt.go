package spec

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// intelRdt checks config-linux.md#intelrdt. closID becomes the name of a
// directory in resctrl.
func (c *checker) intelRdt(r *specs.LinuxIntelRdt) {
	const field = "linux.intelRdt"
	if r == nil {
		return
	}
	// "/" is the class that resctrl itself is, the default.
	if id := r.ClosID; id != "/" && (id == "." || id == ".." || strings.ContainsAny(id, "/\n")) {
		c.value(field+".closID", id, "must be the name of a directory")
	}
	for i, line := range r.Schemata {
		if strings.Contains(line, "\n") {
			c.value(at(field+".schemata", i), line, "must be a single line")
		}
	}
	if s := r.MemBwSchema; s != "" {
		switch {
		case strings.Contains(s, "\n"):
			c.value(field+".memBwSchema", s, "must be a single line")
		case !strings.HasPrefix(s, "MB:"):
			c.value(field+".memBwSchema", s, `must begin with "MB:"`)
		}
	}
}
