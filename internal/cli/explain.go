package cli

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"ociruntime/internal/diag"
	"ociruntime/internal/json"
	"ociruntime/libcontainer"
)

var explainVerb = command{
	name:  "explain",
	usage: "say what the code of an error means, and what to do",
	args:  "[CODE...]",
	description: "The code stands behind each message (code=mount-source), and in the member code of\n" +
		"the lines that --log-format json writes. Without one, all codes are listed.",
	examples: []example{
		{"runtime explain", "list all codes"},
		{"runtime explain mount-source", "explain one"},
	},
	max: -1,
	run: func(c *call, _ *libcontainer.Runtime) error {
		if len(c.args) == 0 {
			return listCodes()
		}
		var text bytes.Buffer
		for _, word := range c.args {
			e := diag.EntryOf(diag.Code(word))
			if e == nil {
				return unknownCode(word)
			}
			if text.Len() > 0 {
				text.WriteByte('\n')
			}
			fmt.Fprintf(&text, "%s: %s\n\n%s\n\nWhat to do:\n%s\n", e.Code, e.Summary, indent(e.Cause), indent(e.Remedy))
		}
		return write(text.Bytes())
	},
}

func listCodes() error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 1, 2, ' ', 0)
	for _, e := range diag.Entries() {
		fmt.Fprintf(w, "%s\t%s\n", e.Code, e.Summary)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return write(text.Bytes())
}

func unknownCode(word string) error {
	var known strings.Builder
	for _, e := range diag.Entries() {
		known.WriteString(string(e.Code) + " ")
	}
	return &diag.Error{Op: "explain", Path: word, Err: errors.New("is no code of an error"),
		Hint: meant(json.Nearest(word, known.String()), "runtime explain lists all"), Code: "unknown-code"}
}

// meant words a guess at a misspelt name, or something else if there is none.
func meant(near, otherwise string) string {
	if near == "" {
		return otherwise
	}
	return `did you mean "` + near + `"?`
}

// textWidth is how wide prose is printed, in bytes.
const textWidth = 78

// indent breaks a paragraph into lines that are indented by two spaces.
func indent(text string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
			b.WriteString("  ")
			column = 2
		case column+1+len(word) > textWidth:
			b.WriteString("\n  ")
			column = 2
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
