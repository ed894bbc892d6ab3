package seccomp

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func tempCache(t *testing.T) (cache, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "seccomp")
	c, err := openCache(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c, path
}

var testKey = [32]byte{1, 2, 3}

func testFilter() (*Filter, []Warning) {
	return &Filter{Program: []byte("a program of 24 bytes..."), Flags: 5, Notify: true},
		[]Warning{{Field: "linux.seccomp.syscalls[0].names", Text: "left out", Debug: true}}
}

func TestCacheReturnsWhatWasWritten(t *testing.T) {
	c, path := tempCache(t)
	f, w := testFilter()
	unixUmask := unix.Umask(0o777) // the mode must not depend on it
	err := c.write(testKey, f, w)
	unix.Umask(unixUmask)
	if err != nil {
		t.Fatal(err)
	}
	gotFilter, gotWarnings, err := c.read(testKey)
	if err != nil || !reflect.DeepEqual(gotFilter, f) || !reflect.DeepEqual(gotWarnings, w) {
		t.Errorf("got %+v %+v %v", gotFilter, gotWarnings, err)
	}
	if _, _, err := c.read([32]byte{9}); err != unix.ENOENT {
		t.Errorf("another key: %v", err)
	}
	names, _ := os.ReadDir(path)
	if len(names) != 1 || names[0].Name() != hex.EncodeToString(testKey[:]) {
		t.Errorf("left in the directory: %v", names)
	}
	info, _ := names[0].Info()
	dir, _ := os.Stat(path)
	if info.Mode() != 0o600 || dir.Mode().Perm() != 0o700 {
		t.Errorf("modes %v, %v", info.Mode(), dir.Mode())
	}
}

// What an attacker or an accident can do to an entry, and must not be believed.
func TestCacheRefusesEntries(t *testing.T) {
	name := hex.EncodeToString(testKey[:])
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	edit := func(change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			b, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, change(b), 0o600))
		}
	}
	cases := []struct {
		name string
		harm func(t *testing.T, path string)
	}{
		{"empty", edit(func([]byte) []byte { return nil })},
		{"header alone", edit(func(b []byte) []byte { return b[:entryHeader] })},
		{"last byte missing", edit(func(b []byte) []byte { return b[:len(b)-1] })},
		{"a byte too many", edit(func(b []byte) []byte { return append(b, 0) })},
		{"one bit of the program", edit(func(b []byte) []byte { b[len(b)-3] ^= 1; return b })},
		{"one bit of the flags", edit(func(b []byte) []byte { b[entryHeader] ^= 1; return b })},
		{"format version", edit(func(b []byte) []byte { b[7]++; return b })},
		{"entry of another key", edit(func(b []byte) []byte { b[8] ^= 1; return b })},
		{"too large", func(t *testing.T, path string) { must(t, os.Truncate(path, maxEntrySize+1)) }},
		{"readable by others", func(t *testing.T, path string) { must(t, os.Chmod(path, 0o604)) }},
		{"writable by the group", func(t *testing.T, path string) { must(t, os.Chmod(path, 0o620)) }},
		{"owned by another user", func(t *testing.T, path string) {
			if os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			must(t, os.Chown(path, 65534, 65534))
		}},
		{"symbolic link to a good entry", func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".away"))
			must(t, os.Symlink(path+".away", path))
		}},
		{"directory", func(t *testing.T, path string) { must(t, os.Remove(path)); must(t, os.Mkdir(path, 0o700)) }},
		{"fifo", func(t *testing.T, path string) { must(t, os.Remove(path)); must(t, unix.Mkfifo(path, 0o600)) }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir, path := tempCache(t)
			f, w := testFilter()
			must(t, dir.write(testKey, f, w))
			entry := filepath.Join(path, name)
			c.harm(t, entry)
			if got, _, err := dir.read(testKey); err == nil {
				t.Fatalf("believed: %+v", got)
			}
			if c.name == "directory" {
				return // rename(2) cannot replace it, and Load then only warns
			}
			must(t, dir.write(testKey, f, w))
			if _, _, err := dir.read(testKey); err != nil {
				t.Errorf("not replaced by a good one: %v", err)
			}
		})
	}
}

func TestCacheRefusesDirectories(t *testing.T) {
	base := t.TempDir()
	other, open, link, file := filepath.Join(base, "other"), filepath.Join(base, "open"), filepath.Join(base, "link"), filepath.Join(base, "file")
	for _, path := range []string{other, open} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	_ = os.Chmod(open, 0o750)
	_ = os.Symlink(other, link)
	_ = os.WriteFile(file, nil, 0o600)
	cases := map[string]string{link: "not a directory", file: "not a directory", open: "open to other users", filepath.Join(base, "a/b"): "no such file"}
	if os.Geteuid() == 0 {
		_ = os.Chown(other, 65534, 65534)
		cases[other] = "belongs to another user"
	}
	for path, text := range cases {
		if _, err := openCache(path); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got %v, want %s", filepath.Base(path), err, text)
		}
		if !Enabled() {
			continue
		}
		f, warnings, err := Load(path, dockerProfile(t))
		if err != nil || len(f.Program) == 0 {
			t.Errorf("%s: the container fails for the cache: %v", filepath.Base(path), err)
		}
		if last := warnings[len(warnings)-1]; last.Debug || !strings.Contains(last.Text, text) {
			t.Errorf("%s: last warning %+v", filepath.Base(path), last)
		}
	}
}

