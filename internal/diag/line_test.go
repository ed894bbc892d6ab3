package diag

import "testing"

func TestLine(t *testing.T) {
	cases := []struct{ text, want string }{
		{"plain text: \"ä\"", "plain text: \"ä\""},
		{"a\nb\tc\x1b[31m\r", `a\nb\tc\x1b[31m\r`},
		{"\u202eright to left", `\u202eright to left`},
		{"bad \xff byte", "bad \uFFFD byte"},
	}
	for _, c := range cases {
		if got := Line(c.text); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
