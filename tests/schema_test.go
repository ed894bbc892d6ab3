package tests

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
)

// schemaDir is where the version of the runtime-spec that the harness is built
// with keeps its JSON schemas.
func schemaDir(t *testing.T) string {
	t.Helper()
	tool := require.Program(t, "go")
	out, err := exec.Command(tool, "list", "-m", "-f", "{{.Dir}}", "github.com/opencontainers/runtime-spec").Output()
	check(t, err)
	return filepath.Join(strings.TrimSpace(string(out)), "schema")
}

// schema compiles one of them.
func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4) // which only the outer schemas name
	dir := schemaDir(t)
	files, err := filepath.Glob(dir + "/*.json")
	check(t, err)
	for _, file := range files {
		// v1.3.0 has a pointer without its first slash in defs.json.
		text := strings.ReplaceAll(read(t, file), `"#definitions/`, `"#/definitions/`)
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		check(t, err)
		check(t, compiler.AddResource(filepath.Base(file), value))
	}
	compiled, err := compiler.Compile(name)
	check(t, err)
	return compiled
}

func wantValid(t *testing.T, s *jsonschema.Schema, text string) {
	t.Helper()
	if err := validate(t, s, text); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

func validate(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	check(t, err)
	return s.Validate(value)
}

// TestFeaturesSchema: features.md. The schema is one that can say no.
func TestFeaturesSchema(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	s := schema(t, "features-schema.json")
	text := env.BareCommand("features").Run().WantCode(t, 0).Stdout
	wantValid(t, s, text)
	if validate(t, s, strings.Replace(text, "ociVersionMax", "other", 1)) == nil {
		t.Error("the schema takes anything")
	}
}

// TestSpecSchema: what `spec` writes is a configuration by the schema, too.
func TestSpecSchema(t *testing.T) {
	t.Parallel()
	s := schema(t, "config-schema.json")
	for _, flags := range [][]string{nil, {"--rootless"}} {
		env := harness.New(t)
		env.Call(append([]string{"spec", "--bundle", env.Dir}, flags...)...).WantQuiet(t)
		text := read(t, env.File("config.json"))
		wantValid(t, s, text)
		if validate(t, s, strings.Replace(text, `"cwd"`, `"cwt"`, 1)) == nil {
			t.Error("the schema takes anything")
		}
	}
}

// TestStateSchema: runtime.md#state, as printed in each status and as every
// kind of hook gets it.
func TestStateSchema(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	s := schema(t, "state-schema.json")
	kinds := []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}
	b := env.Bundle(harness.Forever, func(c *specs.Spec) { c.Annotations = map[string]string{"org.example.a": ""} })
	check(t, os.Mkdir(b.Path("states"), 0o755))
	for _, kind := range kinds {
		dir := b.Path("states")
		if kind == "startContainer" {
			dir = "/states"
		}
		b.SetJSON([]any{map[string]any{"path": "/bin/sh", "args": []string{"sh", "-c", "cat > " + dir + "/" + kind}}}, "hooks", kind)
	}
	c := env.Create(b)
	statuses := []string{}
	observe := func() {
		r := c.Call("state").WantCode(t, 0)
		wantValid(t, s, r.Stdout)
		statuses = append(statuses, c.State().Status)
	}
	observe()
	c.Start().WaitStdout("ready")
	observe()
	c.Stop()
	observe()
	c.Delete()
	want(t, "statuses", strings.Join(statuses, " "), "created running stopped")

	seen := map[string]string{}
	for _, kind := range kinds {
		text := read(t, b.Path("states", kind))
		wantValid(t, s, text)
		var state harness.State
		check(t, json.Unmarshal([]byte(text), &state))
		seen[kind] = state.Status
	}
	for kind, status := range map[string]string{"prestart": "creating", "createRuntime": "creating", "createContainer": "creating",
		"startContainer": "created", "poststart": "running", "poststop": "stopped"} {
		want(t, "status for "+kind, seen[kind], status)
	}
}

// beyondSchema are fixtures that the schema takes and a host or the prose of
// the specification does not, with the reason that create gives.
var beyondSchema = map[string]string{
	"linux-netdevice.json":   "linux.netDevices: needs a network namespace",
	"minimal-for-start.json": "process.env has no PATH",
	"freebsd-example.json":   "hostname: needs a namespace of its own",
	"spec-example.json":      "is a major version that this runtime does not know",
	"zos-example.json":       "needs a namespace of its own",
}

// TestSchemaFixtures: the runtime-spec's own good and bad configurations.
func TestSchemaFixtures(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	dir := filepath.Join(schemaDir(t), "test", "config")
	files, err := filepath.Glob(dir + "/*/*.json")
	check(t, err)
	if len(files) < 5 {
		t.Fatalf("%d fixtures in %s", len(files), dir)
	}
	for _, file := range files {
		b := env.Bundle()
		b.SetRaw([]byte(read(t, file)))
		r := env.Call("create", "--plan", "--bundle", b.Dir, env.ID())
		kind, name := filepath.Base(filepath.Dir(file)), filepath.Base(file)
		reason := beyondSchema[name]
		switch {
		case kind == "bad" && strings.HasPrefix(name, "freebsd"): // another platform's object is not read
		case kind == "bad" && r.Code == 0:
			t.Errorf("%s is taken", name)
		case kind == "good" && reason != "":
			r.WantError(t, 1, reason)
		case kind == "good":
			r.WantCode(t, 0)
		}
	}
}
