package libcontainer

// Annotations that change what the runtime does. crun made them up, podman
// sets them. They give rights, so features lists their prefix among those that
// an engine must not take from strangers.
const (
	// For `podman run --group-add keep-groups`: a group of the caller's that has
	// no name in the user namespace still opens files.
	annotationKeepGroups = "run.oci.keep_original_groups"
	// Files that what hooks print is added to, but for startContainer, where the
	// image says what runs.
	annotationHooksStdout = "run.oci.hooks.stdout"
	annotationHooksStderr = "run.oci.hooks.stderr"
	// The file that --timeline names, for containers that an engine makes. This
	// one is ours.
	annotationTimeline = "run.oci.timeline"
	// A version 2 cgroup below the container's for its processes, so that they
	// cannot raise their own limits while they manage cgroups.
	annotationDelegate = "run.oci.delegate-cgroup"
)

// keepsGroups reports whether processes of the container keep the caller's
// supplementary groups, beside those that they are given by none but the kernel.
func keepsGroups(annotations map[string]string) bool {
	value := annotations[annotationKeepGroups]
	return value != "" && value != "0"
}
