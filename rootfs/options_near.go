package rootfs

import (
	"errors"
	"strings"

	"ociruntime/internal/diag"
)

// unknownOption words an option that nothing understands.
func unknownOption(field, name, fstype string, known ...string) error {
	e := &diag.Error{Field: field, Err: errors.New(`unknown option "` + name + `" for ` + fstype), Code: "mount-option"}
	if near := nearOption(name, append(MountOptions(), known...)); near != "" {
		e.Hint = `did you mean "` + near + `"?`
	}
	return e
}

// fsOptions lists what common file systems of containers take.
func fsOptions(fstype string) []string {
	switch fstype {
	case "tmpfs":
		return []string{"size", "nr_blocks", "nr_inodes", "mode", "uid", "gid", "huge", "mpol", "inode32", "inode64", "noswap"}
	case "devpts":
		return []string{"uid", "gid", "mode", "ptmxmode", "newinstance", "max"}
	case "proc":
		return []string{"hidepid", "gid", "subset"}
	case "overlay":
		return []string{"lowerdir", "upperdir", "workdir", "index", "metacopy", "redirect_dir", "userxattr", "volatile", "xino"}
	}
	return nil
}

// nearOption returns the option of list that name may be a misspelling of, or "".
func nearOption(name string, list []string) string {
	best, least := "", 3
	for _, option := range list {
		if d := distance(name, option); d < least && 2*d < len(name) {
			best, least = option, d
		}
	}
	return best
}

// distance is the number of insertions, deletions, changes and swaps of
// neighbours between a and b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}

// MountOptions lists the options this runtime gives a meaning to, sorted; all
// others are for the file system.
func MountOptions() []string {
	return []string{
		"async", "atime", "bind", "copy-symlink", "defaults", "dest-nofollow", "dev", "diratime", "dirsync", "exec", "idmap",
		"iversion", "lazytime", "loud", "mand", "noatime", "nodev", "nodiratime", "noexec", "noiversion", "nolazytime", "nomand",
		"norelatime", "nostrictatime", "nosuid", "nosymfollow", "private", "ratime", "rbind", "rdev", "rdiratime", "relatime",
		"remount", "rexec", "ridmap", "rnoatime", "rnodev", "rnodiratime", "rnoexec", "rnorelatime", "rnostrictatime", "rnosuid",
		"rnosymfollow", "ro", "rprivate", "rrelatime", "rro", "rrw", "rshared", "rslave", "rstrictatime", "rsuid", "rsymfollow",
		"runbindable", "rw", "shared", "silent", "slave", "src-nofollow", "strictatime", "suid", "symfollow", "sync", "tmpcopyup",
		"unbindable",
	}
}

// nearSysctl returns the name in the directory of names that missing may be a
// misspelling of, or "".
func nearSysctl(names []string, missing string) string {
	best := nearOption(missing, names)
	if best == "" {
		for _, name := range names {
			if strings.HasPrefix(missing, name) && len(name) > len(best) {
				best = name
			}
		}
	}
	return best
}
