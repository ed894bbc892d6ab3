package spec

import (
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/internal/json"
)

// ConfigFile is the name of the configuration in a bundle (bundle.md).
const ConfigFile = "config.json"

// maxConfigBytes bounds what is read: a seccomp profile that names every
// system call on its own, with thousands of mounts, stays below a tenth of it.
const maxConfigBytes = 16 << 20

// Load reads and decodes the config.json of a bundle. It returns the bytes as
// well, for the caller to keep: what happens to the file after create must
// have no effect (runtime.md#lifecycle).
func Load(bundle string) (config *specs.Spec, raw []byte, err error) {
	raw, err = readFile(filepath.Join(bundle, ConfigFile), 0)
	if errors.Is(err, unix.ENOENT) {
		// Engines and their tests know these words.
		err = &diag.Error{Op: "JSON specification file " + ConfigFile + " not found", Err: err, Code: CodeNotFound,
			Hint: "name the bundle with --bundle; runtime spec makes a configuration"}
	}
	if err != nil {
		return nil, nil, err
	}
	config, err = Decode(raw)
	return config, raw, inFile(err, ConfigFile, raw)
}

// LoadFile is Load for a configuration under any name, which ReadFile reads.
func LoadFile(path string, timeout time.Duration) (config *specs.Spec, raw []byte, err error) {
	if raw, err = ReadFile(path, timeout); err != nil {
		return nil, nil, err
	}
	config, err = Decode(raw)
	return config, raw, inFile(err, path, raw)
}

// inFile names the file when it is not JSON: the field reached does not tell
// where to look. For what is missing it names the property that was meant to be it.
func inFile(err error, path string, raw []byte) error {
	var problems Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			if (p.Code == json.CodeSyntax || p.Field == "") && p.Path == "" {
				p.Op, p.Path = "parse", path
			}
		}
	}
	if err == nil {
		return nil
	}
	return Misspelt(err, raw)
}

// ReadFile reads a file that the caller of a command named: a configuration,
// a process for exec, resources for update. It may be a pipe, which must not be
// silent for longer than timeout.
func ReadFile(path string, timeout time.Duration) ([]byte, error) { return readFile(path, timeout) }

// readFile is os.ReadFile with a limit, and without the poller that package os
// starts for a first file (three system calls). Without a timeout the file must
// be a regular one.
func readFile(path string, timeout time.Duration) ([]byte, error) {
	// O_NONBLOCK: to open a FIFO waits for a writer, who may never come.
	fd, err := ignoringEINTR(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	})
	if err != nil {
		return nil, &diag.Error{Op: "open", Path: path, Err: err, Code: CodeUnreadable}
	}
	defer func() { _ = unix.Close(fd) }() // was only read

	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &diag.Error{Op: "fstat", Path: path, Err: err}
	}
	source := file{fd: fd}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		if source.timeout = timeout; timeout == 0 {
			return nil, &diag.Error{Op: "read", Path: path, Err: errNotRegular, Code: CodeUnreadable}
		}
	}
	raw, err := source.readAll(st.Size)
	switch {
	case err == errSilent:
		return nil, &diag.Error{Op: "read", Path: path, Err: err, Hint: "for " + timeout.String(), Code: "timeout"}
	case err != nil:
		return nil, &diag.Error{Op: "read", Path: path, Err: err, Code: CodeUnreadable}
	}
	return raw, nil
}

var (
	errNotRegular = errors.New("is not a regular file")
	errSilent     = errors.New("nobody has written into it")
	errTooBig     = errors.New("is larger than 16 MiB")
)

// file is an open file that is read, or a pipe.
type file struct {
	fd      int
	timeout time.Duration // for each read; 0: it does not wait
}

// read reads what there is, once there is something. A FIFO that no writer has
// opened yet would read as empty.
func (f file) read(b []byte) (int, error) {
	if f.timeout > 0 {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(f.fd), Events: unix.POLLIN}}, int(f.timeout.Milliseconds()))
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, errSilent
		}
	}
	n, err := unix.Read(f.fd, b)
	if err == unix.EAGAIN { // somebody else was faster
		err = unix.EINTR
	}
	return n, err
}

// readAll reads to the end of a file that says it has size bytes, and may be
// wrong: files in /proc say 0, as do pipes.
func (f file) readAll(size int64) ([]byte, error) {
	if size > maxConfigBytes {
		return nil, errTooBig
	}
	buf := make([]byte, 0, max(size, 511)+1) // one more, to meet the end
	for len(buf) <= maxConfigBytes {
		free := buf[len(buf):cap(buf)]
		n, err := ignoringEINTR(func() (int, error) { return f.read(free) })
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return buf, nil
		}
		buf = buf[:len(buf)+n]
		buf = slices.Grow(buf, 1)
	}
	return nil, errTooBig
}

func ignoringEINTR(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
