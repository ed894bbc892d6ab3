package rootfs

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// Explain adds to a fault of the stage what can be seen of its cause, while the
// stage still holds what it worked on. Errors of others are returned as they are.
func (r *Rootfs) Explain(s *nsenter.Stage, err error) error {
	var e *diag.Error
	if !errors.As(err, &e) || e.Hint != "" {
		return err
	}
	x := explainer{Rootfs: r, stage: s, e: e, m: r.mountOf(e.Field)}
	if better := x.explain(); better != nil {
		return better
	}
	if known := diag.Explained(e); known != e {
		return known
	}
	return err
}

// mountOf returns the entry of mounts that field lies in, or nil.
func (r *Rootfs) mountOf(field string) *mount {
	index, ok := strings.CutPrefix(field, "mounts[")
	if !ok {
		return nil
	}
	index, _, _ = strings.Cut(index, "]")
	i, err := strconv.Atoi(index)
	if err != nil || i >= len(r.mounts) {
		return nil
	}
	return &r.mounts[i]
}

type explainer struct {
	*Rootfs
	stage *nsenter.Stage
	e     *diag.Error
	m     *mount // whose field is blamed, or nil
}

// explain returns the error in better words, or nil.
func (x *explainer) explain() error {
	is := func(op string, errno unix.Errno) bool { return x.e.Op == op && errors.Is(x.e.Err, errno) }
	switch {
	case x.e.Op == "fsconfig" && x.m != nil:
		return x.fsconfig()
	case is("fsmount", unix.EPERM) || is("fsopen", unix.EPERM):
		return x.newFSDenied()
	case is("openat2", unix.ELOOP) && x.m != nil && x.m.strict(), is("openat2", unix.ENOTDIR) && x.m != nil && x.m.strict():
		return x.notOrdinary()
	case x.m != nil && (errors.Is(x.e.Err, unix.ENOTDIR) || is("move_mount", unix.EINVAL)):
		return x.mismatch()
	case x.m != nil && errors.Is(x.e.Err, unix.EROFS):
		return x.hint("mount-destination", "the mountpoint /"+x.m.dest+" is missing in the image, and its file system is read-only")
	case x.m != nil && is("openat2", unix.ENOENT):
		return x.dangling()
	case is("mount_setattr", unix.EPERM) && x.m != nil:
		return x.locked()
	case strings.HasPrefix(x.e.Field, "linux.sysctl") && is("openat2", unix.ENOENT):
		return x.noSysctl()
	case x.e.Field == "/dev" && (errors.Is(x.e.Err, unix.ELOOP) || errors.Is(x.e.Err, unix.ENOTDIR)):
		return &diag.Error{Field: "root.path", Path: "/dev", Err: errDevLink,
			Hint: "and no mount covers it; devices would be made where it leads to", Code: "rootfs-dev"}
	}
	return nil
}

// hint returns the error with a code and a hint added.
func (x *explainer) hint(code diag.Code, text string) error {
	e := *x.e
	e.Code, e.Hint = code, text
	return &e
}

// fsconfig quotes the kernel's own log of the file system's context.
func (x *explainer) fsconfig() error {
	log := ""
	if fd, err := x.stage.File(x.context); err == nil {
		log = kernelLog(fd)
		unix.Close(fd)
	}
	if log == "" && errors.Is(x.e.Err, unix.EPERM) {
		return x.newFSDenied()
	}
	return explainOption(x.e, x.m.fstype, log)
}

// explainOption words the refusal of an option by what the kernel has logged;
// nil if that is nothing.
func explainOption(e *diag.Error, fstype, log string) error {
	if _, name, ok := strings.Cut(log, "Unknown parameter '"); ok {
		name, _, _ = strings.Cut(name, "'")
		return unknownOption(e.Field, name, fstype, fsOptions(fstype)...)
	}
	if log == "" {
		return nil
	}
	with := *e
	with.Code, with.Hint = "mount-option", log
	return &with
}

// kernelLog reads the messages of a file system's context, "e text" a line
// (fsopen(2)).
func kernelLog(context int) string {
	var lines []string
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(context, buf)
		if err != nil || n == 0 {
			return strings.Join(lines, "; ")
		}
		text := strings.TrimSpace(string(buf[:n]))
		if len(text) > 2 && text[1] == ' ' {
			text = text[2:]
		}
		lines = append(lines, text)
	}
}

// newFSDenied explains why a user namespace may not have a new procfs or sysfs.
func (x *explainer) newFSDenied() error {
	if x.m == nil || !x.in.Userns {
		return nil
	}
	switch x.m.fstype {
	case "proc":
		covered := x.mountsBelow("/proc")
		if len(covered) == 0 {
			return x.hint("mount-refused", "a new procfs needs a pid namespace of the container's own user namespace")
		}
		return x.hint("mount-refused", "the kernel refuses a new procfs here because the outer /proc is partly covered: "+strings.Join(covered, ", "))
	case "sysfs":
		return x.hint("mount-refused", "a new sysfs needs a network namespace of the container's own; bind the host's /sys instead")
	case "mqueue":
		return x.hint("mount-refused", "a new mqueue needs an ipc namespace of the container's own")
	}
	return nil
}

