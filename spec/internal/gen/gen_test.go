package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ociruntime/spec/internal/gen/testdata/sample"
)

// TestUpToDate runs every go:generate line that calls this command again: it
// fails when the types changed, in specs-go above all, and nobody did.
func TestUpToDate(t *testing.T) {
	for _, file := range []string{"../../spec.go", "testdata/sample/sample.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for line := range strings.Lines(string(source)) {
			command, ok := strings.CutPrefix(line, "//go:generate go run ")
			if !ok {
				continue
			}
			found = true
			dir := filepath.Dir(file)
			out, want, err := generate(strings.Fields(command)[1:], dir)
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(dir, out))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("%s is out of date: run go generate ./%s", out, filepath.Join("spec/internal/gen", dir))
			}
		}
		if !found {
			t.Errorf("%s calls no generator", file)
		}
	}
}

func TestRefused(t *testing.T) {
	loader := newLoader("testdata/sample")
	const pkg = "ociruntime/spec/internal/gen/testdata/sample."
	for name, want := range map[string]string{
		"badFloat":    "badFloat.f: type float32 is not supported",
		"badAny":      "badAny.a: type any is not supported",
		"badBytes":    "badBytes.b: type []byte is not supported",
		"badKey":      "badKey.m: type map[int]string is not supported",
		"badPointers": "badPointers.p: type **int is not supported",
		"badTag":      "S needs a json tag",
		"badOption":   `option "string" is not supported`,
		"badTwice":    `has two members "major"`,
		"notStruct":   "is not a struct",
		"nothing":     "no such type",
	} {
		g := newGenerator(loader, "sample")
		for _, err := range []error{g.add(pkg+name, g.decoder), g.add(pkg+name, g.encoder)} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %s", name, err, want)
			}
		}
	}
}

// TestSample compares the generated code with encoding/json.
func TestSample(t *testing.T) {
	full := `{"bool":true,"int":-1,"int8":-8,"int16":-16,"int32":-32,"int64":-64,"uint":1,"uint8":8,"uint16":16,"uint32":32,` +
		`"uint64":64,"mode":420,"string":"s","word":"w","boolP":false,"intP":0,"modeP":0,"wordP":"","nullP":5,` +
		`"part":{"major":1,"minor":2,"rate":0},"partP":{"major":3,"minor":4},"parts":[{"major":5,"minor":6,"rate":7}],` +
		`"nullParts":[],"words":["a","b"],"strings":["c"],"uints":[0,4294967295],"map":{"k":"v"},"nullMap":{},` +
		`"partMap":{"a":{"major":1,"minor":1},"z":{"major":2,"minor":2}},"note":"\u0000","notes":{"\u0000":"\u0000"},"time":"2026-01-02T03:04:05.6+01:00"}`
	least := `{"int64":0,"string":"","nullP":null,"part":{"major":0,"minor":0},"nullParts":null,"strings":null,"nullMap":null,"time":"0001-01-01T00:00:00Z"}`
	for _, in := range []string{full, least} {
		v, _ := sample.Decode(in)
		var want sample.All
		if err := json.Unmarshal([]byte(in), &want); err != nil {
			t.Fatal(err)
		}
		if !v.Time.Equal(want.Time) {
			t.Errorf("time %v, want %v", v.Time, want.Time)
		}
		v.Time = want.Time // its location is another pointer
		if !reflect.DeepEqual(v, want) {
			t.Errorf("decoded\n%+v, want\n%+v", v, want)
		}
		if got := string(sample.Encode(&v)); got != in {
			t.Errorf("encoded\n%s, want\n%s", got, in)
		}
	}
	for _, v := range []sample.Written{{}, {Share: 0.25, Rare: 1e-7, Counts: map[string]uint64{"b": 1, "a": 18446744073709551615}}, {Share: 100}} {
		var got sample.Written
		text := sample.EncodeWritten(&v)
		if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("%s: %+v, want %+v (%v)", text, got, v, err)
		}
	}
	if _, p := sample.Decode(full); p != nil {
		t.Errorf("problems: %q", p)
	}
	_, problems := sample.Decode(`{"uint8":256,"partMap":{"a":{"major":1}},"foreign":5,"hidden":1}`)
	want := []string{"uint8: is 256", `partMap["a"].minor: is missing`, "int64: is missing", "string: is missing",
		"nullP: is missing", "part: is missing", "nullParts: is missing", "strings: is missing", "nullMap: is missing", "time: is missing"}
	if len(problems) != len(want) {
		t.Fatalf("problems: %q", problems)
	}
	for i, p := range problems {
		if !strings.HasPrefix(p, want[i]) {
			t.Errorf("got %s, want %s", p, want[i])
		}
	}
}
