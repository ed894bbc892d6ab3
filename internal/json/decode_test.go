package json

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// thing has a member of every kind the decoder knows.
type thing struct {
	Name  string
	On    bool
	Small int64
	Big   uint64
	List  []string
	Map   map[string]string
	Note  string
	Inner *thing
}

const thingNames = "name on small big list map note inner"

func decodeThing(d *Decoder, v *thing) {
	for d.Object(thingNames, 1<<0); d.More(); {
		switch d.Name() {
		case "name":
			d.Once(0)
			v.Name = d.String()
		case "on":
			d.Once(1)
			v.On = d.Bool()
		case "small":
			d.Once(2)
			v.Small = d.Int(8)
		case "big":
			d.Once(3)
			v.Big = d.Uint(64)
		case "list":
			d.Once(4)
			v.List = Strings[string](d)
		case "map":
			d.Once(5)
			v.Map = d.StringMap()
		case "note":
			d.Once(6)
			v.Note = d.Text()
		case "inner":
			d.Once(7)
			if !d.Null() {
				v.Inner = new(thing)
				decodeThing(d, v.Inner)
			}
		default:
			d.Unknown()
		}
	}
}

func TestDecode(t *testing.T) {
	var v thing
	d := NewDecoder(` { "name" : "aé\u00e9\ud83d\ude00\n\/" , "on":true, "small":-128,"big":18446744073709551615,
		"list":["x",""],"map":{"a.b":"c"},"note":"\u0000","inner":{"name":"y","list":[],"map":{},"inner":null},
		"other":{"deep":[1.5e-3,-0,{"x":null},[],true]}, "nam":1}`)
	d.KeepUnknown = true
	decodeThing(d, &v)
	if p := d.Close(); p != nil {
		t.Fatalf("problems: %v", p)
	}
	if v.Name != "aéé😀\n/" || !v.On || v.Small != -128 || v.Big != 1<<64-1 || v.Note != "\x00" {
		t.Errorf("scalars: %+v", v)
	}
	if !slices.Equal(v.List, []string{"x", ""}) || v.Map["a.b"] != "c" {
		t.Errorf("list or map: %+v", v)
	}
	if v.Inner == nil || v.Inner.Name != "y" || v.Inner.List == nil || v.Inner.Map == nil || v.Inner.Inner != nil {
		t.Errorf("empty is not nil, and null is: %+v", v.Inner)
	}
	want := []Unknown{{"other", "", 0}, {"nam", "name", 0}}
	for i, u := range d.UnknownMembers() {
		if u.Field != want[i].Field || u.Nearest != want[i].Nearest {
			t.Errorf("unknown %d: %+v", i, u)
		}
	}
}

