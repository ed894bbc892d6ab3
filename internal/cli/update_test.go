package cli

import "testing"

func TestParseBytes(t *testing.T) {
	cases := []struct {
		text string
		want int64
	}{
		{"0", 0}, {"4096", 4096}, {"4096b", 4096}, {"1k", 1 << 10}, {"100M", 100 << 20}, {"1g", 1 << 30}, {"512KiB", 512 << 10},
		{"2Mb", 2 << 20}, {"1T", 1 << 40}, {"1p", 1 << 50}, {"-1", -1}, {"8191p", 8191 << 50},
	}
	for _, c := range cases {
		if got, err := parseBytes(c.text); err != nil || got != c.want {
			t.Errorf("%s: got %d, %v, want %d", c.text, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "M", "1q", "1.5g", "1kk", "8192p", "9223372036854775808", "1 k", "0x10"} {
		if got, err := parseBytes(bad); err == nil {
			t.Errorf("%q: got %d", bad, got)
		}
	}
}
