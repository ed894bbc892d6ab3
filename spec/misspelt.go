package spec

import (
	"errors"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
	"ociruntime/internal/json"
)

// Misspelt returns err, the refusal of what raw configures, with a hint at each
// property that was meant to be what is complained of: who writes "proces" has
// no process. err may be a Problems or wrap one *diag.Error, and is changed. It
// decodes raw again, so it is for failures only.
func Misspelt(err error, raw []byte) error {
	var problems Problems
	if one := (*diag.Error)(nil); !errors.As(err, &problems) && errors.As(err, &one) {
		problems = Problems{one}
	}
	if len(problems) == 0 {
		return err
	}
	for _, u := range unknownMembers(raw) {
		if u.Nearest == "" {
			continue
		}
		object := u.Field[:strings.LastIndexByte(u.Field, '.')+1]
		for _, p := range problems {
			if p.Field == object+u.Nearest {
				p.Hint = ConfigFile + ` has "` + u.Field[len(object):] + `" at line ` + json.Position(string(raw), u.Offset) +
					`, did you mean "` + u.Nearest + `"?`
			}
		}
	}
	return err
}

// unknownMembers lists the members of a config.json that the runtime-spec does
// not know.
func unknownMembers(raw []byte) []json.Unknown {
	d := json.NewDecoder(string(raw))
	d.KeepUnknown = true
	decodeSpecsSpec(d, new(specs.Spec))
	return d.UnknownMembers()
}
