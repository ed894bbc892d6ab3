package cli

import "ociruntime/libcontainer"

var gcVerb = command{
	name:  "gc",
	usage: "remove what killed commands have left below --root",
	examples: []example{
		{"runtime gc --dry-run", "see what is left over"},
		{"runtime gc", "remove it"},
	},
	description: "Removed are containers that were never created to the end, deleted ones whose\n" +
		"poststop hooks are still to run, and those of an earlier boot. A container that\n" +
		"runs, has stopped, cannot be read, or that another command works on is left alone.",
	flags: [][]flag{{
		{name: "dry-run", alias: "n", kind: boolean, usage: "print what would be removed, and do nothing"},
	}},
	run: func(c *call, r *libcontainer.Runtime) error {
		var failed error
		err := r.Collect(c.flags.bool("dry-run"), func(g libcontainer.Garbage) {
			if err := write(g.ID + "\t" + g.Reason + "\n"); failed == nil {
				failed = err
			}
		})
		if err == nil {
			err = failed
		}
		return err
	},
}
