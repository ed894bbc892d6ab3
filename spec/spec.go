// Package spec turns the config.json of a bundle into a *specs.Spec that is
// right by the rules of the OCI runtime-spec, or says everything that is wrong
// with it, each problem with its path in the file. Apart from Load, which reads
// that file, all of it is pure: facts about the host are arguments.
package spec

// The decoders and encoders are written from the types of specs-go; run
// "go generate ./spec" after changing its version. A test fails otherwise.
//
//go:generate go run ./internal/gen -out decode_gen.go -decode github.com/opencontainers/runtime-spec/specs-go.Spec -decode github.com/opencontainers/runtime-spec/specs-go.State
//go:generate go run ./internal/gen -out encode_gen.go -encode github.com/opencontainers/runtime-spec/specs-go.Spec -encode github.com/opencontainers/runtime-spec/specs-go.ContainerProcessState -encode github.com/opencontainers/runtime-spec/specs-go/features.Features
