package cli

import (
	"errors"

	"ociruntime/internal/diag"
)

func specCommand() command {
	return command{
		name:  "spec",
		usage: "write a config.json to start from",
		flags: []flag{
			{name: "bundle", alias: "b", kind: text, example: "DIR", usage: "directory to write it to (default: the working directory)"},
			{name: "rootless", kind: boolean, value: "false", usage: "for a user who is not root"},
		},
		run: func(c *call) error {
			return &diag.Error{Err: errors.New("not yet")}
		},
	}
}
