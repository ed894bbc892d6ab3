package libcontainer

import (
	"errors"
	"strings"

	"ociruntime/cgroups"
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

// Check finds what create would refuse or warn of by the specification and on
// this host, and what it does not read, without making anything. What only the
// container's own namespaces and mounts can tell is left to create.
func (r *Runtime) Check(bundle string) ([]Finding, error) {
	path, err := bundlePath(bundle)
	if err != nil {
		return nil, err
	}
	_, raw, err := spec.Load(path)
	if err != nil {
		return findings(err, false), nil
	}
	list := findings(spec.UnknownProperties(raw), true)
	quiet := *r
	quiet.dry = true
	quiet.Log = &diag.Logger{Debug: true, Sink: func(level diag.Level, message string) {
		if f, ok := warningOf(level, message); ok {
			list = append(list, f)
		}
	}}
	b := quiet.unborn("check", &CreateOptions{Bundle: path}, gateSocket, false)
	defer b.close()
	if err := b.load(); err != nil {
		return append(list, findings(err, false)...), nil
	}
	for _, err := range b.rehearse() {
		list = append(list, findings(err, false)...)
	}
	return append(list, findings(b.missingProgram(), true)...), nil
}

// rehearse decides everything as newBirth does, and goes on after a failure as
// far as the steps do not need each other.
func (b *birth) rehearse() (list []error) {
	add := func(err error) bool {
		if err != nil {
			list = append(list, err)
		}
		return err == nil
	}
	if add(b.nameCgroup()) {
		list = append(list, b.group.Check(b.resources())...)
	} else {
		b.group = cgroups.Disabled()
	}
	whole := add(b.planNamespaces())
	if add(b.planRootfs()) {
		list = append(list, b.rootfs.Check()...)
	} else {
		whole = false
	}
	whole = add(b.planProcess()) && whole
	add(b.planIntelRdt())
	list = append(list, b.missingHooks()...)
	list = append(list, b.missingDevices()...)
	if whole {
		b.program = nsenter.New(0)
		b.compose(nsenter.Number(0))
		add(b.program.Err())
	}
	return list
}

// warningOf is the finding for a line of the log: a warning, or a debug line
// about a field, such as a system call that no filter can name.
func warningOf(level diag.Level, message string) (Finding, bool) {
	field, _, ok := strings.Cut(message, ": ")
	if !ok || strings.Contains(field, " ") {
		field = ""
	}
	if level == diag.LevelDebug && !strings.HasPrefix(field, "linux.seccomp") {
		return Finding{}, false
	}
	return Finding{Field: field, Code: spec.CodeWarning, Text: message, Warning: true}, true
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
