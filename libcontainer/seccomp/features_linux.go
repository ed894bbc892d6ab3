package seccomp

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/sys"
)

// SupportedFlags lists the known flags that this kernel has. It asks the kernel
// about each of them, so it is for the `features` command alone.
func SupportedFlags() []string {
	supported := []string{}
	for _, name := range KnownFlags() {
		bit, _ := flagBit(specs.LinuxSeccompFlag(name))
		if bit == unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV {
			bit |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER // refused without
		}
		if sys.SeccompFlag(bit) {
			supported = append(supported, name)
		}
	}
	return supported
}
