package harness

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Bundle is a directory with a config.json and a busybox root file system.
type Bundle struct {
	Dir string
	t   testing.TB
}

// Bundle makes a bundle from DefaultConfig and the edits, in order.
func (e *Env) Bundle(edits ...Edit) *Bundle {
	e.T.Helper()
	name := e.next("b")
	b := &Bundle{Dir: filepath.Join(e.Dir, name), t: e.T}
	NewRootfs(e.T, b.Rootfs())
	e.roots = append(e.roots, inodeOf(e.T, b.Rootfs()))
	config := DefaultConfig("/" + e.token + "-" + name)
	for _, edit := range edits {
		edit(config)
	}
	b.SetConfig(config)
	return b
}

// Rootfs is the root file system that the default configuration uses.
func (b *Bundle) Rootfs() string { return filepath.Join(b.Dir, "rootfs") }

// Path joins elements to the root file system's path on the host.
func (b *Bundle) Path(elem ...string) string {
	return filepath.Join(append([]string{b.Rootfs()}, elem...)...)
}

func (b *Bundle) configFile() string { return filepath.Join(b.Dir, "config.json") }

// SetConfig writes the configuration.
func (b *Bundle) SetConfig(config *specs.Spec) {
	b.t.Helper()
	text, err := json.MarshalIndent(config, "", "\t")
	must(b.t, err)
	b.SetRaw(text)
}

// Config reads the configuration back.
func (b *Bundle) Config() *specs.Spec {
	b.t.Helper()
	config := &specs.Spec{}
	must(b.t, json.Unmarshal(b.Raw(), config))
	return config
}

// Edit changes the configuration on disk.
func (b *Bundle) Edit(edits ...Edit) {
	b.t.Helper()
	config := b.Config()
	for _, edit := range edits {
		edit(config)
	}
	b.SetConfig(config)
}

// Raw returns the bytes of config.json.
func (b *Bundle) Raw() []byte {
	b.t.Helper()
	text, err := os.ReadFile(b.configFile())
	must(b.t, err)
	return text
}

// SetRaw writes the bytes of config.json, for input that no Go value encodes to.
func (b *Bundle) SetRaw(text []byte) {
	b.t.Helper()
	must(b.t, os.WriteFile(b.configFile(), text, 0o644))
}

// ReplaceRaw replaces the first occurrence of before in config.json and fails
// the test when there is none.
func (b *Bundle) ReplaceRaw(before, after string) {
	b.t.Helper()
	text := b.Raw()
	if !bytes.Contains(text, []byte(before)) {
		b.t.Fatalf("config.json has no %q to replace", before)
	}
	b.SetRaw(bytes.Replace(text, []byte(before), []byte(after), 1))
}

// SetJSON sets one value of config.json, which may be of a type or under a key
// that specs.Spec does not have. The path holds object keys (string) and array
// indexes (int); a missing object is made.
func (b *Bundle) SetJSON(value any, path ...any) {
	b.t.Helper()
	var config any
	must(b.t, json.Unmarshal(b.Raw(), &config))
	config = setIn(b.t, config, value, path)
	text, err := json.MarshalIndent(config, "", "\t")
	must(b.t, err)
	b.SetRaw(text)
}

func setIn(t testing.TB, node, value any, path []any) any {
	t.Helper()
	if len(path) == 0 {
		return value
	}
	switch key := path[0].(type) {
	case string:
		object, _ := node.(map[string]any)
		if object == nil {
			object = map[string]any{}
		}
		object[key] = setIn(t, object[key], value, path[1:])
		return object
	case int:
		array, _ := node.([]any)
		if key == len(array) {
			array = append(array, nil)
		}
		if key > len(array) {
			t.Fatalf("config.json: index %d of an array of %d", key, len(array))
		}
		array[key] = setIn(t, array[key], value, path[1:])
		return array
	}
	t.Fatalf("config.json: a path holds strings and ints, not %T", path[0])
	return nil
}