func TestProblems(t *testing.T) {
	deep := strings.Repeat("[", maxDepth+1)
	cases := []struct{ name, in, want string }{
		{"empty", ``, `found nothing more, expected a value (at line 1:1)`},
		{"cut in an object", `{"name":"x",`, `name: found nothing more, expected a member's name in quotes (at line 1:13)`},
		{"cut in a string", "{\n \"inner\":{\"name\":\"x", `inner.name: found nothing more, expected the string's closing quote (at line 2:20)`},
		{"trailing comma in a list", `{"name":"","list":["x",]}`, `list[1]: found ']', expected a value (at line 1:24)`},
		{"trailing comma", `{"name":"",}`, `name: found '}', expected a member's name in quotes (at line 1:12)`},
		{"no comma", `{"name":"" "on":true}`, `name: found '"', expected "," or "}" (at line 1:12)`},
		{"no comma in a list", `{"list":["a" "b"]}`, `list[0]: found '"', expected "," or "]" (at line 1:14)`},
		{"no colon", `{"name" "x"}`, `name: found '"', expected ":" (at line 1:9)`},
		{"bare name", `{name:1}`, `found 'n', expected a member's name in quotes (at line 1:2)`},
		{"comment", `{"name":"x"} // no`, `found '/', expected the end of the input (at line 1:14)`},
		{"second document", `{"name":"x"} {}`, `found '{', expected the end of the input (at line 1:14)`},
		{"NUL after the document", "{\"name\":\"x\"}\x00", `found '\x00', expected the end of the input (at line 1:13)`},
		{"byte order mark", "\ufeff{}", `found '\ufeff', expected a value (at line 1:1)`},
		{"bad literal", `{"name":"x","on":tru}`, `on: found 't', expected a value (at line 1:18)`},
		{"leading zero", `{"name":"x","small":01}`, `small: found '1', expected "," or "}" (at line 1:22)`},
		{"minus alone", `{"name":"x","small":-}`, `small: found '}', expected a digit (at line 1:22)`},
		{"dot alone", `{"name":"x","small":1.}`, `small: found '}', expected a digit (at line 1:23)`},
		{"exponent alone", `{"name":"x","other":1e+}`, `other: found '}', expected a digit (at line 1:24)`},
		{"control character", "{\"name\":\"a\tb\"}", `name: control character 0x09 in a string must be written as an escape (at line 1:11)`},
		{"invalid UTF-8", "{\"name\":\"\xff\"}", `name: is not valid UTF-8 (at line 1:10)`},
		{"bad escape", `{"name":"\x"}`, `name: invalid escape sequence in a string (at line 1:10)`},
		{"short escape", `{"name":"\u12"}`, `name: invalid escape sequence in a string (at line 1:10)`},
		{"lone surrogate", `{"name":"\ud800"}`, `name: half of a surrogate pair in a string (at line 1:10)`},
		{"surrogates swapped", `{"name":"\ude00\ud83d"}`, `name: half of a surrogate pair in a string (at line 1:10)`},
		{"too deep", `{"name":"","x":` + deep, `nested deeper than 1000 levels`},

		{"not an object", `[]`, `is an array, must be an object (at line 1:1)`},
		{"null document", `null`, `is null (at line 1:1)`},
		{"missing", `{"inner":{}}`, `inner.name: is missing (at line 1:11); name: is missing (at line 1:12)`},
		{"null is not given", `{"name":null,"on":null}`, `name: is missing (at line 1:23)`},
		{"boolean for a number", `{"name":"x","small":true}`, `small: is a boolean, must be a number`},
		{"wrong case is unknown", `{"NAME":"x"}`, `name: is missing (at line 1:12)`},
		{"twice", `{"name":"x","name":"y"}`, `name: appears twice in its object (at line 1:20)`},
		{"twice through an escape", `{"name":"x","n\u0061me":"y"}`, `name: appears twice in its object`},
		{"unknown twice", `{"name":"x","x y":1,"x y":2}`, `["x y"]: appears twice in its object`},
		{"map key twice", `{"name":"x","map":{"a":"1","a":"2"}}`, `map["a"]: appears twice in its object`},
		{"twice below unknown", `{"name":"x","o":[0,{"a":1,"a":2}]}`, `o[1].a: appears twice in its object`},
		{"number for a string", `{"name":1}`, `name: is a number, must be a string (at line 1:9)`},
		{"string for a number", `{"name":"x","small":"1"}`, `small: is a string, must be a number`},
		{"object for a bool", `{"name":"x","on":{"a":[]}}`, `on: is an object, must be true or false`},
		{"number for a list", `{"name":"x","list":7}`, `list: is a number, must be an array`},
		{"string for a map", `{"name":"x","map":"a"}`, `map: is a string, must be an object`},
		{"list for an object", `{"name":"x","inner":[]}`, `inner: is an array, must be an object`},
		{"null in a list", `{"name":"x","list":["a",null]}`, `list[1]: is null`},
		{"null in a map", `{"name":"x","map":{"a":null}}`, `map["a"]: is null`},
		{"too small", `{"name":"x","small":-129}`, `small: is -129, must be a whole number from -128 to 127 (at line 1:21)`},
		{"too big", `{"name":"x","big":18446744073709551616}`, `big: is 18446744073709551616, must be a whole number from 0 to 18446744073709551615`},
		{"negative", `{"name":"x","big":-1}`, `big: is -1, must be a whole number from 0 to`},
		{"fraction", `{"name":"x","small":1.0}`, `small: is 1.0, must be a whole number`},
		{"exponent", `{"name":"x","small":1e2}`, `small: is 1e2, must be a whole number`},
		{"long number", `{"name":"x","small":` + strings.Repeat("9", 99) + `}`, `small: is ` + strings.Repeat("9", 40) + `..., must`},
		{"NUL in a string", `{"name":"a\u0000b"}`, `name: holds a NUL byte`},
		{"NUL in a key", `{"name":"x","map":{"a\u0000":"b"}}`, `map["a\x00"]: the name holds a NUL byte`},
		{"all problems at once", `{"on":1,"list":[2,"x",3]}`,
			`on: is a number, must be true or false (at line 1:7); list[0]: is a number, must be a string (at line 1:17); ` +
				`list[2]: is a number, must be a string (at line 1:23); name: is missing (at line 1:25)`},
		{"column in characters", "{\"note\":\"äöü\",\n\"é\":\"é\", \"on\":1,\"name\":\"\"}", `on: is a number, must be true or false (at line 2:15)`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := NewDecoder(c.in)
			decodeThing(d, new(thing))
			var texts []string
			for _, p := range d.Close() {
				texts = append(texts, p.Error())
			}
			got := strings.Join(texts, "; ")
			if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) && c.name != "too deep" || !strings.Contains(got, c.want) {
				t.Errorf("%s\ngot  %s\nwant %s", c.in, got, c.want)
			}
		})
	}
}

