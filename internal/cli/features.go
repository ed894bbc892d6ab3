package cli

import (
	"ociruntime/libcontainer"
	"ociruntime/spec"
)

func featuresCommand() command {
	return command{
		name:  "features",
		usage: "print what this runtime can do, as JSON",
		run: func(*call) error {
			f := libcontainer.Features(map[string]string{
				"ociruntime.version": release,
				"ociruntime.commit":  commit,
			})
			return write(append(spec.FormatFeatures(f), '\n'))
		},
	}
}
