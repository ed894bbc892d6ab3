package libcontainer

import (
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/cgroups"
	"ociruntime/spec"
)

// Template returns the configuration to start from on this host; rootless is
// for a user who is not root.
func Template(rootless bool) (*specs.Spec, error) {
	host, err := cgroups.Detect()
	if err != nil {
		return nil, err
	}
	host.Close()
	config := spec.Default(spec.DefaultOptions{CgroupNamespace: host.Mode == cgroups.V2})
	if rootless {
		spec.Rootless(config, uint32(os.Geteuid()), uint32(os.Getegid()))
	}
	return config, nil
}
