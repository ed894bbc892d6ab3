package doctor

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/libcontainer"
)

// idRanges are the ids beside his own that an ordinary user may map.
type idRanges struct {
	uids, gids string // "100000:65536", the first range; "" for none
	// helpers says what is wrong with newuidmap(1) and newgidmap(1); "" for nothing.
	helpers map[string]string
}

func readIDRanges(who *caller) *idRanges {
	if who.root() {
		return nil
	}
	i := &idRanges{helpers: map[string]string{}}
	i.uids = subids(readText("/etc/subuid"), who)
	i.gids = subids(readText("/etc/subgid"), who)
	for _, name := range []string{"newuidmap", "newgidmap"} {
		i.helpers[name] = inspectHelper(name)
	}
	return i
}

// inspectHelper: the program needs privileges of its own, by its owner's id or
// by file capabilities.
func inspectHelper(name string) string {
	path, err := libcontainer.FindHelper(name)
	if err != nil {
		return "is not installed"
	}
	var st unix.Stat_t
	if unix.Stat(path, &st) == nil && st.Mode&unix.S_ISUID != 0 && st.Uid == 0 {
		return ""
	}
	if n, err := unix.Getxattr(path, "security.capability", nil); err == nil && n > 0 {
		return ""
	}
	return "is " + path + ", which is neither setuid root nor has file capabilities"
}

// subids finds a user's first range in subuid(5), where he stands with his name
// or his number.
func subids(text string, who *caller) string {
	for line := range strings.Lines(text) {
		name, ids, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name != "" && (name == who.name || name == strconv.Itoa(who.uid)) {
			return ids
		}
	}
	return ""
}

func (i *idRanges) findings(who *caller) []Finding {
	if i == nil {
		return nil
	}
	r := &report{topic: "ids"}
	user := who.name
	if user == "" {
		user = strconv.Itoa(who.uid)
	}
	const lost = "a container has one user id and one group id, and a config that maps more is refused"
	for _, name := range []string{"newuidmap", "newgidmap"} {
		if what := i.helpers[name]; what != "" {
			r.warning("ids-helper", name+"(1) "+what+": "+lost, "install it: Debian's package uidmap, elsewhere shadow-utils")
		}
	}
	switch {
	case i.uids == "" || i.gids == "":
		r.warning("ids-range", "/etc/subuid and /etc/subgid have no range for "+user+": "+lost,
			"as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "+user)
	default:
		r.ok("ids-range", "/etc/subuid has "+i.uids+" and /etc/subgid "+i.gids+" for "+user+": a container may have these ids beside its root")
	}
	return r.list
}