func TestProblemsAreBounded(t *testing.T) {
	d := NewDecoder(`{"name":"x","list":[` + strings.Repeat("0,", 5000) + `0]}`)
	decodeThing(d, new(thing))
	if n := len(d.Close()); n != maxProblems {
		t.Errorf("%d problems, want %d", n, maxProblems)
	}
}

func TestTime(t *testing.T) {
	for in, want := range map[string]string{
		`"2026-01-02T03:04:05.6Z"`: "2026-01-02 03:04:05.6 +0000 UTC",
		`"yesterday"`:              "is not a time as RFC 3339 has it (at line 1:1)",
		`5`:                        "is a number, must be a string (at line 1:1)",
	} {
		d := NewDecoder(in)
		got := d.Time().String()
		for _, p := range d.Close() {
			got = p.Error()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestManyUnknownNames(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"name":"x"`)
	for i := range 40 {
		b.WriteString(`,"u` + strings.Repeat("u", i) + `":0`)
	}
	once := b.String() + "}"
	for in, want := range map[string]int{once: 0, b.String() + `,"uuu":1}`: 1, b.String() + `,"u` + strings.Repeat("u", 39) + `":1}`: 1} {
		d := NewDecoder(in)
		decodeThing(d, new(thing))
		if p := d.Close(); len(p) != want {
			t.Errorf("%d problems, want %d: %v", len(p), want, p)
		}
	}
}

func TestNearest(t *testing.T) {
	const known = "args cwd env noNewPrivileges user"
	for name, want := range map[string]string{
		"ARGS": "args", "arg": "args", "agrs": "args", "cmd": "cwd", "nonewprivileges": "noNewPrivileges",
		"noNewPrivilege": "noNewPrivileges", "usr": "user", "environment": "", "x": "", "": "", "zzzz": "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

// FuzzSkip compares the grammar with another strict implementation.
func FuzzSkip(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-0.5e+7,"\u00e9\ud83d\ude00",true,false,null,{}]}`, `{"a":1,"a":2}`, "\"\xff\"", `"\ud800"`, `01`, `{}x`, "\"\x1f\"", ` [ ] `, "[]\x00", `{"a":{"b":1},"b":{"b":1}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if strings.Count(string(in), "[")+strings.Count(string(in), "{") > maxDepth {
			return
		}
		d := NewDecoder(string(in))
		d.Skip()
		problems := d.Close()
		if want := jsontext.Value(in).IsValid(); want != (len(problems) == 0) {
			t.Errorf("%q: valid %v, problems %v", in, want, problems)
		}
	})
}
