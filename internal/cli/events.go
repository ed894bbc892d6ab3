package cli

import (
	"errors"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer"
)

var eventsVerb = command{
	name:  "events",
	usage: "print statistics of a container, and when it ran out of memory, as lines of JSON",
	args:  "CONTAINER",
	examples: []example{
		{"runtime events --stats box | jq .data.memory.usage", "measure once"},
		{"runtime events --interval 1s box", "every second, until the container ends"},
	},
	flags: [][]flag{{
		{name: "interval", kind: duration, value: "5s", usage: "print statistics every `DURATION`"},
		{name: "stats", kind: boolean, usage: "print statistics once and end"},
	}},
	min: 1, max: 1,
	run: func(c *call, r *libcontainer.Runtime) error {
		o := libcontainer.EventsOptions{Interval: c.flags.duration("interval"), Once: c.flags.bool("stats")}
		if o.Interval <= 0 {
			return &diag.Error{Err: errors.New("duration interval must be greater than 0"), Code: "usage"}
		}
		return r.Events(c.args[0], o, write[[]byte])
	},
}
