package seccomp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// A cache entry is a file, named by its key in hex:
//
//	magic     8 bytes, "OCISCMP" and the format version
//	key       32 bytes, again: a renamed entry is not believed
//	checksum  32 bytes, SHA-256 of the filter: nor is a truncated or damaged one
//	filter    appendFilter
//
// An entry decides what a container may do. It is believed only if nobody but
// this user can have written it: it is opened without following links, in a
// directory that is ours alone, and owner, type, mode and size are taken from
// the open file.

const (
	entryMagic  = "OCISCMP\x01"
	entryHeader = len(entryMagic) + 2*sha256.Size
	// maxEntrySize leaves room for 4096 instructions and for as many warnings.
	maxEntrySize = 1 << 20
	// maxEntries bounds what the cache takes of a tmpfs: 2 MiB with the profiles
	// engines use. Each entry more than that removes the oldest one.
	maxEntries = 64
	// temporaryPrefix marks entries being written. One older than staleAfter was
	// left by a process that was killed.
	temporaryPrefix = ".tmp-"
	staleAfter      = time.Minute
)

// cache is the open directory.
type cache struct{ fd int }

// openCache opens path, made if need be, and proves that it is ours. Its errors
// have the last name only: the caller may have come by way of a descriptor.
func openCache(path string) (cache, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Open(path, flags, 0)
	if err == unix.ENOENT {
		if err := unix.Mkdir(path, 0o700); err != nil && err != unix.EEXIST {
			return cache{}, &diag.Error{Op: "mkdir", Path: filepath.Base(path), Err: err}
		}
		fd, err = unix.Open(path, flags, 0)
	}
	if err != nil {
		return cache{}, &diag.Error{Op: "open", Path: filepath.Base(path), Err: err}
	}
	if _, err := statPrivate(fd, unix.S_IFDIR); err != nil {
		_ = unix.Close(fd) // only read from
		return cache{}, &diag.Error{Op: "open", Path: filepath.Base(path), Err: err}
	}
	return cache{fd}, nil
}

func (c cache) close() { _ = unix.Close(c.fd) } // only read from

// statPrivate is the size of an open file. It fails unless the file has that
// type, is owned by this user and closed to everyone else.
func statPrivate(fd int, fileType uint32) (size int64, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, err
	}
	switch {
	case uint32(st.Mode)&unix.S_IFMT != fileType:
		return 0, errors.New("is not of the right type")
	case int(st.Uid) != unix.Geteuid():
		return 0, errors.New("belongs to another user")
	case st.Mode&0o077 != 0:
		return 0, errors.New("is open to other users")
	}
	return st.Size, nil
}

// read returns the entry of key. Every error means: compile.
func (c cache) read(key [sha256.Size]byte) (*Filter, []Warning, error) {
	// O_NONBLOCK: a fifo in place of the entry must not hold us up.
	fd, err := unix.Openat(c.fd, hex.EncodeToString(key[:]), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(fd)
	size, err := statPrivate(fd, unix.S_IFREG)
	if err != nil {
		return nil, nil, err
	}
	if size < int64(entryHeader) || size > maxEntrySize {
		return nil, nil, errEncoding
	}
	entry := make([]byte, size)
	if n, err := unix.Read(fd, entry); err != nil || n != len(entry) {
		return nil, nil, errEncoding
	}
	return decodeEntry(entry, key)
}

func encodeEntry(key [sha256.Size]byte, f *Filter, warnings []Warning) []byte {
	entry := make([]byte, entryHeader, entryHeader+len(f.Program)+4096)
	copy(entry, entryMagic)
	copy(entry[len(entryMagic):], key[:])
	entry = appendFilter(entry, f, warnings)
	sum := sha256.Sum256(entry[entryHeader:])
	copy(entry[len(entryMagic)+len(key):], sum[:])
	return entry
}

func decodeEntry(entry []byte, key [sha256.Size]byte) (*Filter, []Warning, error) {
	if len(entry) < entryHeader {
		return nil, nil, errEncoding
	}
	header, body := entry[:entryHeader], entry[entryHeader:]
	sum := sha256.Sum256(body)
	want := append(append([]byte(entryMagic), key[:]...), sum[:]...)
	if !bytes.Equal(header, want) {
		return nil, nil, errEncoding
	}
	return decodeFilter(body)
}

// write stores the entry of key by rename, so that a reader sees all of it or
// nothing, and whatever was there before is replaced.
func (c cache) write(key [sha256.Size]byte, f *Filter, warnings []Warning) error {
	temporary := temporaryPrefix + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().UnixNano(), 10)
	fd, err := unix.Openat(c.fd, temporary, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &diag.Error{Op: "create", Path: temporary, Err: err}
	}
	file := os.NewFile(uintptr(fd), temporary)
	_, err = file.Write(encodeEntry(key, f, warnings))
	if err == nil {
		err = unix.Fchmod(fd, 0o600) // whatever the umask was
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = unix.Renameat(c.fd, temporary, c.fd, hex.EncodeToString(key[:]))
	}
	if err != nil {
		_ = unix.Unlinkat(c.fd, temporary, 0) // the first error says what is wrong
		return &diag.Error{Op: "write", Path: temporary, Err: err}
	}
	c.evict()
	return nil
}

// stored is an entry as eviction sees it.
type stored struct {
	name    string
	written int64 // ns since 1970
}

// evict removes the oldest entries above maxEntries, and abandoned temporary
// ones. It runs after a compilation only, and its errors cost disk space.
func (c cache) evict() {
	var entries []stored
	for _, name := range c.names() {
		var st unix.Stat_t
		if unix.Fstatat(c.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
			continue
		}
		written := st.Mtim.Nano()
		if strings.HasPrefix(name, temporaryPrefix) {
			if time.Now().UnixNano()-written > int64(staleAfter) {
				_ = unix.Unlinkat(c.fd, name, 0)
			}
			continue
		}
		entries = append(entries, stored{name, written})
	}
	slices.SortFunc(entries, func(a, b stored) int { return int(min(max(a.written-b.written, -1), 1)) })
	for i := 0; i < len(entries)-maxEntries; i++ {
		_ = unix.Unlinkat(c.fd, entries[i].name, 0)
	}
}

// names lists the directory through a second open file, whose position nobody
// else moves.
func (c cache) names() []string {
	fd, err := unix.Openat(c.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	dir := os.NewFile(uintptr(fd), ".")
	defer dir.Close()
	names, _ := dir.Readdirnames(-1) // what could be read is better than nothing
	return names
}
