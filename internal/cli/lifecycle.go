package cli

import (
	"errors"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer"
	"ociruntime/libcontainer/signal"
)

// one is a verb that does one thing to one container.
func one(name, usage string, do func(*libcontainer.Runtime, *call) error, flags ...flag) command {
	return command{
		name: name, usage: usage, args: "CONTAINER", flags: flags, min: 1, max: 1,
		run: func(c *call) error {
			r, err := c.runtime()
			if err != nil {
				return err
			}
			return do(r, c)
		},
	}
}

func startCommand() command {
	return one("start", "run the program of a created container", func(r *libcontainer.Runtime, c *call) error {
		return r.Start(c.args[0])
	})
}

func deleteCommand() command {
	return one("delete", "remove a stopped container", func(r *libcontainer.Runtime, c *call) error {
		return r.Delete(c.args[0], c.flags.bool("force"))
	}, flag{name: "force", alias: "f", kind: boolean, usage: "kill what still runs; no error if there is nothing to delete"})
}

func pauseCommand() command {
	return one("pause", "suspend all processes of a container", func(r *libcontainer.Runtime, c *call) error {
		return r.Pause(c.args[0])
	})
}

func resumeCommand() command {
	return one("resume", "resume a paused container", func(r *libcontainer.Runtime, c *call) error {
		return r.Resume(c.args[0])
	})
}

func killCommand() command {
	k := one("kill", "send a signal to a container's process (default: SIGTERM)", func(r *libcontainer.Runtime, c *call) error {
		name := "SIGTERM"
		if len(c.args) > 1 {
			name = c.args[1]
		}
		number, err := signal.Parse(name)
		if err != nil {
			return err
		}
		return r.Kill(c.args[0], libcontainer.KillOptions{Signal: int(number), All: c.flags.bool("all")})
	}, flag{name: "all", alias: "a", kind: boolean, hidden: true, usage: "send it to every process of the container"})
	k.args, k.max = "CONTAINER [SIGNAL]", 2
	return k
}

var errFormat = errors.New("invalid format option")

func formatError(value string) error {
	return &diag.Error{Field: "--format", Path: value, Err: errFormat, Hint: "table or json"}
}
