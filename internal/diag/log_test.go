package diag

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

var testTime = time.Date(2026, 11, 23, 9, 47, 33, 5e8, time.UTC)

func TestTextLine(t *testing.T) {
	cases := []struct{ message, want string }{
		{"container does not exist", `"container does not exist"`},
		{"EOF", "EOF"}, // logrus quotes only what needs it
		{"a-b.c_d/e@f^g+1", "a-b.c_d/e@f^g+1"},
		{"", `""`},
		{`exec: "x": a=b`, `"exec: \"x\": a=b"`},
		{"two\nlines\x1b[0m", `"two\nlines\x1b[0m"`},
		{"ä", `"ä"`},
	}
	for _, c := range cases {
		want := `time="2026-11-23T09:47:33Z" level=error msg=` + c.want + "\n"
		if got := string(appendTextLine(nil, testTime, LevelError, c.message, nil)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestTextLineCode: an error's code is one more field behind the message.
func TestTextLineCode(t *testing.T) {
	want := `time="2026-11-23T09:47:33Z" level=error msg=EOF code=timeout` + "\n"
	if got := string(appendTextLine(nil, testTime, LevelError, "EOF", &Error{Err: errors.New("EOF"), Code: "timeout"})); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestJSONLine(t *testing.T) {
	inner := &Error{Op: "open", Path: "/x", Err: syscall.ENOENT, Hint: "inner hint", Code: "inner-code"}
	cases := []struct {
		name string
		err  error
		want string
	}{
		{"plain", errors.New("EOF"), `{"code":"internal","level":"error","msg":"EOF","time":"2026-11-23T09:47:33Z"}`},
		{"errno", fmt.Errorf("x: %w", syscall.EPERM), `{"code":"permission-denied","errno":"EPERM","level":"error","msg":"x: operation not permitted","time":"2026-11-23T09:47:33Z"}`},
		{"all parts", &Error{Field: "mounts[1].source", Err: inner, Hint: "outer"},
			`{"code":"inner-code","errno":"ENOENT","field":"mounts[1].source","hint":"outer","level":"error",` +
				`"msg":"mounts[1].source: open \"/x\": no such file or directory (inner hint) (outer)","op":"open","path":"/x","stage":"rootfs","time":"2026-11-23T09:47:33Z"}`},
		{"stage", &Error{Err: inner, Stage: StageRootfs}, `{"code":"inner-code","errno":"ENOENT","hint":"inner hint","level":"error",` +
			`"msg":"open \"/x\": no such file or directory (inner hint)","op":"open","path":"/x","stage":"rootfs","time":"2026-11-23T09:47:33Z"}`},
		{"several", fmt.Errorf("create failed: %w", errors.Join(inner, &Error{Field: "second", Err: errors.New("no")})),
			`{"code":"inner-code","errno":"ENOENT","hint":"inner hint","level":"error",` +
				`"msg":"create failed: open \"/x\": no such file or directory (inner hint)\nsecond: no","op":"open","path":"/x","time":"2026-11-23T09:47:33Z"}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := string(appendJSONLine(nil, testTime, LevelError, c.err.Error(), c.err))
			if got != c.want+"\n" {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestLogger: one line for each call, debug lines only if asked for, and a nil
// Logger takes anything.
func TestLogger(t *testing.T) {
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, l := range []*Logger{nil, {FD: int(file.Fd())}, {FD: int(file.Fd()), JSON: true, Debug: true}} {
		l.Debugf("debug %d", 1)
		l.Warnf("warning %d", 2)
		l.Error(errors.New("two\nlines"))
	}
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"level=warning msg=\"warning 2\"", "level=error", `"level":"debug","msg":"debug 1"`, `"level":"warning"`, `"msg":"two\\nlines"`}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines: %s", len(lines), text)
	}
	for i, part := range want {
		if !strings.Contains(lines[i], part) {
			t.Errorf("line %d: got %s, want %s", i, lines[i], part)
		}
	}
}

// FuzzJSONLine: whatever the message holds, the line is one line and one JSON
// object that gives the message back.
func FuzzJSONLine(f *testing.F) {
	f.Add("plain", "/path")
	f.Add("a\nb\"\\\x00\x1b\x7f\u2028", "\xff")
	f.Fuzz(func(t *testing.T, message, path string) {
		line := appendJSONLine(nil, testTime, LevelError, message, &Error{Path: path, Err: errors.New(message)})
		if strings.Count(string(line), "\n") != 1 || line[len(line)-1] != '\n' {
			t.Fatalf("not one line: %q", line)
		}
		var got struct{ Level, Msg, Path string }
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if utf8.ValidString(message) && got.Msg != message || utf8.ValidString(path) && got.Path != path || got.Level != "error" {
			t.Errorf("got %+v", got)
		}
	})
}
