package libcontainer

import "os"

// DefaultRoot is the state root for who names none: below XDG_RUNTIME_DIR for
// users who are not root, or are it only in a user namespace of their own. Real
// root has /run/runtime whatever the environment says: engines pass theirs on.
func DefaultRoot() string {
	const name = "/runtime"
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && !realRoot() {
		return dir + name
	}
	return "/run" + name
}

// realRoot reports whether the caller is root, and not merely called so in a
// user namespace, where podman and buildah tell by USER who acts for whom.
func realRoot() bool {
	return os.Geteuid() == 0 && (os.Getenv("USER") == "root" || !inUserNamespace())
}
