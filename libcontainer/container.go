package libcontainer

import (
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/cgroups"
	"ociruntime/internal/diag"
)

// Files of a container's directory ROOT/ID.
const (
	recordFile = "state.json"  // the record; replaced by rename only
	configFile = "config.json" // the bundle's config.json as it was at create
	gateFile   = "start.sock"  // where the stage waits for start; gone once started
)

// container is the directory of one container, open and perhaps locked. The
// directory is held by descriptor: its path may be longer than a socket address.
type container struct {
	*record
	runtime *Runtime
	id      string
	entry   string // name of the directory: the id, but see runPoststop
	dir     int

	timeline   *diag.Timeline // nil: not to be written
	foreground *foreground    // what can interrupt the command; nil: nothing but its end
}

// defaultTimeout bounds each wait that neither the spec nor the caller bounds.
const defaultTimeout = 60 * time.Second

func (r *Runtime) timeout() time.Duration {
	if r.Timeout > 0 {
		return r.Timeout
	}
	return defaultTimeout
}

// rootError words what is wrong with the state root.
func rootError(op, path string, err error) error {
	e := &diag.Error{Op: op, Path: path, Err: err}
	switch {
	case errors.Is(err, unix.EPERM):
		e.Code = "state-root"
	case op == "mkdir":
		e.Hint, e.Code = hintRoot(err), "state-root"
	}
	return e
}

// hintRoot tells an ordinary user why the state root is root's.
func hintRoot(err error) string {
	if errors.Is(err, unix.EACCES) && os.Geteuid() != 0 && os.Getenv("XDG_RUNTIME_DIR") == "" {
		return "without XDG_RUNTIME_DIR, an ordinary user has to name a directory with --root"
	}
	return ""
}

// reserve makes the directory of a new container, and locks it. From here on
// nobody else can create the id.
func (r *Runtime) reserve(id string) (*container, error) {
	root, err := r.makeRoot()
	if err != nil {
		return nil, err
	}
	defer unix.Close(root)
	switch err := unix.Mkdirat(root, id, 0o711); err {
	case nil:
	case unix.EEXIST:
		return nil, &diag.Error{Path: id, Err: ErrExist, Code: "exists"}
	default:
		return nil, &diag.Error{Op: "mkdir", Path: r.Root + "/" + id, Err: err, Hint: hintRoot(err)}
	}
	c, err := r.openDir(root, id)
	if err == nil {
		c.record = &record{Version: recordVersion, ID: id}
		if err = c.lock(); err != nil {
			c.close()
		}
	}
	if err != nil {
		if !errors.Is(err, ErrNotExist) { // it is empty, and still ours
			_ = unix.Unlinkat(root, id, unix.AT_REMOVEDIR) // the first error is the one to report
		}
		return nil, err
	}
	return c, nil
}

func (r *Runtime) openDir(root int, id string) (*container, error) {
	fd, err := unix.Openat(root, id, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &diag.Error{Op: "open", Path: r.Root + "/" + id, Err: err}
	}
	return &container{record: &record{}, runtime: r, id: id, entry: id, dir: fd}, nil
}

// find opens the directory of container id, without reading its record.
func (r *Runtime) find(id string) (*container, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	root, err := r.openRoot()
	if errors.Is(err, unix.ENOENT) {
		return nil, &diag.Error{Path: id, Err: ErrNotExist, Code: "not-found"}
	}
	if err != nil {
		return nil, err
	}
	defer unix.Close(root)
	c, err := r.openDir(root, id)
	if errors.Is(err, unix.ENOENT) {
		return nil, &diag.Error{Path: id, Err: ErrNotExist, Code: "not-found"}
	}
	return c, err
}

