package process

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Explain adds to the Fault of a stage that could not become the program what
// an administrator would have found by looking. Root is a descriptor of the
// container's root, O_PATH will do; linux has the id mappings and may be nil.
// Other errors are returned as they are. It looks, and reads files of the
// image, only here: on the way to a failure.
func Explain(err error, process *specs.Process, root int, linux *specs.Linux) error {
	var fault *diag.Error
	if process == nil || !errors.As(err, &fault) || fault.Hint != "" {
		return err
	}
	v := &view{root: root, cwd: process.Cwd, viewer: viewerOf(process, linux)}
	switch {
	case fault.Field == programField && len(process.Args) > 0:
		return v.program(fault, process)
	case fault.Field == cwdField && fault.Path != "":
		return &diag.Error{Field: cwdField, Op: "chdir", Path: process.Cwd, Err: fault.Err, Hint: v.pathHint(process.Cwd, errnoOf(fault))}
	}
	return diag.Explained(fault)
}

func errnoOf(err error) unix.Errno {
	var errno unix.Errno
	errors.As(err, &errno)
	return errno
}

// program words the failure to find or execute args[0]. The beginning of each
// text is what Go's os/exec says, which is what engines look for to tell users
// "not found" (127) from "cannot be executed" (126).
func (v *view) program(fault *diag.Error, process *specs.Process) error {
	name := process.Args[0]
	e := &diag.Error{Field: fault.Field, Op: "exec:", Path: name, Err: fault.Err}
	paths := Candidates(name, process.Env)
	if fault.Op != "execve" && !strings.Contains(name, "/") {
		e.Err, e.Code = errNotFound, "program-not-found"
		e.Hint = v.almostHint(paths)
		return e
	}
	path := v.firstProgram(paths)
	errno := errnoOf(fault)
	if errno == 0 {
		errno = v.notRegular(path)
	}
	switch errno {
	case unix.EISDIR:
		// Docker 20.10 only knows the second half.
		e.Err, e.Code = fmt.Errorf("%w: %w", unix.EISDIR, unix.EACCES), "program-is-directory"
	case unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.ENAMETOOLONG:
		if fault.Op != "execve" {
			e.Err, e.Code = fmt.Errorf("stat %s: %w", name, errno), "program-not-found"
			e.Hint = v.pathHint(path, errno)
			break
		}
		e.Code, e.Hint = "program-incomplete", v.contentHint(path)
	case unix.EACCES, unix.EPERM:
		e.Err, e.Code, e.Hint = unix.EACCES, "program-denied", v.deniedHint(path)
	case unix.ENOEXEC, unix.ELIBBAD, unix.EINVAL:
		e.Code, e.Hint = "program-format", v.contentHint(path)
	case unix.E2BIG:
		e.Code, e.Hint = "program-args", sizeHint(process)
	case unix.ETXTBSY:
		e.Code, e.Hint = "program-denied", "the file is open for writing"
	case unix.EAGAIN:
		e.Code, e.Hint = "process-limit", "the user has more processes than RLIMIT_NPROC allows"
	}
	return e
}

// firstProgram is the path that the stage chose: of several, the first that is
// a file with an execute bit.
func (v *view) firstProgram(paths []string) string {
	for _, path := range paths {
		if s, err := v.stat(path); err == nil && isProgram(s) {
			return path
		}
	}
	if len(paths) == 0 {
		return ""
	}
	return paths[0]
}

func isProgram(s *unix.Stat_t) bool { return s.Mode&unix.S_IFMT == unix.S_IFREG && s.Mode&0o111 != 0 }

// notRegular is the errno for a file that the stage found not to be a regular
// one, as execve(2) would give it.
func (v *view) notRegular(path string) unix.Errno {
	if s, err := v.stat(path); err == nil && s.Mode&unix.S_IFMT != unix.S_IFDIR {
		return unix.EACCES
	}
	return unix.EISDIR
}

// almostHint names files of the right name that are no programs.
func (v *view) almostHint(paths []string) string {
	for _, path := range paths {
		s, err := v.stat(path)
		if err == nil && !isProgram(s) {
			return fmt.Sprintf("%q is there, but %s", path, v.whyNot(path, s))
		}
		if err == nil {
			if hint := v.deniedHint(path); hint != "" {
				return fmt.Sprintf("%q is there, but %s", path, hint)
			}
		}
	}
	return ""
}

