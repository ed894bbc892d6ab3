package libcontainer

import (
	"github.com/opencontainers/runtime-spec/specs-go/features"

	"ociruntime/libcontainer/seccomp"
	"ociruntime/spec"
)

// Features is what this build can do, whatever the host, features.md.
// Annotations are added to those about libraries.
func Features(annotations map[string]string) *features.Features {
	yes := true
	in := spec.FeatureInputs{
		Cgroup:      features.Cgroup{V1: &yes, V2: &yes, Systemd: &yes, SystemdUser: &yes, Rdma: &yes},
		Seccomp:     seccompFeatures(),
		IntelRdt:    features.IntelRdt{Enabled: &yes, Schemata: &yes, Monitoring: &yes},
		AppArmor:    true,
		SELinux:     true,
		IDMap:       true,
		NetDevices:  true,
		Annotations: annotations,
		// What annotations.go has.
		UnsafeAnnotations: []string{"run.oci."},
	}
	if v := seccomp.Version(); v != "" {
		annotations["io.github.seccomp.libseccomp.version"] = v
	}
	return spec.Features(in)
}

func seccompFeatures() features.Seccomp {
	enabled := seccomp.Enabled()
	if !enabled {
		return features.Seccomp{Enabled: &enabled}
	}
	return features.Seccomp{
		Enabled:        &enabled,
		Actions:        seccomp.Actions(),
		Operators:      seccomp.Operators(),
		Archs:          seccomp.Archs(),
		KnownFlags:     seccomp.KnownFlags(),
		SupportedFlags: seccomp.SupportedFlags(),
	}
}
