package spec

import (
	"errors"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
	"ociruntime/internal/json"
)

// Decode reads a config.json. Keys match by exact case and may not repeat;
// types must be right; unknown keys pass, as config.md#extensibility demands,
// and so do the objects of other platforms, which are not decoded. The error is
// a Problems. What is not a matter of JSON is left to Validate.
func Decode(raw []byte) (*specs.Spec, error) { return decode(raw, decodeSpecsSpec) }

// ProcessOf reads only the process of a config.json that Decode has accepted
// before: what follows it is not even looked at. nil if there is none.
func ProcessOf(raw []byte) (*specs.Process, error) {
	d := json.NewDecoder(string(raw))
	for d.Object("process", 0); d.More(); {
		if d.Name() != "process" {
			d.Unknown()
			continue
		}
		d.Once(0)
		p := new(specs.Process)
		decodeSpecsProcess(d, p)
		if problems := d.Problems(); len(problems) > 0 {
			return nil, Problems(problems)
		}
		return p, nil
	}
	if problems := d.Close(); len(problems) > 0 {
		return nil, Problems(problems)
	}
	return nil, nil
}

// DecodeProcess reads the process object that exec is given in a file.
func DecodeProcess(raw []byte) (*specs.Process, error) { return decode(raw, decodeSpecsProcess) }

// DecodeResources reads the resources object that update is given in a file.
func DecodeResources(raw []byte) (*specs.LinuxResources, error) {
	return decode(raw, decodeSpecsLinuxResources)
}

// DecodeState reads the state of a container as runtime.md#state defines it.
func DecodeState(raw []byte) (*specs.State, error) { return decode(raw, decodeSpecsState) }

func decode[T any](raw []byte, read func(*json.Decoder, *T)) (*T, error) {
	d := json.NewDecoder(string(raw))
	v := new(T)
	read(d, v)
	if problems := d.Close(); len(problems) > 0 {
		return nil, Problems(problems)
	}
	return v, nil
}

// UnknownProperties lists what a config.json holds that the runtime-spec does
// not know: misspelt names, mostly. They are no errors to create.
func UnknownProperties(raw []byte) Problems {
	var list Problems
	for _, u := range unknownMembers(raw) {
		hint := "at line " + json.Position(string(raw), u.Offset)
		if u.Nearest != "" {
			hint = "did you mean \"" + u.Nearest + "\"? " + hint
		}
		list = append(list, &diag.Error{Field: u.Field, Err: errUnknown, Hint: hint, Code: CodeUnknown})
	}
	return list
}

var errUnknown = errors.New("is not a property of the runtime-spec, and is ignored")
