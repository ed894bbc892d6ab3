package spec

import (
	"errors"
	"strings"

	"ociruntime/internal/diag"
)

// cgroupsPath checks config-linux.md#cgroups-path, which lets a runtime say
// what is invalid. A path that climbs could only be a mistake or an attack.
func (c *checker) cgroupsPath(path string) {
	const field = "linux.cgroupsPath"
	if path == "" {
		return
	}
	if c.host.SystemdCgroup {
		if strings.Count(path, ":") != 2 || strings.HasSuffix(path, ":") {
			// The words are runc's.
			c.add(&diag.Error{Field: field, Code: "cgroup-path-invalid",
				Err: errors.New(`expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "` + path + `" instead`)})
		}
		return
	}
	for element := range strings.SplitSeq(path, "/") {
		if element == ".." {
			c.value(field, path, `must not hold ".."`)
			return
		}
	}
}
