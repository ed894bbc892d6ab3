package seccomp

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// sample has every field of a profile set, none to its zero value.
func sample() *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno, DefaultErrnoRet: number(1),
		Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchX86},
		Flags:         []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog, flagTsync},
		ListenerPath:  "/run/a", ListenerMetadata: "m",
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read", "write"}, Action: specs.ActErrno, ErrnoRet: number(2),
				Args: []specs.LinuxSeccompArg{{Index: 1, Value: 2, ValueTwo: 3, Op: specs.OpMaskedEqual}, {Index: 2, Value: 4, ValueTwo: 5, Op: specs.OpEqualTo}}},
			{Names: []string{"mkdir"}, Action: specs.ActTrace, ErrnoRet: number(3),
				Args: []specs.LinuxSeccompArg{{Index: 3, Value: 6, ValueTwo: 7, Op: specs.OpNotEqual}}},
		},
	}
}

// variants changes each value below v in turn, lists by an element more and one
// less, pointers to nil and to another number, and calls each after each.
func variants(path string, v reflect.Value, each func(path string)) {
	old := reflect.New(v.Type()).Elem()
	old.Set(v)
	try := func(what string, changed reflect.Value) {
		v.Set(changed)
		each(path + " " + what)
		v.Set(old)
	}
	switch v.Kind() {
	case reflect.String:
		try("other", reflect.ValueOf(v.String()+"x").Convert(v.Type()))
		try("empty", reflect.Zero(v.Type()))
	case reflect.Uint, reflect.Uint64:
		try("other", reflect.ValueOf(v.Uint()+1<<31).Convert(v.Type()))
		try("zero", reflect.Zero(v.Type()))
	case reflect.Pointer:
		try("nil", reflect.Zero(v.Type()))
		other := reflect.New(v.Type().Elem())
		other.Elem().SetUint(v.Elem().Uint() + 1)
		try("other", other)
	case reflect.Slice:
		try("shorter", v.Slice(0, v.Len()-1))
		try("longer", reflect.Append(v.Slice3(0, v.Len(), v.Len()), reflect.Zero(v.Type().Elem())))
		try("nil", reflect.Zero(v.Type()))
		for i := range v.Len() {
			variants(fmt.Sprintf("%s[%d]", path, i), v.Index(i), each)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			variants(path+"."+v.Type().Field(i).Name, v.Field(i), each)
		}
	default:
		panic("a profile has got a new kind of field: " + path)
	}
}

// A field added to the specification's type fails here until appendProfile
// knows it.
func TestEveryFieldIsInTheKey(t *testing.T) {
	p := sample()
	seen := map[[32]byte]string{cacheKey("2.5.4", p): "the sample"}
	tried := 0
	variants("", reflect.ValueOf(p).Elem(), func(path string) {
		key := cacheKey("2.5.4", p)
		if path[:9] == ".Listener" {
			if seen[key] != "the sample" {
				t.Errorf("%s is in the key, so each container compiles for itself", path)
			}
			return
		}
		if before, ok := seen[key]; ok && !sameMeaning(path, before) {
			t.Errorf("%s has the key of %s", path, before)
		}
		seen[key] = path
		tried++
	})
	if tried < 60 {
		t.Errorf("only %d variants", tried)
	}
	if cacheKey("2.5.5", p) == cacheKey("2.5.4", p) {
		t.Error("libseccomp's version is not in the key")
	}
	p.Flags = nil
	absent := cacheKey("2.5.4", p)
	p.Flags = []specs.LinuxSeccompFlag{}
	if cacheKey("2.5.4", p) == absent {
		t.Error("an empty list of flags has the key of absent ones")
	}
}

// sameMeaning knows the variants that are the same profile: a list of one,
// made shorter, and made nil.
func sameMeaning(path, before string) bool {
	return path == ".Syscalls[1].Names nil" && before == ".Syscalls[1].Names shorter" ||
		path == ".Syscalls[1].Args nil" && before == ".Syscalls[1].Args shorter"
}

