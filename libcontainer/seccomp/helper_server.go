//go:build cgo && !seccomp_helper

package seccomp

import (
	"errors"
	"io"

	"ociruntime/internal/diag"
)

// Serve is all that the embedded program does: one encoded profile in, one
// encoded reply out. See compile_helper_linux.go for the other end.
func Serve(in io.Reader, out io.Writer) error {
	request, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	p, err := decodeProfile(request)
	if err != nil {
		return &diag.Error{Op: "profile on standard input", Err: err}
	}
	filter, warnings, err := compile(p)
	_, err = out.Write(appendReply(nil, Version(), filter, warnings, err))
	return err
}

// appendReply encodes what compile returned, after the version it came from.
func appendReply(b []byte, version string, f *Filter, warnings []Warning, err error) []byte {
	b = appendString(b, version)
	b = appendBool(b, err == nil)
	if err == nil {
		return appendFilter(b, f, warnings)
	}
	var e *diag.Error
	if !errors.As(err, &e) {
		e = &diag.Error{Field: field, Err: err}
	}
	for _, s := range []string{e.Field, e.Op, e.Path, e.Err.Error(), e.Hint} {
		b = appendString(b, s)
	}
	return b
}