func TestCacheForgetsTheOldest(t *testing.T) {
	c, path := tempCache(t)
	f, w := testFilter()
	stale, fresh := filepath.Join(path, temporaryPrefix+"1-1"), filepath.Join(path, temporaryPrefix+"1-2")
	for _, name := range []string{stale, fresh} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * staleAfter)
	_ = os.Chtimes(stale, long, long)
	for i := range maxEntries + 3 {
		key := [32]byte{byte(i)}
		if err := c.write(key, f, w); err != nil {
			t.Fatal(err)
		}
		written := time.Now().Add(time.Duration(i-1000) * time.Second)
		_ = os.Chtimes(filepath.Join(path, hex.EncodeToString(key[:])), written, written)
	}
	for i := range maxEntries + 3 {
		_, _, err := c.read([32]byte{byte(i)})
		if forgotten := err != nil; forgotten != (i < 3) {
			t.Errorf("entry %d of %d: %v", i, maxEntries+3, err)
		}
	}
	if _, err := os.Lstat(stale); err == nil {
		t.Error("an abandoned temporary file stays")
	}
	if _, err := os.Lstat(fresh); err != nil {
		t.Error("a temporary file in use is removed")
	}
}

func TestConcurrentWritersAndReaders(t *testing.T) {
	c, path := tempCache(t)
	f, w := testFilter()
	var group sync.WaitGroup
	for range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			for range 50 {
				if err := c.write(testKey, f, w); err != nil {
					t.Error(err)
				}
				if got, _, err := c.read(testKey); err != nil || !reflect.DeepEqual(got, f) {
					t.Errorf("got %+v, %v", got, err)
				}
			}
		}()
	}
	group.Wait()
	if names, _ := os.ReadDir(path); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestLoadUsesTheCache(t *testing.T) {
	requireEnabled(t)
	path := filepath.Join(t.TempDir(), "seccomp")
	p := dockerProfile(t)
	p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{Names: []string{"no_such_call"}, Action: specs.ActAllow})
	first, firstWarnings, err := Load(path, p)
	if err != nil {
		t.Fatal(err)
	}
	key := cacheKey(engine(), p)
	entry := filepath.Join(path, hex.EncodeToString(key[:]))
	before, err := os.Stat(entry)
	if err != nil {
		t.Fatal(err)
	}
	second, secondWarnings, err := Load(path, p)
	if err != nil || !reflect.DeepEqual(first, second) || !reflect.DeepEqual(firstWarnings, secondWarnings) {
		t.Errorf("the second time it is another filter, or says other things: %v", err)
	}
	if after, _ := os.Stat(entry); !os.SameFile(before, after) {
		t.Error("compiled again")
	}
	if err := os.Truncate(entry, before.Size()-8); err != nil {
		t.Fatal(err)
	}
	third, _, err := Load(path, p)
	if err != nil || !reflect.DeepEqual(first, third) {
		t.Errorf("after damage: %v", err)
	}
	if after, _ := os.Stat(entry); os.SameFile(before, after) || after.Size() != before.Size() {
		t.Error("the damaged entry was not replaced")
	}
}

// The errno of a rule decides what the filter answers; crun 1.27 serves the
// first profile's filter for the second.
func TestErrnoIsNotForgotten(t *testing.T) {
	requireEnabled(t)
	path := filepath.Join(t.TempDir(), "seccomp")
	for _, errno := range []uint{2, 38} {
		p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow,
			Syscalls: []specs.LinuxSyscall{{Names: []string{"getcwd"}, Action: specs.ActErrno, ErrnoRet: &errno}}}
		f, _, err := Load(path, p)
		if err != nil {
			t.Fatal(err)
		}
		if got := answerOf(t, f.Program, native(unix.SYS_GETCWD)); got != unix.SECCOMP_RET_ERRNO|uint32(errno) {
			t.Errorf("errno %d: got %s", errno, verdictText(got))
		}
	}
}

func BenchmarkLoadCached(b *testing.B) {
	requireEnabled(b)
	path := filepath.Join(b.TempDir(), "seccomp")
	p := dockerProfile(b)
	for b.Loop() {
		if _, _, err := Load(path, p); err != nil {
			b.Fatal(err)
		}
	}
}
