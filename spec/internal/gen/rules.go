package main

// What the runtime-spec's prose says and its Go types do not. Keys are
// "package.Type.member".

// optional members have no omitempty in Go, yet need not be there.
var optional = map[string]bool{
	"specs.Process.user":              true, // config-schema.json requires only cwd
	"specs.LinuxMemoryPolicy.nodes":   true, // config-linux.md#memory-policy; omitempty after v1.3.0
	"specs.ContainerProcessState.fds": true, // config-linux.md#the-container-process-state
	"specs.LinuxDevice.major":         true, // see conditions
	"specs.LinuxDevice.minor":         true, // see conditions
}

// condition makes other members required once a member has been read.
type condition struct {
	when    string   // a Go expression on v
	require []string // members
}

var conditions = map[string]condition{
	// config-linux.md#devices: "REQUIRED unless type is p"
	"specs.LinuxDevice.type": {`v.Type != "p"`, []string{"major", "minor"}},
}

// opaque strings never reach the kernel as C strings, so may hold NUL bytes.
// Other types than the runtime-spec's say so with the struct tag gen:"opaque".
var opaque = map[string]bool{
	"specs.Spec.annotations":               true,
	"specs.State.annotations":              true,
	"specs.LinuxSeccomp.listenerMetadata":  true,
	"specs.ContainerProcessState.metadata": true,
}
