package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// openRoot opens the state root. Only its owner may be able to write there: a
// state that others can forge would have us signal and delete for them. Nor may
// anybody else say where it is, by a symbolic link: he could name a directory
// like /etc, for us to delete "containers" from.
func (r *Runtime) openRoot() (int, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, r.Root, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err == unix.ELOOP {
		w := walker{}
		fd, err = w.walk(r.Root)
	}
	if err != nil {
		return -1, rootError("open", r.Root, err)
	}
	return r.owned(fd)
}

// owned closes fd and fails unless it is a directory that only we can write to.
func (r *Runtime) owned(fd int) (int, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	if err == nil {
		err = checkOwner(&st)
	}
	if err != nil {
		unix.Close(fd)
		return -1, rootError("use state root", r.Root, err)
	}
	return fd, nil
}

func checkOwner(st *unix.Stat_t) error {
	if err := checkMaker(st); err != nil {
		return err
	}
	if st.Mode&0o022 != 0 {
		return fmt.Errorf("is writable by others (mode %#o): %w", st.Mode&0o7777, unix.EPERM)
	}
	return nil
}

// checkMaker fails for what neither we nor root have made.
func checkMaker(st *unix.Stat_t) error {
	if uid := os.Geteuid(); int(st.Uid) != uid && st.Uid != 0 {
		return fmt.Errorf("belongs to uid %d, not to %d: %w", st.Uid, uid, unix.EPERM)
	}
	return nil
}

// makeRoot makes the state root if it is not there, and opens it.
func (r *Runtime) makeRoot() (int, error) {
	root, err := r.openRoot()
	if !errors.Is(err, unix.ENOENT) {
		return root, err
	}
	w := walker{make: true}
	fd, err := w.walk(r.Root)
	if err != nil {
		return -1, rootError("mkdir", r.Root, err)
	}
	return r.owned(fd)
}

// walker opens a directory by an absolute path, one name after the other. It
// follows the symbolic links of root and of the caller, and of nobody else.
type walker struct {
	make  bool // what is missing
	links int  // followed so far
}

// maxLinks is how many symbolic links path resolution follows, path_resolution(7).
const maxLinks = 40

func (w *walker) walk(path string) (int, error) {
	dir, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	rest := names(path)
	for i := 0; i < len(rest); i++ {
		next, target, err := w.step(dir, rest[i], i == len(rest)-1)
		switch {
		case err != nil:
			unix.Close(dir)
			return -1, err
		case next >= 0:
			unix.Close(dir)
			dir = next
		case strings.HasPrefix(target, "/"):
			unix.Close(dir)
			return w.walk(target + "/" + strings.Join(rest[i+1:], "/"))
		default:
			rest, i = append(names(target), rest[i+1:]...), -1
		}
	}
	return dir, nil
}

// names lists the elements of a path that lead anywhere.
func names(path string) []string {
	var list []string
	for name := range strings.SplitSeq(path, "/") {
		if name != "" && name != "." {
			list = append(list, name)
		}
	}
	return list
}

// step opens name in dir, or returns where it leads to if it is a link. The
// last one is made with the sticky bit, which keeps those away who clean up what
// has not been used for hours: XDG_RUNTIME_DIR says so, and systemd-tmpfiles(8)
// obeys.
func (w *walker) step(dir int, name string, last bool) (fd int, target string, err error) {
	const flags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err = unix.Openat(dir, name, flags, 0)
	if err == unix.ENOENT && w.make {
		if err = unix.Mkdirat(dir, name, 0o700); err == nil && last {
			err = unix.Fchmodat(dir, name, 0o700|unix.S_ISVTX, 0)
		}
		if err == nil || err == unix.EEXIST {
			fd, err = unix.Openat(dir, name, flags, 0)
		}
	}
	if err != nil {
		return -1, "", err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return fd, "", nil
	}
	defer unix.Close(fd)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFLNK {
		err = unix.ENOTDIR
	}
	if w.links++; err == nil && w.links > maxLinks {
		err = unix.ELOOP
	}
	if err == nil {
		if err = checkMaker(&st); err != nil {
			err = fmt.Errorf("the symbolic link %q %w", name, err)
		}
	}
	if err != nil {
		return -1, "", err
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	return -1, string(buf[:max(n, 0)]), err
}
