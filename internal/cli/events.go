package cli

import (
	"errors"

	"ociruntime/libcontainer"
)

func eventsCommand() command {
	return one("events", "print statistics of a container, and when it ran out of memory, as lines of JSON",
		func(r *libcontainer.Runtime, c *call) error {
			o := libcontainer.EventsOptions{Interval: c.flags.duration("interval"), Once: c.flags.bool("stats")}
			if o.Interval <= 0 {
				return errors.New("duration interval must be greater than 0")
			}
			return r.Events(c.args[0], o, write[[]byte])
		},
		flag{name: "interval", kind: duration, value: "5s", usage: "print statistics every `DURATION`"},
		flag{name: "stats", kind: boolean, usage: "print statistics once and end"},
	)
}
