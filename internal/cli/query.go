package cli

import (
	"errors"

	"golang.org/x/sys/unix"

	"ociruntime/internal/json"
	"ociruntime/libcontainer"
)

var stateVerb = command{
	name:     "state",
	usage:    "print the state of a container as JSON",
	args:     "CONTAINER",
	examples: []example{{"runtime state box | jq -r .status", "created, running, paused or stopped"}},
	min:      1, max: 1,
	run: func(c *call, r *libcontainer.Runtime) error {
		s, err := r.State(c.args[0])
		if err != nil {
			return err
		}
		return write(json.AppendIndent(nil, s.AppendJSON(nil), "  "))
	},
}

var listVerb = command{
	name:  "list",
	usage: "list the containers below --root",
	examples: []example{
		{"runtime list", "what is there"},
		{"runtime list --columns id,status,age,memory,cause", "how long, with how much memory, and why it has ended"},
		{"runtime list --quiet | xargs -r -n1 runtime delete --force", "remove everything"},
	},
	flags: [][]flag{{
		{name: "format", alias: "f", kind: text, value: "table", choices: "table json", usage: "print as `FORMAT`: table or json"},
		{name: "quiet", alias: "q", kind: boolean, usage: "print ids only"},
		{name: "columns", kind: text, value: defaultColumns, choices: columnNames, usage: "have the table show `LIST`, of " + columnNames},
	}},
	run: func(c *call, r *libcontainer.Runtime) error {
		all, problems, err := r.List()
		if errors.Is(err, unix.ENOENT) && !c.global.set("root") {
			err = nil
		}
		if err != nil {
			return err
		}
		for _, p := range problems {
			say(p, c.log.Patience)
		}
		return c.printList(r, all)
	},
}

func (c *call) printList(r *libcontainer.Runtime, all []libcontainer.State) error {
	if c.flags.bool("quiet") {
		var ids []byte
		for i := range all {
			ids = append(ids, all[i].ID+"\n"...)
		}
		return write(ids)
	}
	switch format := c.flags.text("format"); format {
	case "json":
		return write(append(libcontainer.AppendList(nil, all), '\n'))
	case "table":
		chosen, err := chooseColumns(c.flags.text("columns"))
		if err != nil {
			return err
		}
		return printTable(r, all, chosen)
	default:
		return formatError(format, "table")
	}
}
