package spec

import (
	stdjson "encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
	"ociruntime/internal/json"
)

func TestDecodeProblems(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"truncated", `{"ociVersion":"1.3.0","root":{"path":"rootfs"`, `root.path: found nothing more, expected "," or "}" (at line 1:46)`},
		{"empty", ``, `found nothing more, expected a value (at line 1:1)`},
		{"string for an array", `{"ociVersion":"1.3.0","process":{"cwd":"/","args":"sh"}}`, `process.args: is a string, must be an array (at line 1:51)`},
		{"number in an option", `{"ociVersion":"1.3.0","mounts":[{"destination":"/a"},{"destination":"/b","options":["ro",5]}]}`,
			`mounts[1].options[1]: is a number, must be a string`},
		{"string for a limit", `{"ociVersion":"1.3.0","linux":{"resources":{"memory":{"limit":"1G"}}}}`, `linux.resources.memory.limit: is a string, must be a number`},
		{"limit out of range", `{"ociVersion":"1.3.0","linux":{"resources":{"blockIO":{"weight":65536}}}}`,
			`linux.resources.blockIO.weight: is 65536, must be a whole number from 0 to 65535`},
		{"negative uid", `{"ociVersion":"1.3.0","process":{"cwd":"/","user":{"uid":-1,"gid":0}}}`, `process.user.uid: is -1, must be a whole number from 0 to 4294967295`},
		{"duplicate", `{"ociVersion":"1.3.0","root":{"path":"a"},"root":{"path":"b"}}`, `root: appears twice in its object`},
		{"duplicate sysctl", `{"ociVersion":"1.3.0","linux":{"sysctl":{"net.a":"1","net.a":"2"}}}`, `linux.sysctl["net.a"]: appears twice in its object`},
		{"other case", `{"OCIVERSION":"1.3.0"}`, `ociVersion: is missing`},
		{"rlimit without hard", `{"ociVersion":"1.3.0","process":{"cwd":"/","rlimits":[{"type":"RLIMIT_CORE","soft":0}]}}`, `process.rlimits[0].hard: is missing`},
		{"mapping without size", `{"ociVersion":"1.3.0","linux":{"uidMappings":[{"containerID":0,"hostID":0}]}}`, `linux.uidMappings[0].size: is missing`},
		{"device without minor", `{"ociVersion":"1.3.0","linux":{"devices":[{"type":"c","path":"/dev/x","major":1}]}}`, `linux.devices[0].minor: is missing`},
		{"throttle without major", `{"ociVersion":"1.3.0","linux":{"resources":{"blockIO":{"throttleReadBpsDevice":[{"minor":0,"rate":1}]}}}}`,
			`linux.resources.blockIO.throttleReadBpsDevice[0].major: is missing`},
		{"user without gid", `{"ociVersion":"1.3.0","process":{"cwd":"/","user":{"uid":0}}}`, `process.user.gid: is missing`},
		{"NUL in an argument", `{"ociVersion":"1.3.0","process":{"cwd":"/","args":["a\u0000b"]}}`, `process.args[0]: holds a NUL byte`},
		{"NUL in a unified key", `{"ociVersion":"1.3.0","linux":{"resources":{"unified":{"a\u0000":"b"}}}}`, `linux.resources.unified["a\x00"]: the name holds a NUL byte`},
		{"two at once", `{"ociVersion":5,"hostname":[],"linux":{"maskedPaths":{}}}`,
			`ociVersion: is a number, must be a string (at line 1:15); hostname: is an array, must be a string (at line 1:28); ` +
				`linux.maskedPaths: is an object, must be an array (at line 1:54)`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			config, err := Decode([]byte(c.in))
			if config != nil || err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Fatalf("got  %v\nwant %s", err, c.want)
			}
			var one *diag.Error
			var all Problems
			if !errors.As(err, &one) || !errors.As(err, &all) || one != all[0] {
				t.Errorf("not a list of diag.Error: %#v", err)
			}
			if diag.CodeOf(err) == "" {
				t.Errorf("no code: %v", err)
			}
		})
	}
}

