package libcontainer

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/json"
	"ociruntime/libcontainer/criu"
	"ociruntime/nsenter"
)

// images are the directories of a checkpoint, open. CRIU gets descriptors of
// ours, as its own mounts may be others.
type images struct {
	fd, work            int // work is -1 where it is the same
	imagePath, workPath string
}

// openImages opens both directories; a checkpoint makes what is missing, for
// root alone: memory holds secrets.
func openImages(path, work string, makes bool) (images, error) {
	m := images{fd: -1, work: -1}
	var err error
	if m.imagePath, m.fd, err = openImageDir("--image-path", path, makes); err != nil {
		return m, err
	}
	if m.workPath = m.imagePath; work == "" {
		return m, nil
	}
	if m.workPath, m.work, err = openImageDir("--work-path", work, true); err != nil {
		unix.Close(m.fd)
	}
	return m, err
}

func openImageDir(flag, path string, makes bool) (string, int, error) {
	absolute, err := filepath.Abs(path)
	if err == nil && makes {
		err = os.MkdirAll(absolute, 0o700)
	}
	fd := -1
	if err == nil {
		fd, err = unix.Open(absolute, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return "", -1, &diag.Error{Field: flag, Op: "open", Path: path, Err: bareError(err), Code: "criu-images"}
	}
	return absolute, fd, nil
}

// bareError drops what a path error repeats.
func bareError(err error) error {
	if e := (*os.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// reopen records that the stage opens the directories again and hands them over,
// see take. criu looks them up in our descriptors and makes mounts in the second,
// which it can only in its own mount namespace.
func (m *images) reopen(p *nsenter.Program) {
	p.At("--work-path")
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY}
	p.Send(syncImages, 0, p.Openat2(nsenter.AtCWD, m.imagePath, how), p.Openat2(nsenter.AtCWD, m.workPath, how))
}

// syncImages is reported by the stage of a restore, with both directories.
const syncImages nsenter.Sync = 19

// take replaces the directories by those that the stage has opened.
func (m *images) take(s *nsenter.Stage, timeout time.Duration) error {
	event, err := s.Next(timeout)
	if err != nil {
		return err
	}
	if event.Sync != syncImages || len(event.Files) != 2 {
		return errors.New("bug: unknown report of the stage")
	}
	m.close()
	m.fd, m.work = event.Files[0], event.Files[1]
	return nil
}

func (m *images) dirs() criu.Dirs { return criu.Dirs{Images: m.fd, Work: m.work} }

// log is the path of a log.
func (m *images) log(name string) string { return m.workPath + "/" + name }

func (m *images) close() {
	closeFD(m.fd)
	closeFD(m.work)
}

// checkParent refuses a --parent-path that is no directory below, or beside,
// the images: CRIU would go on, and dump all memory.
func checkParent(images int, parent string) error {
	if parent == "" {
		return nil
	}
	fd, err := unix.Openat(images, parent, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &diag.Error{Field: "--parent-path", Op: "open", Path: parent, Err: err, Hint: "it is relative to --image-path", Code: "criu-images"}
	}
	unix.Close(fd)
	return nil
}

// descriptorsFile is where runc, and so we, keep in the images what stdin,
// stdout and stderr were: a restore puts its own in their place.
const descriptorsFile = "descriptors.json"

func writeDescriptors(images int, names []string) error {
	fd, err := unix.Openat(images, descriptorsFile, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err == nil {
		_, err = unix.Write(fd, json.AppendStrings(nil, names))
		if closeErr := unix.Close(fd); err == nil {
			err = closeErr
		}
	}
	if err != nil {
		return &diag.Error{Op: "write", Path: descriptorsFile, Err: err, Code: "criu-images"}
	}
	return nil
}

// readDescriptors reads them back; it is also what tells whether there are
// images.
func readDescriptors(images int, path string) ([]string, error) {
	file, err := os.ReadFile("/proc/self/fd/" + strconv.Itoa(images) + "/" + descriptorsFile)
	if err != nil {
		return nil, &diag.Error{Field: "--image-path", Op: "open", Path: path + "/" + descriptorsFile, Err: bareError(err),
			Hint: "it holds no checkpoint that was finished", Code: "criu-images"}
	}
	d := json.NewDecoder(string(file))
	names := json.Strings[string](d)
	if problems := d.Close(); len(problems) > 0 || len(names) != 3 {
		return nil, &diag.Error{Field: "--image-path", Op: "read", Path: path + "/" + descriptorsFile, Err: errors.New("is not a list of three names"), Code: "criu-images"}
	}
	return names, nil
}
