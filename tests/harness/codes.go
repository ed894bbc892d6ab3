package harness

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// known are the codes of the binary under test, asked for once.
var known struct {
	once  sync.Once
	codes []string
}

// Codes are those that `runtime explain` lists; none for a runtime that has no
// such verb.
func Codes(t testing.TB) []string {
	t.Helper()
	binary := Binary(t)
	known.once.Do(func() {
		out, err := exec.Command(binary, "explain").Output()
		if err != nil {
			return
		}
		for line := range strings.Lines(string(out)) {
			code, _, _ := strings.Cut(line, " ")
			known.codes = append(known.codes, code)
		}
	})
	return known.codes
}

// checkCodes fails the test for each error on stderr that has left the runtime
// without a code that it can explain, or with the one of its own bugs.
func (r Result) checkCodes(t testing.TB) {
	t.Helper()
	codes := Codes(t)
	if len(codes) == 0 {
		return
	}
	for line := range strings.Lines(r.Stderr) {
		code, isError := codeOf(strings.TrimSuffix(line, "\n"))
		if isError && (code == "internal" || !slices.Contains(codes, code)) {
			t.Errorf("an error with the code %q; %s", code, r)
		}
	}
}

// ErrorCode is the code of the last error on stderr, or "".
func (r Result) ErrorCode() string {
	last := ""
	for line := range strings.Lines(r.Stderr) {
		if code, isError := codeOf(strings.TrimSuffix(line, "\n")); isError {
			last = code
		}
	}
	return last
}

// codeOf returns the code in a line of log, in one of its two formats.
func codeOf(line string) (code string, isError bool) {
	if m := logLine.FindStringSubmatch(line); m != nil {
		return m[4], m[2] == "error"
	}
	var object struct{ Level, Code, Msg string }
	if json.Unmarshal([]byte(line), &object) == nil && object.Msg != "" {
		return object.Code, object.Level == "error"
	}
	return "", false
}
