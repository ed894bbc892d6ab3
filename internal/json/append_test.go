package json

import (
	"bytes"
	stdjson "encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestAppend(t *testing.T) {
	dst := []byte("{")
	dst = AppendString(AppendName(dst, "a"), "x\"\\\n\t\x01\x7fé\xffz")
	dst = AppendStrings(AppendName(dst, "b"), []string{"{", ""})
	dst = AppendStrings(AppendName(dst, "c"), []string(nil))
	dst = AppendStringMap(AppendName(dst, "d"), map[string]string{"z": "1", "a": "["})
	dst = AppendStringMap(AppendName(dst, "e"), nil)
	dst = AppendInt(AppendName(dst, "f"), -5)
	dst = AppendUint(AppendName(dst, "g"), 1<<64-1)
	dst = AppendBool(AppendName(dst, "h"), true)
	dst = append(AppendTime(AppendName(dst, "i"), time.Unix(0, 1).UTC()), '}')
	want := `{"a":"x\"\\\n\u0009\u0001` + "\x7fé\uFFFD" + `z","b":["{",""],"c":null,"d":{"a":"[","z":"1"},"e":null,"f":-5,"g":18446744073709551615,"h":true,"i":"1970-01-01T00:00:00.000000001Z"}`
	if string(dst) != want {
		t.Errorf("got  %s\nwant %s", dst, want)
	}
}

func TestAppendIndent(t *testing.T) {
	for _, in := range []string{
		`{"a":[],"b":{},"c":[1,{"d":"x:,{[\"\\"}],"e":{"f":null}}`, `[]`, `"x"`, `{"a":""}`,
	} {
		var want bytes.Buffer
		if err := stdjson.Indent(&want, []byte(in), "", "  "); err != nil {
			t.Fatal(err)
		}
		if got := AppendIndent(nil, []byte(in), "  "); string(got) != want.String() {
			t.Errorf("got  %s\nwant %s", got, want.String())
		}
	}
}

// FuzzString writes any string and reads it back.
func FuzzString(f *testing.F) {
	for _, seed := range []string{"", "a\"\\/\b\f\n\r\t", "\x00\x1f\x7f", "é😀", "\xff\xc3", "\u2028"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := AppendString(nil, s)
		d := NewDecoder(string(text))
		got := d.Text()
		if p := d.Close(); p != nil {
			t.Fatalf("%s: %v", text, p)
		}
		want := strings.ToValidUTF8(s, "\uFFFD")
		if utf8.ValidString(s) && got != s || strings.ReplaceAll(got, "\uFFFD", "") != strings.ReplaceAll(want, "\uFFFD", "") {
			t.Errorf("%q became %q", s, got)
		}
		var std string
		if err := stdjson.Unmarshal(text, &std); err != nil || std != got {
			t.Errorf("%s: encoding/json reads %q, %v", text, std, err)
		}
	})
}