func TestDecodePasses(t *testing.T) {
	for name, in := range map[string]string{
		"foreign platforms, whatever is in them": `{"ociVersion":"1.3.0","windows":{"layerFolders":5},"solaris":[],"vm":"x","zos":{},"freebsd":1,"process":{"cwd":"/","commandLine":5,"user":{"uid":0,"gid":0,"username":[]}}}`,
		"unknown properties":                     `{"ociVersion":"1.3.0","rooot":{"a":[1]},"process":{"cwd":"/","foo":null}}`,
		"null is absent":                         `{"ociVersion":"1.3.0","root":null,"mounts":null,"hooks":null,"annotations":null,"hostname":null}`,
		"fifo without numbers":                   `{"ociVersion":"1.3.0","linux":{"devices":[{"path":"/dev/f","type":"p"}]}}`,
		"NUL in an annotation":                   `{"ociVersion":"1.3.0","annotations":{"a":"\u0000"}}`,
	} {
		if _, err := Decode([]byte(in)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnknownProperties(t *testing.T) {
	const in = `{"ociVersion":"1.3.0","Root":{"path":"x"},"process":{"cwd":"/","agrs":["sh"],"user":{"uid":0,"gid":0,"zzz":0}},
	"windows":{"x":1},"linux":{"namespaces":[{"type":"pid"},{"type":"user","Path":"/x"}]}}`
	want := []string{
		`Root: is not a property of the runtime-spec, and is ignored (did you mean "root"? at line 1:30)`,
		`process.agrs: is not a property of the runtime-spec, and is ignored (did you mean "args"? at line 1:71)`,
		`process.user.zzz: is not a property of the runtime-spec, and is ignored (at line 1:108)`,
		`linux.namespaces[1].Path: is not a property of the runtime-spec, and is ignored (did you mean "path"? at line 2:80)`,
	}
	got := UnknownProperties([]byte(in))
	if text := got.Error(); text != strings.Join(want, "; ") {
		t.Errorf("got  %s\nwant %s", text, strings.Join(want, "; "))
	}
}

// The encoders must agree with encoding/json about every good configuration.
func TestEncode(t *testing.T) {
	for name, raw := range goodConfigs(t) {
		config, err := Decode(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := Decode(AppendSpec(nil, config))
		if err != nil || !reflect.DeepEqual(config, again) {
			t.Errorf("%s does not survive encoding: %v", name, err)
		}
		want, err := stdjson.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		if got := AppendSpec(nil, config); string(got) != plain(string(want)) {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
		}
	}
	state := specs.State{Version: "1.3.0", ID: "x", Status: specs.StateCreating, Bundle: "/b", Annotations: map[string]string{"b": "\x00<", "a": ""}}
	process := specs.ContainerProcessState{Version: "1.3.0", Fds: []string{specs.SeccompFdName}, Pid: 5, State: state}
	for _, c := range []struct {
		value any
		got   []byte
	}{
		{state, AppendState(nil, &state)},
		{process, AppendProcessState(nil, &process)},
	} {
		want, err := stdjson.Marshal(c.value)
		if err != nil || string(c.got) != plain(string(want)) {
			t.Errorf("got  %s\nwant %s, %v", c.got, want, err)
		}
	}
	again, err := DecodeState(AppendState(nil, &state))
	if err != nil || !reflect.DeepEqual(*again, state) {
		t.Errorf("state does not survive encoding: %+v, %v", again, err)
	}
}

// plain undoes the escapes that encoding/json adds for HTML, and writes tabs
// as we do.
func plain(s string) string {
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&", `\t`, `\u0009`).Replace(s)
}

// goodConfigs returns the configurations in testdata/good, by file name.
func goodConfigs(t testing.TB) map[string][]byte {
	names, err := filepath.Glob("testdata/good/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no good configurations: %v", err)
	}
	configs := map[string][]byte{}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		configs[filepath.Base(name)] = raw
	}
	return configs
}

// FuzzDecode holds Decode to what two other decoders make of the same bytes.
func FuzzDecode(f *testing.F) {
	for _, raw := range goodConfigs(f) {
		f.Add(raw)
	}
	f.Add([]byte(`{"ociVersion":"1.0.0","ociversion":"x","linux":{"uidMappings":[{}],"sysctl":{"a":null}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if tooDeep(raw) {
			return
		}
		config, err := Decode(raw)
		reference := new(specs.Spec)
		compare(t, raw, config, err, reference, func() { dropForeign(reference) })
	})
}

// FuzzDecodeProcess does the same for the file that exec is given.
func FuzzDecodeProcess(f *testing.F) {
	for _, raw := range goodConfigs(f) {
		config, err := Decode(raw)
		if err != nil {
			f.Fatal(err)
		}
		if config.Process != nil {
			f.Add(appendSpecsProcess(nil, config.Process))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if tooDeep(raw) {
			return
		}
		process, err := DecodeProcess(raw)
		reference := new(specs.Process)
		compare(t, raw, process, err, reference, func() { dropForeignProcess(reference) })
	})
}

// FuzzDecodeResources does the same for the file that update is given.
func FuzzDecodeResources(f *testing.F) {
	for _, raw := range goodConfigs(f) {
		config, err := Decode(raw)
		if err != nil {
			f.Fatal(err)
		}
		if config.Linux != nil && config.Linux.Resources != nil {
			f.Add(appendSpecsLinuxResources(nil, config.Linux.Resources))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if tooDeep(raw) {
			return
		}
		resources, err := DecodeResources(raw)
		if err == nil {
			_ = ValidateResources("", resources) // whatever it says
		}
		compare(t, raw, resources, err, new(specs.LinuxResources), func() {})
	})
}

func tooDeep(raw []byte) bool {
	return strings.Count(string(raw), "[")+strings.Count(string(raw), "{") > 500
}

// compare decodes raw into reference, first as encoding/json/v2 does - exact
// case, no duplicates, strict UTF-8 - and then, if raw leaves it no room for its
// own ideas, as encoding/json does.
func compare[T any](t *testing.T, raw []byte, got *T, err error, reference *T, drop func()) {
	refused := jsonv2.Unmarshal(raw, reference)
	if err != nil {
		if refused == nil && !stricter(err) {
			t.Errorf("refused for no good reason: %v", err)
		}
		return
	}
	if refused != nil {
		if !mentionsForeign(raw) {
			t.Errorf("accepted, but: %v", refused)
		}
		return
	}
	drop()
	if !reflect.DeepEqual(got, reference) {
		t.Errorf("decoded\n%+v, want\n%+v", got, reference)
	}
	if _, ok := any(got).(*specs.Spec); !ok || len(UnknownProperties(raw)) > 0 || mentionsForeign(raw) {
		return
	}
	*reference = *new(T)
	if err := stdjson.Unmarshal(raw, reference); err != nil || !reflect.DeepEqual(got, reference) {
		t.Errorf("decoded\n%+v, encoding/json has\n%+v, %v", got, reference, err)
	}
}

// stricter says whether all problems are rules that the reference lacks.
func stricter(err error) bool {
	var all Problems
	errors.As(err, &all)
	for _, p := range all {
		text := p.Err.Error()
		if p.Code != json.CodeMissing && text != "is null" && !strings.Contains(text, "NUL") {
			return false
		}
	}
	return true
}

func mentionsForeign(raw []byte) bool {
	// Any of these may be written with escapes.
	if strings.Contains(string(raw), `\u`) {
		return true
	}
	for _, name := range []string{"windows", "solaris", "vm", "zos", "freebsd", "commandLine", "username"} {
		if strings.Contains(string(raw), `"`+name+`"`) {
			return true
		}
	}
	return false
}

func dropForeign(config *specs.Spec) {
	config.Solaris, config.Windows, config.VM, config.ZOS, config.FreeBSD = nil, nil, nil, nil, nil
	if config.Process != nil {
		dropForeignProcess(config.Process)
	}
}

func dropForeignProcess(p *specs.Process) { p.CommandLine, p.User.Username = "", "" }
