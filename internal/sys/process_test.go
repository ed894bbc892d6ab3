package sys

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	tail := " 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 1000 20"
	cases := []struct {
		name, text string
		want       ProcessStat
		bad        bool
	}{
		{"plain", "12 (sh) S" + tail, ProcessStat{'S', 4711}, false},
		{"hostile name", "12 (a) R 1 (b)) Z" + tail, ProcessStat{'Z', 4711}, false},
		{"empty", "", ProcessStat{}, true},
		{"short", "12 (sh) S 1 2", ProcessStat{}, true},
		{"not a number", "12 (sh) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 x 1", ProcessStat{}, true},
	}
	for _, c := range cases {
		got, err := parseStat([]byte(c.text))
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("%s: got %+v, %v", c.name, got, err)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("12 (a) R 1 (b)) Z 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 1000 20"))
	f.Fuzz(func(t *testing.T, text []byte) { _, _ = parseStat(text) })
}

func TestStat(t *testing.T) {
	s, err := Stat(os.Getpid())
	if err != nil || s.Start == 0 || s.Dead() {
		t.Errorf("own process: %+v, %v", s, err)
	}
	if _, err := Stat(1 << 30); err != unix.ESRCH {
		t.Errorf("no process: %v", err)
	}
}
