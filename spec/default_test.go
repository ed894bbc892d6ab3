package spec

import (
	"bytes"
	stdjson "encoding/json"
	"flag"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func TestDefault(t *testing.T) {
	rootless := Default(DefaultOptions{CgroupNamespace: true})
	Rootless(rootless, 1000, 100)
	for name, config := range map[string]*specs.Spec{
		"default-v1.json":  Default(DefaultOptions{}),
		"default-v2.json":  Default(DefaultOptions{CgroupNamespace: true}),
		"rootless-v2.json": rootless,
	} {
		got := FormatSpec(config)
		golden(t, name, got)
		again, err := Decode(got)
		if err != nil || !reflect.DeepEqual(again, config) {
			t.Errorf("%s does not survive decoding: %v", name, err)
		}
		if err := Validate(config, Host{Rootless: config == rootless}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if w := Warnings(config); len(w) > 0 {
			t.Errorf("%s: warnings: %v", name, w)
		}
		want, err := stdjson.MarshalIndent(config, "", "\t")
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not as encoding/json writes it:\n%s", name, want)
		}
	}
}

func TestDefaultsAreIndependent(t *testing.T) {
	Rootless(Default(DefaultOptions{}), 1, 1)
	golden(t, "default-v1.json", FormatSpec(Default(DefaultOptions{})))
}

func TestFeatures(t *testing.T) {
	yes, no := true, false
	got := FormatFeatures(Features(FeatureInputs{
		Seccomp: features.Seccomp{Enabled: &yes, Actions: []string{"SCMP_ACT_ALLOW"}},
		Cgroup:  features.Cgroup{V1: &yes, V2: &yes, Systemd: &no, SystemdUser: &no, Rdma: &yes},
		IDMap:   true, Annotations: map[string]string{"org.example.version": "1"}, UnsafeAnnotations: []string{"run.oci."},
	}))
	golden(t, "features.json", got)
	var f features.Features
	d := stdjson.NewDecoder(bytes.NewReader(got))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		t.Fatal(err)
	}
	want, err := stdjson.MarshalIndent(f, "", "    ")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("not as encoding/json writes it:\n%s", want)
	}
	for _, version := range []string{f.OCIVersionMin, f.OCIVersionMax} {
		if err := Validate(&specs.Spec{Version: version, Root: &specs.Root{Path: "x"}}, Host{}); err != nil {
			t.Errorf("promised version: %v", err)
		}
	}
	if !slices.IsSorted(f.MountOptions) || len(slices.Compact(f.MountOptions)) != len(MountOptions()) {
		t.Error("mount options are not in order, or not unique")
	}
	if len(f.Linux.Namespaces) != 8 || len(f.Linux.Capabilities) != 41 || len(f.Hooks) != 6 {
		t.Errorf("%d namespaces, %d capabilities, %d hooks", len(f.Linux.Namespaces), len(f.Linux.Capabilities), len(f.Hooks))
	}
}

// golden compares got with a file in testdata/golden.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := "testdata/golden/" + name
	if *update {
		must(t, os.WriteFile(file, got, 0o666))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run go test -update and look at the difference:\n%s", file, got)
	}
}