// load opens container id and reads its record.
func (r *Runtime) load(id string) (*container, error) {
	c, err := r.find(id)
	if err != nil {
		return nil, err
	}
	if err := c.read(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// loadLocked is load under the container's lock, for operations that change it.
func (r *Runtime) loadLocked(id string) (*container, error) {
	c, err := r.find(id)
	if err != nil {
		return nil, err
	}
	if err = c.lock(); err == nil {
		err = c.read()
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// lock takes the container's lock, an flock(2) on its directory, which the
// kernel releases when the holder ends, however it ends. A directory that was
// deleted while we waited is ErrNotExist.
func (c *container) lock() error {
	err := unix.Flock(c.dir, unix.LOCK_EX|unix.LOCK_NB)
	if err == unix.EWOULDBLOCK {
		err = c.waitForLock()
	}
	if err != nil {
		return &diag.Error{Op: "lock", Path: c.id, Err: err, Code: "locked"}
	}
	var st unix.Stat_t
	if err := unix.Fstat(c.dir, &st); err != nil || st.Nlink == 0 {
		return &diag.Error{Path: c.id, Err: ErrNotExist, Code: "not-found"}
	}
	return nil
}

// waitForLock blocks in a thread of its own, as flock(2) knows no timeout.
func (c *container) waitForLock() error {
	done := make(chan error, 1)
	go func() {
		for {
			err := unix.Flock(c.dir, unix.LOCK_EX)
			if err != unix.EINTR {
				done <- err
				return
			}
		}
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(c.runtime.timeout()):
		return &diag.Error{Err: errors.New("another command on this container did not end in " + c.runtime.timeout().String()), Hint: c.lockHolder(), Code: "locked"}
	}
}

// cgroup is the container's, to be closed by the caller.
func (c *container) cgroup() *cgroups.Group {
	group := cgroups.Load(c.Cgroup)
	group.SetMark(c.mark())
	return group
}

// mark tells the container from all others, also from those of the same id
// below another root: by its directory.
func (c *container) mark() string {
	var st unix.Stat_t
	if unix.Fstat(c.dir, &st) != nil {
		return "unknown" // and so on no cgroup
	}
	return c.id + "@" + strconv.FormatUint(st.Dev, 16) + ":" + strconv.FormatUint(st.Ino, 10)
}

func (c *container) unlock() { _ = unix.Flock(c.dir, unix.LOCK_UN) }

// close releases the directory and with it the lock.
func (c *container) close() { unix.Close(c.dir) }

// writeFile puts data into a file of the directory, whole or not at all.
func (c *container) writeFile(name string, data []byte) error {
	if err := c.prepare(name, data); err != nil {
		return err
	}
	return c.replace(name)
}

// prepare writes data beside the file, for replace to put into its place.
func (c *container) prepare(name string, data []byte) error {
	temporary := "." + name
	fd, err := unix.Openat(c.dir, temporary, unix.O_CREAT|unix.O_TRUNC|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &diag.Error{Op: "write", Path: c.path(name), Err: err}
	}
	n, err := unix.Write(fd, data)
	if err == nil && n != len(data) {
		err = unix.ENOSPC
	}
	if closeErr := unix.Close(fd); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = unix.Unlinkat(c.dir, temporary, 0) // the first error is the one to report
		return &diag.Error{Op: "write", Path: c.path(name), Err: err}
	}
	return nil
}

// replace makes what prepare wrote the file's content.
func (c *container) replace(name string) error {
	if err := unix.Renameat(c.dir, "."+name, c.dir, name); err != nil {
		return &diag.Error{Op: "write", Path: c.path(name), Err: err}
	}
	return nil
}

// maxFile bounds what is read back: a config.json is never larger.
const maxFile = 16 << 20

func (c *container) readFile(name string) ([]byte, error) {
	fd, err := unix.Openat(c.dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &diag.Error{Op: "open", Path: c.path(name), Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &diag.Error{Op: "stat", Path: c.path(name), Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > maxFile {
		return nil, &diag.Error{Op: "read", Path: c.path(name), Err: errors.New("is not a file of ours")}
	}
	data := make([]byte, st.Size)
	n, err := unix.Read(fd, data)
	if err != nil {
		return nil, &diag.Error{Op: "read", Path: c.path(name), Err: err}
	}
	return data[:n], nil
}

// path is a file's path, for messages.
func (c *container) path(name string) string {
	return c.runtime.Root + "/" + c.id + "/" + name
}