// The strings of a rule must not run into each other, as they did in crun.
func TestNamesDoNotRunTogether(t *testing.T) {
	names := func(n ...string) *specs.LinuxSeccomp {
		return &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: n, Action: specs.ActErrno}}}
	}
	if cacheKey("", names("ab", "c")) == cacheKey("", names("a", "bc")) || cacheKey("", names("abc")) == cacheKey("", names("ab", "c")) {
		t.Error("two lists of names have one key")
	}
	apart := names("a")
	apart.Syscalls = append(apart.Syscalls, specs.LinuxSyscall{Names: []string{"b"}, Action: specs.ActErrno})
	if cacheKey("", names("a", "b")) == cacheKey("", apart) {
		t.Error("one entry of two names has the key of two entries")
	}
}

func TestProfileSurvivesEncoding(t *testing.T) {
	none := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{}}
	for _, p := range []*specs.LinuxSeccomp{sample(), dockerProfile(t), none, {}} {
		p.ListenerPath, p.ListenerMetadata = "", ""
		b := appendProfile(nil, p)
		got, err := decodeProfile(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, p) {
			t.Errorf("got  %+v\nwant %+v", got, p)
		}
		for i := range b {
			if _, err := decodeProfile(b[:i]); err == nil {
				t.Fatalf("the first %d of %d bytes are accepted", i, len(b))
			}
		}
		if _, err := decodeProfile(append(b, 0)); err == nil {
			t.Error("a byte too many is accepted")
		}
	}
}

func TestFilterSurvivesEncoding(t *testing.T) {
	f := &Filter{Program: []byte("8 bytes.16 bytes"), Flags: 1 << 40, Notify: true}
	w := []Warning{{Field: "a", Text: "b", Debug: true}, {Field: "c", Text: ""}}
	b := appendFilter(nil, f, w)
	gotFilter, gotWarnings, err := decodeFilter(b)
	if err != nil || !reflect.DeepEqual(gotFilter, f) || !reflect.DeepEqual(gotWarnings, w) {
		t.Errorf("got %+v %+v %v", gotFilter, gotWarnings, err)
	}
	for i := range b {
		if _, _, err := decodeFilter(b[:i]); err == nil {
			t.Fatalf("the first %d of %d bytes are accepted", i, len(b))
		}
	}
}

func FuzzDecodeProfile(f *testing.F) {
	f.Add(appendProfile(nil, sample()))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodeProfile(b)
		if err != nil {
			return
		}
		again, err := decodeProfile(appendProfile(nil, p))
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Errorf("%+v comes back as %+v, %v", p, again, err)
		}
	})
}

func FuzzDecodeFilter(f *testing.F) {
	f.Add(appendFilter(nil, &Filter{Program: make([]byte, 8)}, []Warning{{Field: "a", Text: "b"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		filter, warnings, err := decodeFilter(b)
		if err != nil {
			return
		}
		if string(appendFilter(nil, filter, warnings)) != string(b) {
			t.Error("does not encode to the same bytes")
		}
	})
}

// Whatever config.json says: no crash, no program the kernel would refuse for
// its shape, and a verdict for every call.
func FuzzCompile(f *testing.F) {
	requireEnabled(f)
	for _, p := range []*specs.LinuxSeccomp{sample(), {DefaultAction: specs.ActAllow}} {
		b, _ := json.Marshal(p)
		f.Add(b)
	}
	f.Add([]byte(`{"defaultAction":"SCMP_ACT_KILL","architectures":["SCMP_ARCH_X32","SCMP_ARCH_ARM"],"syscalls":[
		{"names":["clone","socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":18446744073709551615,"op":"SCMP_CMP_GT"}]},
		{"names":["clone"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":1,"valueTwo":2,"op":"SCMP_CMP_MASKED_EQ"},{"index":0,"value":1,"op":"SCMP_CMP_NE"}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := &specs.LinuxSeccomp{}
		if json.Unmarshal(b, p) != nil {
			return
		}
		filter, _, err := Compile(p)
		if err != nil {
			return
		}
		for _, nr := range []uint32{0, 41, 56, 9999, x32Bit, x32Bit | 520, 0xffffffff} {
			for _, row := range architectures() {
				in := call{number: nr, arch: row.abi.audit, args: [6]uint64{1, 1 << 63, 0xffffffff, 2, 3, 4}}
				answerOf(t, filter.Program, in)
			}
		}
	})
}
