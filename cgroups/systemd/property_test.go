package systemd

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

var update = flag.Bool("update", false, "rewrite the golden files; review the difference")

var propertyCases = []struct{ name, resources string }{
	{"nothing", `{}`},
	{"zeros", `{"memory":{"limit":0,"swap":0},"cpu":{"shares":0,"quota":0,"period":0},"pids":{"limit":0},"blockIO":{"weight":0}}`},
	{"memory", `{"memory":{"limit":67108864,"swap":100663296,"reservation":33554432}}`},
	{"no swap", `{"memory":{"limit":67108864,"swap":67108864}}`},
	{"unlimited", `{"memory":{"limit":-1,"swap":-1},"cpu":{"quota":-1},"pids":{"limit":-1}}`},
	{"memory unlimited", `{"memory":{"limit":-1}}`},
	{"half a cpu", `{"cpu":{"shares":512,"quota":50000,"period":100000}}`},
	{"quota of default period", `{"cpu":{"quota":33333}}`},
	{"cpu idle", `{"cpu":{"idle":1,"shares":512}}`},
	{"cpuset", `{"cpu":{"cpus":"0-3,9","mems":"0"}}`},
	{"bad cpuset", `{"cpu":{"cpus":"0-x"}}`},
	{"pids", `{"pids":{"limit":7}}`},
	{"block", `{"blockIO":{"weight":500,"weightDevice":[{"major":8,"minor":0,"weight":10}],"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1048576}],"throttleWriteIOPSDevice":[{"major":8,"minor":16,"rate":0}]}}`},
	{"unified", `{"unified":{"memory.high":"1000000","memory.max":"max","pids.max":"5","cpu.max":"50000 100000","cpuset.cpus":"0-1","cgroup.max.depth":"3"}}`},
	{"bad unified", `{"unified":{"memory.high":"lots"}}`},
}

func TestProperties(t *testing.T) {
	var b strings.Builder
	for _, c := range propertyCases {
		var r specs.LinuxResources
		must(t, json.Unmarshal([]byte(c.resources), &r))
		b.WriteString("== " + c.name + "\n")
		for _, unified := range []bool{false, true} {
			version := map[bool]string{false: "v1", true: "v2"}[unified]
			list, err := Properties(&r, unified)
			if err != nil {
				b.WriteString(version + " error " + err.Error() + "\n")
			}
			writeProperties(&b, version, list)
		}
	}
	golden(t, "testdata/properties.txt", b.String())
}

func TestDevices(t *testing.T) {
	number := func(n int64) *int64 { return &n }
	denyAll := specs.LinuxDeviceCgroup{Access: "rwm"}
	cases := []struct {
		name string
		list []specs.LinuxDeviceCgroup
	}{
		{"defaults", []specs.LinuxDeviceCgroup{denyAll}},
		{"numbers that no link names", []specs.LinuxDeviceCgroup{denyAll, {Allow: true, Type: "c", Major: number(195), Minor: number(255), Access: "rw"}, {Allow: true, Type: "b", Major: number(8), Access: "r"}}},
		{"everything", []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}},
		{"everything but one", []specs.LinuxDeviceCgroup{{Allow: true}, {Type: "c", Major: number(10), Minor: number(200)}}},
		{"a range with a hole", []specs.LinuxDeviceCgroup{denyAll, {Allow: true, Type: "c", Major: number(10)}, {Type: "c", Major: number(10), Minor: number(200)}}},
	}
	var b strings.Builder
	for _, c := range cases {
		list, exact, err := Devices(c.list)
		must(t, err)
		fmt.Fprintf(&b, "== %s (exact %v)\n", c.name, exact)
		writeProperties(&b, "", list)
	}
	golden(t, "testdata/devices.txt", b.String())
}

func writeProperties(b *strings.Builder, prefix string, list []Property) {
	for _, p := range list {
		optional := ""
		if p.optional {
			optional = "   optional"
		}
		fmt.Fprintf(b, "%s %s = %T %v%s\n", prefix, p.Name, p.Value, p.Value, optional)
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		must(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if got != string(want) {
		t.Errorf("%s differs; got\n%s", file, got)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFromAnnotations(t *testing.T) {
	good := map[string]Property{
		"TimeoutStopUSec=uint64 30000000":  {Name: "TimeoutStopUSec", Value: uint64(30000000)},
		"TimeoutStopSec=30":                {Name: "TimeoutStopUSec", Value: uint64(30000000)},
		"CollectMode='inactive'":           {Name: "CollectMode", Value: "inactive"},
		`Description="it's"`:               {Name: "Description", Value: "it's"},
		`Description='a \'b\' \\'`:         {Name: "Description", Value: `a 'b' \`},
		"After=['a.service', 'b.service']": {Name: "After", Value: []string{"a.service", "b.service"}},
		"After=[]":                         {Name: "After", Value: []string{}},
		"Some=[uint32 1, 2]":               {Name: "Some", Value: []uint32{1, 2}},
		"SendSIGHUP=true":                  {Name: "SendSIGHUP", Value: true},
		"Nice=int64 -5":                    {Name: "Nice", Value: int64(-5)},
		"Mode=uint32 0x1f":                 {Name: "Mode", Value: uint32(31)},
	}
	for text, want := range good {
		name, value, _ := strings.Cut(text, "=")
		list, err := FromAnnotations(map[string]string{"org.systemd.property." + name: value, "other": "x"})
		if err != nil || len(list) != 1 || !reflect.DeepEqual(list[0], want) {
			t.Errorf("%s: got %#v, %v; want %#v", text, list, err, want)
		}
	}
	for _, text := range []string{
		"Ab=true", "=true", "A.B=true", "Name1=true", "Näme=true", // names
		"PIDs=[uint32 1]", "DeviceAllow=[]", "Slice='x.slice'", "Delegate=false", // ours
		"Abc=", "Abc=yes", "Abc=uint64 -1", "Abc=uint64 18446744073709551616", "Abc=uint8 1", "Abc='x", "Abc='x'y", "Abc=['a' 'b']", "Abc=['a',]", "Abc=['a'", "Abc=[1]", "Abc='\x00'",
		"LongSec=uint64 18446744073709551615", "LongSec='x'", "Abc=[uint32 x]",
	} {
		name, value, _ := strings.Cut(text, "=")
		if list, err := FromAnnotations(map[string]string{"org.systemd.property." + name: value}); err == nil || !strings.HasPrefix(err.Error(), "annotations[org.systemd.property.") {
			t.Errorf("%s: got %v, %v", text, list, err)
		}
	}
}

func FuzzParseVariant(f *testing.F) {
	for _, seed := range []string{"true", "uint64 5", "'a\\'b'", "['a', \"b\"]", "[uint32 1, 2]", "[", "['"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value, err := parseVariant(text)
		if err != nil {
			return
		}
		var e encoder
		e.variant(value) // what can be read can be sent
	})
}
