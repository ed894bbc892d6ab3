package rootfs

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// options is what the options of one mount ask for (config.md#mounts).
type options struct {
	bind, recursive bool // bind, rbind
	remount         bool
	own, tree       attributes    // of the mount itself; of all mounts below it as well
	propagation     []propagation // in the order given
	super           []option      // flags of the file system, not of the mount
	data            []option      // what only the file system knows

	copyUp         bool // tmpcopyup: fill the tmpfs with what it covers
	copySymlink    bool // copy-symlink: a source that is a link is made, not mounted
	sourceNofollow bool // src-nofollow
	destNofollow   bool // dest-nofollow
	idmap          bool // idmap, ridmap
	idmapTree      bool // ridmap
	idmapping      string
}

// option is a key=value pair, or a flag, and its place in the list.
type option struct {
	index      int
	key, value string
	flag       bool // no "="
}

// attributes are MOUNT_ATTR_* to set and to clear, as mount_setattr(2) takes them.
type attributes struct{ set, clear uint64 }

// propagation is one of MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE.
type propagation struct {
	kind      uint64
	recursive bool
}

func (a attributes) empty() bool { return a == attributes{} }

// apply adds another option, which wins over earlier ones.
func (a *attributes) apply(f attributes) {
	a.set = a.set&^f.clear | f.set
	a.clear = a.clear&^f.set | f.clear
}

// access returns what changes the access time mode, which is not a bit but a
// number: it must be cleared as a whole (mount_setattr(2)).
func access(mode uint64) attributes {
	return attributes{set: mode, clear: unix.MOUNT_ATTR__ATIME}
}

// attributeOption returns the attributes that the option name stands for, in
// its plain form.
func attributeOption(name string) (attributes, bool) {
	switch name {
	case "ro":
		return attributes{set: unix.MOUNT_ATTR_RDONLY}, true
	case "rw":
		return attributes{clear: unix.MOUNT_ATTR_RDONLY}, true
	case "nosuid":
		return attributes{set: unix.MOUNT_ATTR_NOSUID}, true
	case "suid":
		return attributes{clear: unix.MOUNT_ATTR_NOSUID}, true
	case "nodev":
		return attributes{set: unix.MOUNT_ATTR_NODEV}, true
	case "dev":
		return attributes{clear: unix.MOUNT_ATTR_NODEV}, true
	case "noexec":
		return attributes{set: unix.MOUNT_ATTR_NOEXEC}, true
	case "exec":
		return attributes{clear: unix.MOUNT_ATTR_NOEXEC}, true
	case "nodiratime":
		return attributes{set: unix.MOUNT_ATTR_NODIRATIME}, true
	case "diratime":
		return attributes{clear: unix.MOUNT_ATTR_NODIRATIME}, true
	case "nosymfollow":
		return attributes{set: unix.MOUNT_ATTR_NOSYMFOLLOW}, true
	case "symfollow":
		return attributes{clear: unix.MOUNT_ATTR_NOSYMFOLLOW}, true
	case "noatime":
		return access(unix.MOUNT_ATTR_NOATIME), true
	case "strictatime":
		return access(unix.MOUNT_ATTR_STRICTATIME), true
	case "relatime", "norelatime", "nostrictatime", "atime":
		return access(unix.MOUNT_ATTR_RELATIME), true // the kernel's default
	}
	return attributes{}, false
}

func propagationOption(name string) (propagation, bool) {
	plain, recursive := strings.CutPrefix(name, "r")
	switch plain {
	case "shared":
		return propagation{unix.MS_SHARED, recursive}, true
	case "slave":
		return propagation{unix.MS_SLAVE, recursive}, true
	case "private":
		return propagation{unix.MS_PRIVATE, recursive}, true
	case "unbindable":
		return propagation{unix.MS_UNBINDABLE, recursive}, true
	}
	return propagation{}, false
}

// ignored reports options that ask for nothing: mount(8) keeps some for itself
// (fstab(5)), and of silent and loud the kernel makes nothing any more.
func ignored(name string) bool {
	switch name {
	case "defaults", "silent", "loud", "auto", "noauto", "user", "nouser", "users", "group", "owner", "nofail", "_netdev":
		return true
	}
	return strings.HasPrefix(name, "x-") || strings.HasPrefix(name, "X-") || strings.HasPrefix(name, "comment=")
}

// superOption reports flags of a file system as a whole.
func superOption(name string) bool {
	switch name {
	case "sync", "async", "dirsync", "mand", "nomand", "lazytime", "nolazytime", "iversion", "noiversion":
		return true
	}
	return false
}

// parseOptions sorts the options of a mount. It knows no file system, so the
// unknown ones are data for the file system, or for bind mounts errors.
func parseOptions(field string, list []string) (options, error) {
	var o options
	for i, s := range list {
		if err := o.add(i, s); err != nil {
			return o, &diag.Error{Field: optionField(field, i), Op: "option", Path: s, Err: err, Code: "mount-option"}
		}
	}
	return o, nil
}

func optionField(field string, i int) string { return field + ".options[" + strconv.Itoa(i) + "]" }

func (o *options) add(i int, s string) error {
	if a, ok := attributeOption(s); ok {
		o.own.apply(a)
		return nil
	}
	if plain, ok := strings.CutPrefix(s, "r"); ok {
		if a, ok := attributeOption(plain); ok {
			o.tree.apply(a)
			return nil
		}
		if superOption(plain) {
			return nil // rsync and the like: only the superblock has these
		}
	}
	if p, ok := propagationOption(s); ok {
		o.propagation = append(o.propagation, p)
		return nil
	}
	if o.special(s) || ignored(s) {
		return nil
	}
	key, value, assigned := strings.Cut(s, "=")
	if key == "" {
		return errors.New("is empty")
	}
	parsed := option{i, key, value, !assigned}
	switch {
	case key == "idmap" || key == "ridmap":
		return o.addIDMap(parsed)
	case !assigned && superOption(key):
		o.super = append(o.super, parsed)
	default:
		o.data = append(o.data, parsed)
	}
	return nil
}

// special takes the options that are no attribute of a mount.
func (o *options) special(name string) bool {
	switch name {
	case "bind":
		o.bind = true
	case "rbind":
		o.bind, o.recursive = true, true
	case "remount":
		o.remount = true
	case "tmpcopyup":
		o.copyUp = true
	case "copy-symlink":
		o.copySymlink = true
	case "src-nofollow":
		o.sourceNofollow = true
	case "dest-nofollow":
		o.destNofollow = true
	default:
		return false
	}
	return true
}

func (o *options) addIDMap(p option) error {
	o.idmap = true
	o.idmapTree = o.idmapTree || p.key == "ridmap"
	if p.flag {
		return nil
	}
	if _, _, err := parseIDMapping(p.value); err != nil {
		return err
	}
	o.idmapping = p.value
	return nil
}
