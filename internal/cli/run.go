package cli

import (
	"fmt"

	"ociruntime/libcontainer"
)

var runVerb = command{
	name:  "run",
	usage: "create and start a container, and wait for it",
	args:  "CONTAINER",
	examples: []example{
		{"runtime run --bundle /srv/box box", "run a container in the foreground, and delete it when it ends"},
		{"runtime run --bundle /srv/box --detach box", "let it run on its own; runtime delete removes it"},
	},
	flags: [][]flag{createFlags, {
		{name: "detach", alias: "d", kind: boolean, usage: "do not wait for the process"},
		{name: "keep", kind: boolean, usage: "do not delete the container when its process has ended"},
		{name: "no-subreaper", kind: boolean, usage: "do not adopt the orphans of the process"},
	}},
	min: 1, max: 1,
	run: func(c *call, r *libcontainer.Runtime) error {
		o := c.createOptions()
		if c.flags.bool("plan") {
			return c.plan(r, o)
		}
		code, err := r.Run(c.args[0], libcontainer.RunOptions{
			CreateOptions: o,
			Detach:        c.flags.bool("detach"),
			Keep:          c.flags.bool("keep"),
			NoSubreaper:   c.flags.bool("no-subreaper"),
		})
		if err != nil {
			return fmt.Errorf("run failed: %w", err)
		}
		return exit(code)
	},
}
