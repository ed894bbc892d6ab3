package cli

import (
	"bytes"
	"slices"

	"ociruntime/internal/json"
	"ociruntime/libcontainer"
	"ociruntime/libcontainer/ps"
)

var psVerb = command{
	name:  "ps",
	usage: "list the processes of a container",
	args:  "CONTAINER [PS-OPTION...]",
	examples: []example{
		{"runtime ps box", "who runs in it"},
		{"runtime ps box -o pid,rss,args", "choose columns"},
		{"runtime ps --format json box", "process ids of the host, for scripts"},
	},
	description: "The table is made without the host's ps. Its options are those of ps(1):\n" +
		"-e, -A, -f, and -o with a list of columns. The default is -ef.",
	flags: [][]flag{{
		{name: "format", alias: "f", kind: text, value: "table", choices: "table json", usage: "print as `FORMAT`: table or json"},
	}},
	min: 1, max: -1, passthrough: true,
	run: func(c *call, r *libcontainer.Runtime) error {
		format := c.flags.text("format")
		if format != "json" && format != "table" {
			return formatError(format, "table")
		}
		pids, err := r.Processes(c.args[0])
		if err != nil {
			return err
		}
		slices.Sort(pids)
		if format == "json" {
			return write(appendPids(nil, pids))
		}
		var table bytes.Buffer
		if err := ps.Write(&table, pids, c.args[1:]); err != nil {
			return err
		}
		return write(table.Bytes())
	},
}

// appendPids appends a line with an array of numbers; none is null, as runc has it.
func appendPids(dst []byte, pids []int) []byte {
	if len(pids) == 0 {
		return append(dst, "null\n"...)
	}
	dst = append(dst, '[')
	for _, pid := range pids {
		dst = json.AppendInt(json.AppendComma(dst), int64(pid))
	}
	return append(dst, "]\n"...)
}
