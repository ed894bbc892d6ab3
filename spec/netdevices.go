package spec

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// maxInterfaceName is the kernel's IFNAMSIZ without the NUL byte.
const maxInterfaceName = 15

// netDevices checks config-linux.md#network-devices.
func (c *checker) netDevices(devices map[string]specs.LinuxNetDevice) {
	const field = "linux.netDevices"
	if len(devices) == 0 {
		return
	}
	if !c.owns(specs.NetworkNamespace) {
		c.problem(field, "needs a network namespace other than the runtime's in linux.namespaces")
	}
	if c.host.Rootless {
		c.problem(field, "cannot be moved out of the runtime's network namespace without being root there")
	}
	owner := map[string]string{} // by name in the container
	for _, name := range sortedKeys(devices) {
		if !isInterfaceName(name) {
			c.problem(entry(field, name), "is not the name of a network interface")
		}
		target := devices[name].Name
		switch {
		case target == "":
			target = name
		case strings.Contains(target, "%"):
			if !isInterfaceTemplate(target) {
				c.value(entry(field, name)+".name", target, `may hold "%d" once and no other "%"`)
			}
			continue // the kernel picks a free one
		case !isInterfaceName(target):
			c.value(entry(field, name)+".name", target, "is not the name of a network interface")
		}
		if first, taken := owner[target]; taken {
			c.problem(entry(field, name), "gets the same name in the container as "+entry(field, first))
		}
		owner[target] = name
	}
}

// isInterfaceName follows the kernel's dev_valid_name. "%" is valid there, but
// means a template to those who name interfaces.
func isInterfaceName(name string) bool {
	return name != "" && len(name) <= maxInterfaceName && name != "." && name != ".." && !strings.ContainsAny(name, "/:% \t\n\v\f\r")
}

// isInterfaceTemplate says whether the kernel can put a number for the "%d".
func isInterfaceTemplate(name string) bool {
	plain := strings.Replace(name, "%d", "0", 1)
	return plain != name && isInterfaceName(plain) && len(name) <= maxInterfaceName
}
