package cli

import (
	"errors"
	"os"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer"
	"ociruntime/libcontainer/signal"
)

var startVerb = command{
	name:  "start",
	usage: "run the program of a created container",
	args:  "CONTAINER",
	examples: []example{
		{"runtime start box", "run the program of a container that runtime create has made"},
	},
	min: 1, max: 1,
	run: func(c *call, r *libcontainer.Runtime) error {
		return r.Start(c.args[0], libcontainer.StartOptions{NotifySocket: os.Getenv("NOTIFY_SOCKET")})
	},
}

var deleteVerb = command{
	name:  "delete",
	usage: "remove a stopped container",
	args:  "CONTAINER",
	examples: []example{
		{"runtime delete box", "remove a container that has stopped"},
		{"runtime delete --force box", "whatever it does"},
	},
	flags: [][]flag{{
		{name: "force", alias: "f", kind: boolean, usage: "kill what still runs; no error if there is nothing to delete"},
	}},
	min: 1, max: 1,
	run: func(c *call, r *libcontainer.Runtime) error { return r.Delete(c.args[0], c.flags.bool("force")) },
}

var pauseVerb = command{
	name:  "pause",
	usage: "suspend all processes of a container",
	args:  "CONTAINER",
	examples: []example{
		{"runtime pause box", "freeze it"},
	},
	min: 1, max: 1,
	run: func(c *call, r *libcontainer.Runtime) error { return r.Pause(c.args[0]) },
}

var resumeVerb = command{
	name:  "resume",
	usage: "resume a paused container",
	args:  "CONTAINER",
	examples: []example{
		{"runtime resume box", "let it go on"},
	},
	min: 1, max: 1,
	run: func(c *call, r *libcontainer.Runtime) error { return r.Resume(c.args[0]) },
}

var killVerb = command{
	name:  "kill",
	usage: "send a signal to a container's process (default: SIGTERM)",
	args:  "CONTAINER [SIGNAL]",
	examples: []example{
		{"runtime kill box", "ask it to end"},
		{"runtime kill box KILL", "make it end"},
		{"runtime kill box HUP", "as kill(1), names with or without SIG, or numbers"},
	},
	flags: [][]flag{{
		{name: "all", alias: "a", kind: boolean, hidden: true, usage: "send it to every process of the container"},
	}},
	min: 1, max: 2,
	run: func(c *call, r *libcontainer.Runtime) error {
		name := "SIGTERM"
		if len(c.args) > 1 {
			name = c.args[1]
		}
		number, err := signal.Parse(name)
		if err != nil {
			return err
		}
		return r.Kill(c.args[0], libcontainer.KillOptions{Signal: int(number), All: c.flags.bool("all")})
	},
}

var errFormat = errors.New("invalid format option")

func formatError(value, text string) error {
	return &diag.Error{Field: "--format", Path: value, Err: errFormat, Hint: text + " or json"}
}
