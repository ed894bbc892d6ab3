package signal

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]unix.Signal{
		"0": 0, "9": unix.SIGKILL, "64": 64,
		"KILL": unix.SIGKILL, "SIGKILL": unix.SIGKILL, "kill": unix.SIGKILL, "SigTerm": unix.SIGTERM,
		"CHLD": unix.SIGCHLD, "CLD": unix.SIGCHLD, "POLL": unix.SIGIO, "IO": unix.SIGIO, "IOT": unix.SIGABRT,
		"WINCH": unix.SIGWINCH, "SIGSYS": unix.SIGSYS, "STKFLT": unix.SIGSTKFLT,
		"RTMIN": 34, "SIGRTMIN+3": 37, "rtmin+30": 64, "RTMAX": 64, "RTMAX-14": 50, "SIGRTMAX-30": 34,
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "FOO", "-9", "+9", "65", "99999999999999999999", "9x", "SIG", "SIGSIGKILL",
		"RTMIN+31", "RTMIN-1", "RTMAX+1", "RTMAX-31", "RTMIN+", "RTMIN++1", "RTMIN3"} {
		got, err := Parse(text)
		if !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: got %d, %v, want ErrUnknown", text, got, err)
			continue
		}
		if want := `unknown signal "` + text + `"`; !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %q, want %s...", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"RTMIN", "RTMIN+", "SIG", "9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := Parse(s); err == nil && (n < 0 || n > highest) {
			t.Errorf("%q: %d", s, n)
		}
	})
}