// mountsBelow lists mounts of the stage's namespace below dir, four at most,
// without those on directories that the kernel keeps empty for them.
func (x *explainer) mountsBelow(dir string) []string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(x.stage.Pid) + "/mountinfo")
	if err != nil {
		return nil
	}
	var list []string
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 5 || fields[4] == dir || !below(fields[4], dir) {
			continue
		}
		if fields[4] == "/proc/sys/fs/binfmt_misc" || fields[4] == "/proc/fs/nfsd" {
			continue
		}
		if len(list) == 4 {
			return append(list, "...")
		}
		list = append(list, unescape(fields[4]))
	}
	return list
}

// noSysctl names the sysctl that may have been meant.
func (x *explainer) noSysctl() error {
	e := &diag.Error{Field: x.e.Field, Err: errors.New("no such sysctl"), Code: "sysctl-unknown"}
	path := "/proc/" + x.e.Path
	if names, err := os.ReadDir(filepath.Dir(path)); err == nil {
		var list []string
		for _, name := range names {
			list = append(list, name.Name())
		}
		if near := nearSysctl(list, filepath.Base(path)); near != "" {
			e.Hint = `did you mean "` + sysctlKey(path, near) + `"?`
		}
	}
	return e
}

// sysctlKey is the name, with dots, of the sysctl near in the directory of path.
func sysctlKey(path, near string) string {
	dir := strings.TrimPrefix(filepath.Dir(path), "/proc/sys/")
	return strings.ReplaceAll(dir, "/", ".") + "." + near
}

// notOrdinary words a /proc, /sys or /dev that is a link or a file.
func (x *explainer) notOrdinary() error {
	return &diag.Error{Field: x.m.field + ".destination", Path: "/" + x.m.dest,
		Err: errNotOrdinary, Hint: "in the image it is " + x.inRoot(x.m.dest), Code: "mount-destination"}
}

// mismatch tells what is at both ends of a mount that wants a file where a
// directory is, or the other way round.
func (x *explainer) mismatch() error {
	m := x.m
	if at, ok := x.fileAbove(m.dest); ok {
		return &diag.Error{Field: m.field + ".destination", Path: "/" + m.dest, Err: unix.ENOTDIR, Code: "mount-destination",
			Hint: at + " is a file in the container's root, so nothing can be below it"}
	}
	source := "a new " + m.fstype
	if m.family == familyBind {
		source = m.source + ", " + describe(unix.AT_FDCWD, m.source, m.sourceNofollow) + ","
	}
	return &diag.Error{Field: m.field, Op: "mount", Path: "/" + m.dest, Err: unix.ENOTDIR, Code: "mount-mismatch",
		Hint: "cannot put " + source + " onto " + x.inRoot(m.dest) + x.behindLink(m.dest)}
}

// fileAbove returns the part of path that is no directory.
func (x *explainer) fileAbove(path string) (string, bool) {
	root, err := x.stage.File(x.root)
	if err != nil {
		return "", false
	}
	defer unix.Close(root)
	for dir := directory(path); dir != ""; dir = directory(dir) {
		st, err := statInRoot(root, dir)
		if err == nil {
			return "/" + dir, st.Mode&unix.S_IFMT != unix.S_IFDIR
		}
	}
	return "", false
}

// inRoot describes what is at path in the container's root.
func (x *explainer) inRoot(path string) string {
	root, err := x.stage.File(x.root)
	if err != nil {
		return "/" + path
	}
	defer unix.Close(root)
	return describe(root, path, true)
}

// behindLink adds what a link at path leads to, inside the root.
func (x *explainer) behindLink(path string) string {
	root, err := x.stage.File(x.root)
	if err != nil {
		return ""
	}
	defer unix.Close(root)
	if to := describe(root, path, false); to != describe(root, path, true) {
		return ", " + to
	}
	return ""
}

// dangling words a destination that cannot be made since a link is in its way.
func (x *explainer) dangling() error {
	root, err := x.stage.File(x.root)
	if err != nil {
		return nil
	}
	defer unix.Close(root)
	for path := x.m.dest; path != ""; path = directory(path) {
		what := describe(root, path, true)
		if strings.HasPrefix(what, "a symbolic link") {
			return &diag.Error{Field: x.m.field + ".destination", Path: "/" + x.m.dest, Err: unix.ENOENT, Code: "mount-destination",
				Hint: "/" + path + " is " + what + ", which does not exist in the image"}
		}
	}
	return nil
}

// locked names the flags that a user namespace may not clear.
func (x *explainer) locked() error {
	var fs unix.Statfs_t
	if x.m.family != familyBind || unix.Statfs(x.m.source, &fs) != nil {
		return nil
	}
	var names []string
	for _, f := range []struct {
		flag int64
		name string
	}{
		{unix.ST_RDONLY, "ro"}, {unix.ST_NOSUID, "nosuid"}, {unix.ST_NODEV, "nodev"}, {unix.ST_NOEXEC, "noexec"},
		{unix.ST_NOATIME, "noatime"}, {unix.ST_RELATIME, "relatime"},
	} {
		if fs.Flags&f.flag != 0 {
			names = append(names, f.name)
		}
	}
	return x.hint("mount-locked", "a user namespace may not change the flags that the mount of "+x.m.source+" came with: "+strings.Join(names, ","))
}
