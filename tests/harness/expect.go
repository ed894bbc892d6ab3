package harness

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// logLine is the shape of an error on stderr when no --log is given. logrus
// made it but for the code, and podman shows it to its users unchanged.
var logLine = regexp.MustCompile(`^time="([^"]+)" level=(\w+) msg=("(?:[^"\\]|\\.)*"|\S+)(?: code=(\S+))?$`)

// WantCode fails the test unless the call ended with the exit code.
func (r Result) WantCode(t testing.TB, code int) Result {
	t.Helper()
	if r.Code != code || r.Signal != 0 {
		t.Fatalf("want exit code %d; %s", code, r)
	}
	return r
}

// WantQuiet fails the test unless the call succeeded without any output.
func (r Result) WantQuiet(t testing.TB) Result {
	t.Helper()
	r.WantCode(t, 0)
	if r.Stdout != "" || r.Stderr != "" {
		t.Fatalf("want no output; %s", r)
	}
	return r
}

// WantError fails the test unless the call failed with the code, left stdout
// empty and wrote exactly one line to stderr, whose message holds all parts.
// It returns the message.
func (r Result) WantError(t testing.TB, code int, parts ...string) string {
	t.Helper()
	r.WantCode(t, code)
	if r.Stdout != "" {
		t.Fatalf("want nothing on stdout; %s", r)
	}
	lines := strings.Split(strings.TrimSuffix(r.Stderr, "\n"), "\n")
	if len(lines) != 1 || lines[0] == "" {
		t.Fatalf("want one line on stderr, have %d; %s", len(lines), r)
	}
	message := Message(lines[0])
	for _, part := range parts {
		if !strings.Contains(message, part) {
			t.Fatalf("want %q in the message; %s", part, r)
		}
	}
	return message
}

// Message returns the msg of a line in the text log format; other lines it
// returns whole.
func Message(line string) string {
	m := logLine.FindStringSubmatch(line)
	if m == nil {
		return line
	}
	if text, err := strconv.Unquote(m[3]); err == nil {
		return text
	}
	return m[3]
}

// LogEntry is one object of a log in the json format.
type LogEntry struct {
	Level string    `json:"level"`
	Msg   string    `json:"msg"`
	Time  time.Time `json:"time"`
}

// ParseLog decodes a log in the json format: one object per line, every line.
func ParseLog(t testing.TB, text string) []LogEntry {
	t.Helper()
	var entries []LogEntry
	for line := range strings.Lines(text) {
		var e LogEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("not a JSON log line: %v: %q", err, line)
		}
		entries = append(entries, e)
	}
	return entries
}
