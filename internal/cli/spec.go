package cli

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer"
	"ociruntime/spec"
)

var specVerb = command{
	name:  "spec",
	usage: "write a config.json to start from",
	examples: []example{
		{"runtime spec --bundle /srv/box", "write /srv/box/config.json; the image's files belong in /srv/box/rootfs"},
		{"runtime spec --rootless", "for a container without root's rights"},
	},
	flags: [][]flag{{
		{name: "bundle", alias: "b", kind: text, usage: "write it to `DIR` (default: the working directory)"},
		{name: "rootless", kind: boolean, usage: "for a user who is not root"},
	}},
	run: func(c *call, _ *libcontainer.Runtime) error {
		return writeSpec(c.flags.text("bundle"), c.flags.bool("rootless"))
	},
}

// writeSpec writes config.json, and never over one that is there.
func writeSpec(bundle string, rootless bool) error {
	config, err := libcontainer.Template(rootless)
	if err != nil {
		return err
	}
	path := filepath.Join(bundle, spec.ConfigFile)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if errors.Is(err, unix.EEXIST) {
		//lint:ignore ST1005 runc's words
		return &diag.Error{Err: errors.New("File " + spec.ConfigFile + " exists. Remove it first"), Code: "config-exists"}
	}
	if err == nil {
		_, err = file.Write(spec.FormatSpec(config))
		if closeErr := file.Close(); err == nil {
			err = closeErr
		}
	}
	if err != nil {
		return &diag.Error{Op: "write", Path: path, Err: errors.Unwrap(err)}
	}
	return nil
}
