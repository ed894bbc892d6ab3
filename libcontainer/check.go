package libcontainer

import (
	"errors"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
	"ociruntime/spec"
)

// Finding is something that Check has to say about a bundle.
type Finding struct {
	Field   string // path inside config.json; "" when it is about none
	Code    diag.Code
	Text    string
	Warning bool // a container is made all the same
}

// Check finds what create would refuse or warn of, and what it does not read,
// without making anything. Problems of the specification come all at once; of
// those of this host, the first.
func (r *Runtime) Check(bundle string) ([]Finding, error) {
	path, err := bundlePath(bundle)
	if err != nil {
		return nil, err
	}
	config, raw, err := spec.Load(path)
	if err != nil {
		return findings(err, false), nil
	}
	list := findings(spec.UnknownProperties(raw), true)
	list = append(list, findings(spec.Warnings(config), true)...)
	quiet := *r
	quiet.Log = nil // the warnings are in the list already
	b, err := quiet.newBirth("check", &CreateOptions{Bundle: path}, gateSocket, false)
	if err != nil {
		return append(list, findings(err, false)...), nil
	}
	defer b.close()
	b.compose(nsenter.Number(0))
	return append(list, findings(b.program.Err(), false)...), nil
}

// findings takes apart an error that is made of several.
func findings(err error, warning bool) []Finding {
	if err == nil {
		return nil
	}
	problems := spec.Problems{}
	if !errors.As(err, &problems) {
		f := Finding{Code: diag.CodeOf(err), Text: err.Error(), Warning: warning}
		if e := (*diag.Error)(nil); errors.As(err, &e) {
			f.Field = e.Field
		}
		return []Finding{f}
	}
	var list []Finding
	for _, p := range problems {
		list = append(list, Finding{Field: p.Field, Code: p.Code, Text: p.Error(), Warning: warning})
	}
	return list
}
