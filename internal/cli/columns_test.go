package cli

import (
	"strings"
	"testing"
	"time"
)

func TestAge(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 47, 33, 0, time.UTC)
	for d, want := range map[time.Duration]string{-time.Hour: "0s", 59 * time.Second: "59s", 90 * time.Second: "1m", 47 * time.Hour: "47h", 49 * time.Hour: "2d"} {
		if got := age(now.Add(-d), now); got != want {
			t.Errorf("%s: got %s, want %s", d, got, want)
		}
	}
	if got := age(time.Time{}, now); got != "-" {
		t.Errorf("never: got %s", got)
	}
}

func TestColumns(t *testing.T) {
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	if got := strings.Join(names, ","); got != columnNames {
		t.Errorf("columns are %s, help says %s", got, columnNames)
	}
	if !strings.HasPrefix(columnNames, defaultColumns) {
		t.Errorf("%s does not begin with runc's", columnNames)
	}
	if _, err := chooseColumns("id,agee"); err == nil || err.Error() != `--columns: "agee": there is no such column (did you mean "age"?)` {
		t.Errorf("got %v", err)
	}
}
