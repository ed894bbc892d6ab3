package doctor

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// namespaces is which of them the caller can make, found out by making them:
// no list of settings is complete. Each trial is a child process that ends at
// once.
type namespaces struct {
	user    error                  // of a user namespace alone
	refused map[nsenter.Type]error // of the others; of users in a user namespace
	covered []string               // mount points below /proc
}

func readNamespaces(who *caller) *namespaces {
	n := &namespaces{refused: map[nsenter.Type]error{}}
	n.user = nsenter.Try(unix.CLONE_NEWUSER)
	owner := uintptr(0)
	if !who.root() {
		owner = unix.CLONE_NEWUSER
	}
	for _, t := range nsenter.Types() {
		if t == nsenter.User || owner != 0 && n.user != nil {
			continue
		}
		if err := nsenter.Try(owner | t.Flag()); err != nil {
			n.refused[t] = err
		}
	}
	n.covered = below("/proc/", readText("/proc/self/mountinfo"))
	return n
}

func (n *namespaces) findings(who *caller) []Finding {
	r := &report{topic: "namespaces"}
	switch {
	case n.user == nil:
		r.ok("namespace-user", "of type user can be made")
	case who.root():
		say(r.warning, "namespace-user", "user", "a config that asks for one is refused", n.user)
	default:
		say(r.error, "namespace-user", "user", "an ordinary user can make no container without it", n.user)
	}
	if n.user == nil || who.root() {
		n.others(r)
	}
	if n.user == nil && len(n.covered) > 0 {
		r.warning("proc-covered", "cannot get a whole /proc, as "+strings.Join(n.covered, ", ")+" is mounted over parts of it: the kernel refuses a new proc to a container with a user namespace (\"operation not permitted\")",
			"run the container around this one with --security-opt systempaths=unconfined (docker) or unmask=ALL (podman), or bind /proc instead of mounting it")
	}
	return r.list
}

// others reports on all types but user. Those that are refused for the same
// reason share a line.
func (n *namespaces) others(r *report) {
	var made, refused []string
	var first error
	for _, t := range nsenter.Types() {
		switch err := n.refused[t]; {
		case t == nsenter.User:
		case err == nil:
			made = append(made, string(t))
		case t == nsenter.Mount:
			say(r.error, "namespace-mnt", "mnt", "all containers with mounts need one", err)
		case first == nil || reason(err) == reason(first):
			first, refused = err, append(refused, string(t))
		default:
			say(r.warning, "namespace-"+string(t), string(t), "a config that asks for one is refused", err)
		}
	}
	if first != nil {
		say(r.warning, "namespaces", strings.Join(refused, ", "), "a config that asks for one is refused", first)
	}
	if len(made) > 0 {
		r.ok("namespaces", "of type "+strings.Join(made, ", ")+" can be made")
	}
}

// say words a refusal. The kernel's switches are sysctls, so that is what to
// look at if no reason was found.
func say(as func(name, text, hint string), name, types, loss string, err error) {
	hint := "look at the sysctls user.max_*_namespaces and at what runs around us, such as a container with a seccomp filter"
	if e := (*diag.Error)(nil); errors.As(err, &e) && e.Hint != "" {
		hint = e.Hint
	}
	as(name, "of type "+types+" cannot be made ("+reason(err)+"), and "+loss, hint)
}

// reason is the kernel's word alone.
func reason(err error) string {
	if errno := unix.Errno(0); errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

// below lists the mount points under a directory that hide something of it.
// binfmt_misc covers a directory that is always empty.
func below(dir, mountinfo string) []string {
	var list []string
	for line := range strings.Lines(mountinfo) {
		f := strings.Fields(line)
		if len(f) > 4 && strings.HasPrefix(f[4], dir) && f[4] != "/proc/sys/fs/binfmt_misc" && !slices.Contains(list, f[4]) {
			list = append(list, f[4])
		}
	}
	return list
}
