package rootfs

import (
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// askCopyUp records that the parent fills the new tmpfs with what it is about
// to cover.
func (r *Rootfs) askCopyUp(m *mount, at place, mounted nsenter.FD) {
	p := r.p
	p.At(m.field)
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY, Resolve: noLinks}
	name := at.name
	if name == "" {
		name = "."
	}
	p.Into(r.step[0])
	from := p.Openat2(at.dir, name, how)
	p.Into(r.step[1])
	to := p.Openat2(mounted, ".", how)
	index := p.Word()
	p.Put(index, uint64(m.index))
	p.Send(syncCopyUp, index, from, to)
	p.Wait()
	p.Close(from)
	p.Close(to)
}

// copyUp is the parent's side. It works by descriptors alone: the new tmpfs is
// mounted nowhere yet, and no link of the image is followed.
func (r *Rootfs) copyUp(s *nsenter.Stage, e nsenter.Event) error {
	for _, fd := range e.Files {
		defer unix.Close(fd)
	}
	if len(e.Files) != 2 || e.Value >= uint64(len(r.mounts)) {
		return &diag.Error{Field: "mounts", Op: "tmpcopyup", Err: unix.EBADF}
	}
	m := &r.mounts[e.Value]
	c, err := newCopier(e.Files[1])
	if err == nil {
		err = c.directory(e.Files[0], e.Files[1], "/"+m.dest)
		c.close()
	}
	if err != nil {
		return &diag.Error{Field: m.field, Op: "tmpcopyup", Err: err}
	}
	return s.Reply([]byte{1})
}

// copier copies a tree into a file system that may belong to a user namespace:
// files can be made there only by an owner the namespace knows, so they are
// made by its root, and given away afterwards.
type copier struct {
	uid, gid int  // its root, as the runtime sees it
	foreign  bool // that is not who we are
}

func newCopier(to int) (*copier, error) {
	var st unix.Stat_t
	if err := unix.Fstat(to, &st); err != nil {
		return nil, err
	}
	c := &copier{uid: int(st.Uid), gid: int(st.Gid)}
	c.foreign = c.uid != os.Geteuid() || c.gid != os.Getegid()
	if c.foreign {
		runtime.LockOSThread() // setfsuid(2) is the thread's
	}
	return c, nil
}

func (c *copier) close() {
	if c.foreign {
		runtime.UnlockOSThread()
	}
}

// make runs f, which makes one file, as the target's root.
func (c *copier) make(f func() error) error {
	if !c.foreign {
		return f()
	}
	gid, _ := unix.SetfsgidRetGid(c.gid)
	uid, _ := unix.SetfsuidRetUid(c.uid)
	err := f()
	_, _ = unix.SetfsuidRetUid(uid) // back to what was allowed before
	_, _ = unix.SetfsgidRetGid(gid)
	return err
}

// directory copies what is in from, and then what from itself is like.
func (c *copier) directory(from, to int, path string) error {
	dup, err := unix.Openat(from, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &diag.Error{Op: "open", Path: path, Err: err}
	}
	d := os.NewFile(uintptr(dup), path)
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.entry(from, to, name, path+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) entry(from, to int, name, path string) error {
	var st unix.Stat_t
	err := unix.Fstatat(from, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return &diag.Error{Op: "stat", Path: path, Err: err}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		err = c.subdirectory(from, to, name, path)
	case unix.S_IFREG:
		err = c.regular(from, to, name)
	case unix.S_IFLNK:
		err = c.symlink(from, to, name)
	default:
		err = c.make(func() error { return unix.Mknodat(to, name, st.Mode&unix.S_IFMT|0o600, int(st.Rdev)) })
	}
	if err == nil {
		err = copyAttributes(to, name, &st)
	}
	if err != nil {
		return &diag.Error{Op: "copy", Path: path, Err: err}
	}
	return nil
}

// copyAttributes gives the copy its owner, mode and times, in the order that keeps
// set-uid bits.
func copyAttributes(to int, name string, st *unix.Stat_t) error {
	if err := unix.Fchownat(to, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Fchmodat(to, name, st.Mode&0o7777, 0); err != nil {
			return err
		}
	}
	return unix.UtimesNanoAt(to, name, []unix.Timespec{st.Atim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
}

func (c *copier) subdirectory(from, to int, name, path string) error {
	if err := c.make(func() error { return unix.Mkdirat(to, name, 0o700) }); err != nil {
		return err
	}
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	sub, err := unix.Openat(from, name, flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(sub)
	copied, err := unix.Openat(to, name, flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(copied)
	if err := c.directory(sub, copied, path); err != nil {
		return err
	}
	return copyXattrs(sub, copied)
}

func (c *copier) regular(from, to int, name string) error {
	in, err := openRegular(from, name)
	if err != nil {
		return err
	}
	defer unix.Close(in)
	out := -1
	err = c.make(func() (err error) {
		out, err = unix.Openat(to, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	defer unix.Close(out)
	for {
		n, err := unix.Sendfile(out, in, nil, 1<<30)
		if err != nil {
			return err
		}
		if n == 0 {
			return copyXattrs(in, out)
		}
	}
}

// openRegular opens a file for reading, after making sure that it is one: to
// open a device, which somebody may put in its place, can have effects.
func openRegular(dir int, name string) (int, error) {
	path, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(path)
	var st unix.Stat_t
	if err := unix.Fstat(path, &st); err != nil {
		return -1, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return -1, unix.ESTALE
	}
	return unix.Open("/proc/self/fd/"+strconv.Itoa(path), unix.O_RDONLY|unix.O_CLOEXEC, 0)
}

func (c *copier) symlink(from, to int, name string) error {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(from, name, buf)
	if err != nil {
		return err
	}
	return c.make(func() error { return unix.Symlinkat(string(buf[:n]), to, name) })
}

// copyXattrs copies extended attributes, such as file capabilities, as far as
// the tmpfs takes them.
func copyXattrs(from, to int) error {
	names := make([]byte, 65536) // XATTR_LIST_MAX, as is the size of a value
	n, err := unix.Flistxattr(from, names)
	if err != nil || n == 0 {
		return nil // a file system without them
	}
	value := make([]byte, 65536)
	for _, name := range splitNames(names[:n]) {
		size, err := unix.Fgetxattr(from, name, value)
		if err != nil {
			continue // not for us to read
		}
		err = unix.Fsetxattr(to, name, value[:size], 0)
		if err != nil && err != unix.EOPNOTSUPP && err != unix.EPERM {
			return &diag.Error{Op: "setxattr", Path: strconv.Quote(name), Err: err}
		}
	}
	return nil
}

func splitNames(list []byte) []string {
	var names []string
	start := 0
	for i, b := range list {
		if b == 0 {
			names = append(names, string(list[start:i]))
			start = i + 1
		}
	}
	return names
}
