package spec

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

func TestLoad(t *testing.T) {
	const good = `{"ociVersion":"1.3.0"}`
	cases := []struct {
		name  string
		make  func(t *testing.T, path string)
		want  string // "" for success
		cause error
	}{
		{"good", write(good), "", nil},
		{"missing", func(*testing.T, string) {}, `JSON specification file config.json not found: open "PATH": no such file or directory (name the bundle with --bundle; runtime spec makes a configuration)`, unix.ENOENT},
		{"a directory", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o777)) }, `read "PATH": is not a regular file`, nil},
		{"a FIFO", func(t *testing.T, path string) { must(t, unix.Mkfifo(path, 0o666)) }, `read "PATH": is not a regular file`, nil},
		{"a loop", func(t *testing.T, path string) { must(t, os.Symlink("config.json", path)) }, `open "PATH": too many levels of symbolic links`, unix.ELOOP},
		{"too big", func(t *testing.T, path string) {
			write("")(t, path)
			must(t, os.Truncate(path, maxConfigBytes+1))
		}, `read "PATH": is larger than 16 MiB`, nil},
		{"empty", write(""), `parse "config.json": found nothing more, expected a value (at line 1:1)`, nil},
		{"broken", write("{\n]"), `parse "config.json": found ']', expected a member's name in quotes (at line 2:1)`, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bundle := t.TempDir()
			path := filepath.Join(bundle, ConfigFile)
			c.make(t, path)
			config, raw, err := Load(bundle)
			if c.want == "" {
				if err != nil || config.Version != "1.3.0" || string(raw) != good {
					t.Errorf("got %+v, %q, %v", config, raw, err)
				}
				return
			}
			if want := strings.ReplaceAll(c.want, "PATH", path); config != nil || err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if c.cause != nil && !errors.Is(err, c.cause) {
				t.Errorf("%v is not %v", err, c.cause)
			}
		})
	}
	_, _, err := Load(t.TempDir())
	if code := diag.CodeOf(err); code != CodeNotFound {
		t.Errorf("code %q, want %q", code, CodeNotFound)
	}
}

func TestLoadFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "other.json")
	if _, _, err := LoadFile(file, time.Second); err == nil || err.Error() != `open "`+file+`": no such file or directory` {
		t.Errorf("missing file: %v", err)
	}
	write(`{"ociVersion":"1.3.0"}`)(t, file)
	if config, raw, err := LoadFile(file, time.Second); err != nil || config.Version != "1.3.0" || string(raw) != `{"ociVersion":"1.3.0"}` {
		t.Errorf("got %+v, %q, %v", config, raw, err)
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x")
	long := strings.Repeat("x", 100_000)
	must(t, os.WriteFile(file, []byte(long), 0o666))
	if got, err := ReadFile(file, time.Second); err != nil || string(got) != long {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err := ReadFile("/proc/self/limits", time.Second); err != nil || !strings.Contains(string(got), "Max open files") {
		t.Errorf("a file in /proc: %q, %v", got, err)
	}
	for name, content := range map[string]string{"pipe": long, "endless pipe": strings.Repeat("x", maxConfigBytes+1)} {
		fifo := filepath.Join(dir, name)
		must(t, unix.Mkfifo(fifo, 0o666))
		go func() { _ = os.WriteFile(fifo, []byte(content), 0o666) }() // ends when we stop reading
		got, err := ReadFile(fifo, time.Minute)
		if name == "pipe" && (err != nil || string(got) != content) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if want := `read "` + fifo + `": is larger than 16 MiB`; name != "pipe" && (err == nil || err.Error() != want) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
	_, err := ReadFile(filepath.Join(dir, "none"), time.Second)
	if want := `open "` + filepath.Join(dir, "none") + `": no such file or directory`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func write(content string) func(*testing.T, string) {
	return func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte(content), 0o666)) }
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
