package spec

import "strings"

// systemdProperty is the prefix of annotations that set properties of the
// container's systemd unit.
const systemdProperty = "org.systemd.property."

// annotations checks config.md#annotations. With systemd cgroups the names of
// unit properties are bounded as well: whatever else an engine lets through
// from a pod must not become another message on the bus (CVE-2024-3154).
func (c *checker) annotations() {
	if _, ok := c.config.Annotations[""]; ok {
		c.problem(entry("annotations", ""), "the key must not be empty")
	}
	if !c.host.SystemdCgroup {
		return
	}
	for _, key := range sortedKeys(c.config.Annotations) {
		if name, ok := strings.CutPrefix(key, systemdProperty); ok && !isPropertyName(name) {
			c.problem(entry("annotations", key), "the name of a systemd unit property has at least 3 letters, and only letters")
		}
	}
}

func isPropertyName(name string) bool {
	for _, c := range []byte(name) {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return len(name) >= 3
}
