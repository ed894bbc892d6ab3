package cli

import (
	"fmt"

	"ociruntime/libcontainer"
)

var restoreVerb = command{
	name:  "restore",
	usage: "make a container from a bundle and the files of a checkpoint, and wait for it",
	args:  "CONTAINER",
	examples: []example{
		{"runtime restore --image-path /var/tmp/box --bundle /srv/box --detach box", "go on from a checkpoint"},
	},
	flags: [][]flag{criuFlags, {
		{name: "bundle", alias: "b", kind: text, usage: "take the bundle from `DIR` (default: the working directory)"},
		{name: "config", alias: "f", kind: text, usage: "use `FILE` instead of the bundle's config.json"},
		{name: "console-socket", kind: text, usage: "send the terminal's master to the unix socket at `PATH`"},
		{name: "pid-file", kind: text, usage: "write the process id to `FILE`"},
		{name: "detach", alias: "d", kind: boolean, usage: "do not wait for the process"},
		{name: "keep", kind: boolean, usage: "do not delete the container when its process has ended"},
		{name: "no-subreaper", kind: boolean, usage: "do not adopt the orphans of the process"},
		{name: "no-pivot", kind: boolean, usage: "accepted, as by runc, and without effect: CRIU makes the root"},
		{name: "tcp-close", kind: boolean, usage: "close TCP connections that were open"},
		{name: "lsm-profile", kind: text, usage: "confine the processes by `TYPE:NAME`, as in apparmor:web"},
		{name: "lsm-mount-context", kind: text, usage: "give mounts the SELinux `CONTEXT`"},
	}},
	min: 1, max: 1,
	run: func(c *call, r *libcontainer.Runtime) error {
		code, err := c.restore(r)
		if err != nil {
			return fmt.Errorf("restore failed: %w", err)
		}
		return exit(code)
	},
}

func (c *call) restore(r *libcontainer.Runtime) (int, error) {
	shared, err := c.criuOptions()
	if err != nil {
		return 0, err
	}
	o := libcontainer.RestoreOptions{
		RunOptions: libcontainer.RunOptions{
			CreateOptions: libcontainer.CreateOptions{
				Bundle:        c.flags.text("bundle"),
				ConfigFile:    c.flags.text("config"),
				PidFile:       c.flags.text("pid-file"),
				ConsoleSocket: c.flags.text("console-socket"),
			},
			Detach:      c.flags.bool("detach"),
			Keep:        c.flags.bool("keep"),
			NoSubreaper: c.flags.bool("no-subreaper"),
		},
		Options:   shared,
		ImagePath: c.flags.text("image-path"),
		WorkPath:  c.flags.text("work-path"),
	}
	o.TCPClose = c.flags.bool("tcp-close")
	o.LSMProfile = c.flags.text("lsm-profile")
	o.LSMMountContext = c.flags.text("lsm-mount-context")
	return r.Restore(c.args[0], o)
}
