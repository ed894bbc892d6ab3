package rootfs

import (
	"errors"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// unknownOption words an option that nothing understands.
func unknownOption(field, name, where string) error {
	e := &diag.Error{Field: field, Op: "unknown option", Path: name, Err: errors.New("not known for " + where)}
	if near := nearOption(name); near != "" {
		e.Hint = `did you mean "` + near + `"?`
	}
	return e
}

// nearOption returns the known option that name may be a misspelling of, or "".
func nearOption(name string) string {
	best, least := "", 3
	for _, option := range MountOptions() {
		if d := distance(name, option); d < least && d < len(name) {
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

// Explain adds to a fault of the stage what can be seen now.
func (r *Rootfs) Explain(s *nsenter.Stage, err error) error { return err }
