package cli

import (
	"ociruntime/libcontainer"
	"ociruntime/spec"
)

var featuresVerb = command{
	name:  "features",
	usage: "print what this runtime can do, as JSON",
	examples: []example{
		{"runtime features | jq .mountOptions", "list the mount options that have a meaning"},
	},
	run: func(*call, *libcontainer.Runtime) error {
		f := libcontainer.Features(map[string]string{
			"ociruntime.version":                         release,
			"ociruntime.commit":                          commit,
			"org.opencontainers.runc.checkpoint.enabled": "true",
		})
		return write(append(spec.FormatFeatures(f), '\n'))
	},
}
