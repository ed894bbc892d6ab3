package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
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
		{"runtime list --quiet | xargs -r -n1 runtime delete --force", "remove everything"},
	},
	flags: [][]flag{{
		{name: "format", alias: "f", kind: text, value: "table", usage: "print as `FORMAT`: table or json"},
		{name: "quiet", alias: "q", kind: boolean, usage: "print ids only"},
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
			fmt.Fprintln(os.Stderr, diag.Line(p.Error()))
		}
		return printList(all, c.flags.text("format"), c.flags.bool("quiet"))
	},
}

func printList(all []libcontainer.State, format string, quiet bool) error {
	if quiet {
		var ids []byte
		for i := range all {
			ids = append(ids, all[i].ID+"\n"...)
		}
		return write(ids)
	}
	switch format {
	case "json":
		return write(append(libcontainer.AppendList(nil, all), '\n'))
	case "table":
		return printTable(all)
	}
	return formatError(format, "table")
}

func printTable(all []libcontainer.State) error {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 12, 1, 3, ' ', 0)
	fmt.Fprint(w, "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER\n")
	for i := range all {
		s := &all[i]
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n",
			s.ID, s.Pid, s.Status, s.Bundle, s.Created.Format(time.RFC3339Nano), s.Owner)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return write(table.Bytes())
}
