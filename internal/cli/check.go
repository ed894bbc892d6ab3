package cli

import (
	"fmt"

	"ociruntime/internal/json"
	"ociruntime/libcontainer"
)

var checkVerb = command{
	name:  "check",
	usage: "say what is wrong with a bundle",
	examples: []example{
		{"runtime check --bundle /srv/box", "look before creating"},
		{"runtime check --bundle /srv/box --format json | jq '.[].code'", "for scripts"},
	},
	description: "Prints what create would refuse or warn of, by the OCI runtime specification and on this host, and\n" +
		"makes nothing. The exit code is 0 if create would go ahead, and 1 if not.",
	flags: [][]flag{{
		{name: "bundle", alias: "b", kind: text, usage: "look at the bundle in `DIR` (default: the working directory)"},
		{name: "format", alias: "f", kind: text, value: "text", choices: "text json", usage: "print as `FORMAT`: text or json"},
	}},
	run: func(c *call, r *libcontainer.Runtime) error {
		format := c.flags.text("format")
		if format != "json" && format != "text" {
			return formatError(format, "text")
		}
		list, err := r.Check(c.flags.text("bundle"))
		if err != nil {
			return err
		}
		if format == "json" {
			err = write(appendFindings(nil, list))
		} else {
			printFindings(list)
		}
		for i := range list {
			if !list[i].Warning {
				return exit(1)
			}
		}
		return err
	},
}

func printFindings(list []libcontainer.Finding) {
	for _, f := range list {
		fmt.Println(severity(f) + ": " + f.Text)
	}
}

func severity(f libcontainer.Finding) string {
	if f.Warning {
		return "warning"
	}
	return "error"
}

// appendFindings appends an array of objects, and a newline.
func appendFindings(dst []byte, list []libcontainer.Finding) []byte {
	dst = append(dst, '[')
	for _, f := range list {
		dst = append(json.AppendComma(dst), `{"severity":`...)
		dst = json.AppendString(dst, severity(f))
		dst = json.AppendString(append(dst, `,"field":`...), f.Field)
		dst = json.AppendString(append(dst, `,"code":`...), f.Code)
		dst = append(json.AppendString(append(dst, `,"message":`...), f.Text), '}')
	}
	return append(dst, "]\n"...)
}
