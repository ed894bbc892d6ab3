// Command runtime is an OCI low-level container runtime: it runs containers
// from bundles for containerd, dockerd, podman, CRI-O, or by hand.
//
// The Go runtime would open files of the cgroup to size GOMAXPROCS, and
// descriptors that are open must be the caller's or ours.
//
//go:debug containermaxprocs=0
package main

import (
	"os"

	"ociruntime/internal/cli"
	"ociruntime/internal/sys"
)

func main() {
	sys.GrowStack()
	os.Exit(cli.Main(os.Args))
}
