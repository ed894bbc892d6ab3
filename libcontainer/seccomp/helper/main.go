//go:build cgo && !seccomp_helper

// Command helper is the one program that contains libseccomp. It is embedded in
// the runtime, which is built without cgo, and runs only when a profile is not
// in the cache: an encoded profile on standard input becomes an encoded filter
// on standard output. It is not meant to be installed or called by hand. How it
// is built: libcontainer/seccomp/compile_helper_linux.go.
package main

import (
	"os"

	"ociruntime/libcontainer/seccomp"
)

func main() {
	if err := seccomp.Serve(os.Stdin, os.Stdout); err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}
