package cli

import (
	"slices"

	"ociruntime/internal/json"
	"ociruntime/libcontainer"
	"ociruntime/libcontainer/doctor"
)

var doctorVerb = command{
	name:  "doctor",
	usage: "say what this host has to offer, and what keeps containers from starting",
	examples: []example{
		{"runtime doctor --quiet", "see only what is in the way"},
		{"runtime --systemd-cgroup doctor", "with cgroups made by systemd"},
	},
	description: "Looks at the kernel, namespaces, id ranges, cgroups, systemd, security modules and the state root as\n" +
		"the caller meets them, and changes nothing. Each line says what there is, what it means for\n" +
		"containers and, in brackets, what to do. The global flags --root, --systemd-cgroup and\n" +
		"--cgroup-manager count. The exit code is 1 if there is an error, which keeps all containers from\n" +
		"starting; a warning is about some of them, a note about few.",
	flags: [][]flag{{
		{name: "format", alias: "f", kind: text, value: "text", usage: "print as `FORMAT`: text or json"},
		{name: "quiet", alias: "q", kind: boolean, usage: "print warnings and errors alone"},
	}},
	run: func(c *call, r *libcontainer.Runtime) error {
		format := c.flags.text("format")
		if format != "json" && format != "text" {
			return formatError(format, "text")
		}
		list := doctor.Examine(r)
		failed := slices.ContainsFunc(list, func(f doctor.Finding) bool { return f.Severity == doctor.Error })
		if c.flags.bool("quiet") {
			list = slices.DeleteFunc(list, func(f doctor.Finding) bool { return f.Severity == doctor.OK || f.Severity == doctor.Note })
		}
		if err := write(appendDiagnoses(nil, list, format == "json")); err != nil || !failed {
			return err
		}
		return exit(1)
	},
}

// appendDiagnoses appends the findings as an array, or as lines of text.
func appendDiagnoses(dst []byte, list []doctor.Finding, array bool) []byte {
	if !array {
		for _, f := range list {
			dst = append(dst, diagnosis(f)+"\n"...)
		}
		return dst
	}
	dst = append(dst, '[')
	for _, f := range list {
		dst = appendDiagnosis(json.AppendComma(dst), f)
	}
	return append(dst, "]\n"...)
}

// diagnosis is a finding as a line of text.
func diagnosis(f doctor.Finding) string {
	line := string(f.Severity) + ": " + f.Topic + ": " + f.Text
	if f.Hint != "" {
		line += " (" + f.Hint + ")"
	}
	return line
}

// appendDiagnosis appends it as an object.
func appendDiagnosis(dst []byte, f doctor.Finding) []byte {
	dst = json.AppendString(append(dst, `{"severity":`...), f.Severity)
	dst = json.AppendString(append(dst, `,"topic":`...), f.Topic)
	dst = json.AppendString(append(dst, `,"name":`...), f.Name)
	dst = json.AppendString(append(dst, `,"message":`...), f.Text)
	return append(json.AppendString(append(dst, `,"hint":`...), f.Hint), '}')
}
