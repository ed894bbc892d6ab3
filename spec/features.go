package spec

import (
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"

	"ociruntime/internal/json"
)

// The lists of features.md. A list that this package checks values against is
// the one that it prints.
const (
	hookKinds = "prestart createRuntime createContainer startContainer poststart poststop"

	// mountOptions are those of config.md#mounts that mean something on any
	// file system. idmap and ridmap are reported as a mount extension.
	mountOptions = "async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime " +
		"noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime " +
		"relatime remount rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro " +
		"rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave " +
		"strictatime suid symfollow sync tmpcopyup unbindable"

	// unsafeAnnotations give whoever sets them power over the host: an engine
	// must not take them from a pod or an image. A dot at the end is a prefix.
	unsafeAnnotations = "bundle org.criu.config " + systemdProperty
)

// MountOptions lists the mount options that features promises.
func MountOptions() []string { return strings.Fields(mountOptions) }

// FeatureInputs is what other packages know of themselves.
type FeatureInputs struct {
	Seccomp    features.Seccomp
	Cgroup     features.Cgroup
	IntelRdt   features.IntelRdt
	AppArmor   bool
	SELinux    bool
	IDMap      bool // id-mapped mounts
	NetDevices bool
	// Annotations are versions of the runtime and its libraries.
	Annotations map[string]string
	// UnsafeAnnotations are those that extensions of ours add.
	UnsafeAnnotations []string
}

// Features returns what the features command prints, see features.md. It tells
// what this binary implements, whatever the host.
func Features(in FeatureInputs) *features.Features {
	namespaces := strings.Fields(namespaceTypes)
	slices.Sort(namespaces)
	return &features.Features{
		OCIVersionMin: "1.0.0",
		OCIVersionMax: specs.Version,
		Hooks:         strings.Fields(hookKinds),
		MountOptions:  MountOptions(),
		Linux: &features.Linux{
			Namespaces:      namespaces,
			Capabilities:    strings.Fields(capabilityNames),
			Cgroup:          &in.Cgroup,
			Seccomp:         &in.Seccomp,
			Apparmor:        &features.Apparmor{Enabled: &in.AppArmor},
			Selinux:         &features.Selinux{Enabled: &in.SELinux},
			IntelRdt:        &in.IntelRdt,
			MemoryPolicy:    &features.MemoryPolicy{Modes: strings.Fields(memoryModes), Flags: strings.Fields(memoryFlags)},
			MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: &in.IDMap}},
			NetDevices:      &features.NetDevices{Enabled: &in.NetDevices},
		},
		Annotations:                        in.Annotations,
		PotentiallyUnsafeConfigAnnotations: append(strings.Fields(unsafeAnnotations), in.UnsafeAnnotations...),
	}
}

// FormatFeatures returns f as the features command prints it.
func FormatFeatures(f *features.Features) []byte {
	return json.AppendIndent(nil, AppendFeatures(nil, f), "    ")
}
