package spec

import (
	"errors"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
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
	return LoadFile(filepath.Join(bundle, ConfigFile))
}

// LoadFile is Load for a configuration that has another name or place.
func LoadFile(path string) (config *specs.Spec, raw []byte, err error) {
	raw, err = readFile(path)
	if errors.Is(err, unix.ENOENT) {
		// Engines and their tests know these words.
		err = &diag.Error{Op: "JSON specification file " + ConfigFile + " not found", Err: err, Code: CodeNotFound}
	}
	if err != nil {
		return nil, nil, err
	}
	config, err = Decode(raw)
	if err != nil {
		return nil, raw, err
	}
	return config, raw, nil
}

// readFile is os.ReadFile for a regular file of limited size, without the
// poller that package os starts for a first file (three system calls).
func readFile(path string) ([]byte, error) {
	// O_NONBLOCK: a FIFO without a writer must not hang the runtime.
	fd, err := ignoringEINTR(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	})
	if err != nil {
		return nil, &diag.Error{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = unix.Close(fd) }() // was only read

	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &diag.Error{Op: "fstat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, &diag.Error{Op: "read", Path: path, Err: errNotRegular}
	}
	if st.Size > maxConfigBytes {
		return nil, &diag.Error{Op: "read", Path: path, Err: errTooBig}
	}
	raw, err := readUpTo(fd, int(st.Size)+1)
	if err != nil {
		return nil, &diag.Error{Op: "read", Path: path, Err: err}
	}
	return raw, nil
}

var (
	errNotRegular = errors.New("is not a regular file")
	errTooBig     = errors.New("is larger than 16 MiB")
	errGrows      = errors.New("grew while it was read")
)

// readUpTo reads to the end of a file that is shorter than size.
func readUpTo(fd, size int) ([]byte, error) {
	buf := make([]byte, size)
	for n := 0; n < size; {
		got, err := ignoringEINTR(func() (int, error) { return unix.Read(fd, buf[n:]) })
		if err != nil {
			return nil, err
		}
		if got == 0 {
			return buf[:n], nil
		}
		n += got
	}
	return nil, errGrows
}

func ignoringEINTR(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