// whyNot says what s, which is no program, is instead.
func (v *view) whyNot(path string, s *unix.Stat_t) string {
	if s.Mode&unix.S_IFMT != unix.S_IFREG {
		return "is " + fileType(s.Mode)
	}
	return "is not executable: its mode is " + modeText(s.Mode)
}

func modeText(mode uint32) string { return fmt.Sprintf("%04o", mode&0o7777) }

func fileType(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFIFO:
		return "a named pipe"
	case unix.S_IFSOCK:
		return "a socket"
	case unix.S_IFCHR, unix.S_IFBLK:
		return "a device"
	case unix.S_IFLNK:
		return "a symbolic link"
	}
	return "a file"
}

// sizeHint says how large what execve(2) has to copy is.
func sizeHint(process *specs.Process) string {
	size, longest := 0, 0
	for _, list := range [][]string{process.Args, process.Env} {
		for _, s := range list {
			size += len(s) + 1
			longest = max(longest, len(s)+1)
		}
	}
	return fmt.Sprintf("arguments and environment have %d bytes, the longest string %d; the kernel allows a quarter of RLIMIT_STACK, and 131072 for one string",
		size, longest)
}

// Died words the end of a container process that neither became the program nor
// reported why not.
func Died(status unix.WaitStatus, filtered bool) error {
	e := &diag.Error{Code: "died-before-program"}
	if !status.Signaled() {
		e.Err = errors.New("container process ended before its program ran: exit status " + strconv.Itoa(status.ExitStatus()))
		return e
	}
	e.Err = fmt.Errorf("container process was killed before its program ran: %s", unix.SignalName(status.Signal()))
	if status.Signal() == unix.SIGSYS && filtered {
		e.Hint = "the seccomp filter forbids execve, or what the program did first"
	}
	return e
}

// A view is the container's file system as its process sees it, looked at from
// outside.
type view struct {
	root   int
	cwd    string
	viewer viewer
}

// absolute makes path relative to the root; a relative one starts at cwd.
func (v *view) absolute(path string) string {
	if !strings.HasPrefix(path, "/") {
		path = v.cwd + "/" + path
	}
	return path
}

// open returns an O_PATH descriptor, which has no side effects.
func (v *view) open(path string, flags uint64) (int, error) {
	return unix.Openat2(v.root, v.absolute(path), &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC | flags,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
}

func (v *view) stat(path string) (*unix.Stat_t, error) { return v.statFlags(path, 0) }

func (v *view) statFlags(path string, flags uint64) (*unix.Stat_t, error) {
	fd, err := v.open(path, flags)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	s := &unix.Stat_t{}
	return s, unix.Fstat(fd, s)
}

// prefixes lists the directories on the way to path, from "/" on, then path.
func (v *view) prefixes(path string) []string {
	list := []string{"/"}
	at := ""
	for _, part := range strings.Split(v.absolute(path), "/") {
		if part != "" && part != "." {
			at += "/" + part
			list = append(list, at)
		}
	}
	return list
}

// pathHint says where the way to path ends.
func (v *view) pathHint(path string, errno unix.Errno) string {
	if errno == unix.EACCES || errno == unix.EPERM {
		return v.searchHint(path)
	}
	last := "/"
	for _, at := range v.prefixes(path) {
		s, err := v.stat(at)
		if err != nil {
			return v.endHint(last, at)
		}
		if s.Mode&unix.S_IFMT != unix.S_IFDIR {
			return fmt.Sprintf("%q is %s", at, fileType(s.Mode))
		}
		last = at
	}
	return ""
}

// endHint says why there is no file at, below the directory dir.
func (v *view) endHint(dir, at string) string {
	if target, ok := v.readlink(at); ok {
		return fmt.Sprintf("%q is a symbolic link to %q, which does not exist", at, target)
	}
	names, mount := v.list(dir)
	and := ""
	if mount && dir != "/" { // it may hide what the image has there
		and = " is a mount and"
	}
	switch {
	case names == nil:
		return ""
	case len(names) == 0 && and != "":
		return fmt.Sprintf("%q%s empty", dir, and)
	case len(names) == 0:
		return fmt.Sprintf("%q is empty", dir)
	}
	return fmt.Sprintf("%q%s has %s", dir, and, strings.Join(names, " "))
}

func (v *view) readlink(path string) (string, bool) {
	fd, err := v.open(path, unix.O_NOFOLLOW)
	if err != nil {
		return "", false
	}
	defer unix.Close(fd)
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return "", false
	}
	return string(buf[:n]), true
}
