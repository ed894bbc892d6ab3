package process

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
)

// passwdEntry is a line of passwd(5): name:password:uid:gid:comment:home:shell.
type passwdEntry struct {
	name     string
	uid, gid uint32
	home     string
}

// groupEntry is a line of group(5): name:password:gid:member,member.
type groupEntry struct {
	name    string
	gid     uint32
	members []string
}

// maxLine is the longest line that is looked at; longer ones are skipped.
const maxLine = 64 << 10

// lines calls each for every line of r until it returns false. Read errors end
// the file: it is an image's, and what cannot be read is not there.
func lines(r io.Reader, each func(line string) bool) {
	b := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := b.ReadSlice('\n')
		tooLong := err == bufio.ErrBufferFull
		for err == bufio.ErrBufferFull {
			_, err = b.ReadSlice('\n')
		}
		if !tooLong && !each(strings.TrimRight(string(line), "\r\n")) {
			return
		}
		if err != nil {
			return
		}
	}
}

// parsePasswd reads a line. The shell may be missing, as old images have it.
func parsePasswd(line string) (e passwdEntry, ok bool) {
	f := strings.Split(line, ":")
	if len(f) < 4 || f[0] == "" {
		return e, false
	}
	uid, err := strconv.ParseUint(f[2], 10, 32)
	if err != nil {
		return e, false
	}
	gid, err := strconv.ParseUint(f[3], 10, 32)
	if err != nil {
		return e, false
	}
	e = passwdEntry{name: f[0], uid: uint32(uid), gid: uint32(gid)}
	if len(f) > 5 && strings.IndexByte(f[5], 0) < 0 {
		e.home = f[5]
	}
	return e, true
}

func parseGroup(line string) (e groupEntry, ok bool) {
	f := strings.Split(line, ":")
	if len(f) < 3 || f[0] == "" {
		return e, false
	}
	gid, err := strconv.ParseUint(f[2], 10, 32)
	if err != nil {
		return e, false
	}
	e = groupEntry{name: f[0], gid: uint32(gid)}
	if len(f) > 3 && f[3] != "" {
		e.members = strings.Split(f[3], ",")
	}
	return e, true
}

// findPasswd returns the first entry that match accepts.
func findPasswd(r io.Reader, match func(*passwdEntry) bool) (found passwdEntry, ok bool) {
	lines(r, func(line string) bool {
		e, valid := parsePasswd(line)
		if valid && match(&e) {
			found, ok = e, true
		}
		return !ok
	})
	return found, ok
}

// UserFiles opens the container's account files, when a name has to be looked up.
type UserFiles struct {
	Passwd, Group func() (io.ReadCloser, error)
}

// LookupUser reads USER[:GROUP] of `exec --user`, each a number or a name. What
// it does not say is taken from base, the container's user; but a user given by
// name also brings the groups that the container's files list. A number is
// never looked up, and needs no file.
func LookupUser(text string, base specs.User, files UserFiles) (specs.User, error) {
	name, group, hasGroup := strings.Cut(text, ":")
	user := base
	named := ""
	if uid, err := strconv.ParseUint(name, 10, 32); err == nil {
		user.UID = uint32(uid)
	} else {
		entry, err := lookupName(name, files)
		if err != nil {
			return base, err
		}
		named, user.UID, user.GID, user.AdditionalGids = name, entry.uid, entry.gid, nil
	}
	if hasGroup {
		gid, err := lookupGroup(group, files)
		user.GID = gid
		return user, err
	}
	if named == "" {
		return user, nil
	}
	gids, err := groupsOf(named, user.GID, files)
	user.AdditionalGids = gids
	return user, err
}

var (
	errNoUser  = errors.New("no such user in the container's /etc/passwd")
	errNoGroup = errors.New("no such group in the container's /etc/group")
)

func userError(name string, err error) error {
	return &diag.Error{Op: "user", Path: name, Err: err, Hint: "give uid[:gid]", Code: "no-such-user"}
}

func lookupName(name string, files UserFiles) (passwdEntry, error) {
	if name == "" || name[0] == '-' || name[0] == '+' {
		return passwdEntry{}, userError(name, errors.New("is neither a uid nor a name"))
	}
	r, err := files.Passwd()
	if err != nil {
		return passwdEntry{}, userError(name, fmt.Errorf("%w: %w", errNoUser, err))
	}
	defer r.Close()
	entry, ok := findPasswd(io.LimitReader(r, passwdLimit), func(e *passwdEntry) bool { return e.name == name })
	if !ok {
		return entry, userError(name, errNoUser)
	}
	return entry, nil
}

func lookupGroup(name string, files UserFiles) (uint32, error) {
	if gid, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(gid), nil
	}
	r, err := files.Group()
	if err != nil {
		return 0, &diag.Error{Op: "group", Path: name, Err: fmt.Errorf("%w: %w", errNoGroup, err)}
	}
	defer r.Close()
	var found *groupEntry
	lines(io.LimitReader(r, passwdLimit), func(line string) bool {
		if e, ok := parseGroup(line); ok && e.name == name {
			found = &e
		}
		return found == nil
	})
	if found == nil {
		return 0, &diag.Error{Op: "group", Path: name, Err: errNoGroup, Hint: "give a gid", Code: "no-such-group"}
	}
	return found.gid, nil
}

// groupsOf lists the groups that user is a member of, but for the primary one.
// A container without group file has none.
func groupsOf(user string, primary uint32, files UserFiles) (gids []uint32, err error) {
	r, err := files.Group()
	if err != nil {
		return nil, nil
	}
	defer r.Close()
	lines(io.LimitReader(r, passwdLimit), func(line string) bool {
		e, ok := parseGroup(line)
		if ok && e.gid != primary && slices.Contains(e.members, user) && !slices.Contains(gids, e.gid) {
			gids = append(gids, e.gid)
		}
		return len(gids) < maxGroups
	})
	return gids, nil
}

// maxGroups is NGROUPS_MAX, setgroups(2).
const maxGroups = 65536
