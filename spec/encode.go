package spec

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
)

// AppendSpec appends config as JSON, without white space and without the
// objects of other platforms than Linux.
func AppendSpec(dst []byte, config *specs.Spec) []byte { return appendSpecsSpec(dst, config) }

// AppendState appends a container's state as hooks read it (runtime.md#state).
func AppendState(dst []byte, state *specs.State) []byte { return appendSpecsState(dst, state) }

// AppendProcessState appends what a seccomp agent is sent
// (config-linux.md#the-container-process-state).
func AppendProcessState(dst []byte, state *specs.ContainerProcessState) []byte {
	return appendSpecsContainerProcessState(dst, state)
}

// AppendFeatures appends what the features command prints (features.md).
func AppendFeatures(dst []byte, f *features.Features) []byte { return appendFeaturesFeatures(dst, f) }
