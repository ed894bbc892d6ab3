package spec

import (
	"errors"
	"os"
	"strings"
	"testing"

	stdjson "encoding/json"

	"ociruntime/internal/diag"
)

func TestGood(t *testing.T) {
	for name, raw := range goodConfigs(t) {
		config, err := Decode(raw)
		if err == nil {
			err = Validate(config, Host{Rootless: name == "rootless.json"})
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// mutation is one line of testdata/bad.txt or good.txt: what happens to
// testdata/good/full.json, and what must come of it.
type mutation struct {
	line  int
	path  string // e.g. mounts[0].options[1]; [+] appends
	value string // JSON, or - to delete
	text  string // part of the message
	field string // what the message must begin with
}

func mutations(t *testing.T, file string) []mutation {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []mutation
	for i, line := range strings.Split(string(data), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		columns := strings.FieldsFunc(line, func(r rune) bool { return r == '\t' })
		m := mutation{line: i + 1, path: columns[0], value: columns[1], field: columns[0]}
		if len(columns) > 2 {
			m.text = columns[2]
		}
		if len(columns) > 3 {
			m.field = columns[3]
		}
		list = append(list, m)
	}
	return list
}

// check applies a mutation to full.json and decodes and validates the result.
func (m mutation) check(t *testing.T, raw []byte) error {
	mutated, err := stdjson.Marshal(mutate(t, parse(t, string(raw)), m.path, m.value))
	must(t, err)
	config, err := Decode(mutated)
	if err != nil {
		return err
	}
	return Validate(config, Host{})
}

// parse reads JSON with numbers as they are written.
func parse(t *testing.T, text string) (tree any) {
	d := stdjson.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return tree
}

// mutate returns tree with the value at path replaced.
func mutate(t *testing.T, tree any, path, value string) any {
	if path == "" {
		return parse(t, value)
	}
	step, rest := cutStep(path)
	switch node := tree.(type) {
	case map[string]any:
		key := strings.TrimPrefix(step, ".")
		if strings.HasPrefix(step, `["`) {
			must(t, stdjson.Unmarshal([]byte(step[1:len(step)-1]), &key))
		}
		if rest == "" && value == "-" {
			if _, ok := node[key]; !ok {
				t.Fatalf("%s: nothing to delete", path)
			}
			delete(node, key)
		} else {
			node[key] = mutate(t, node[key], rest, value)
		}
		return node
	case []any:
		if step == "[+]" {
			return append(node, mutate(t, nil, rest, value))
		}
		var i int
		must(t, stdjson.Unmarshal([]byte(step[1:len(step)-1]), &i))
		node[i] = mutate(t, node[i], rest, value)
		return node
	case nil:
		return mutate(t, map[string]any{}, path, value)
	}
	t.Fatalf("%s: no such place", path)
	return nil
}

// cutStep splits a path after its first ".name", "[index]" or `["key"]`.
func cutStep(path string) (step, rest string) {
	end := strings.IndexAny(path[1:], ".[") + 1
	if path[0] == '[' {
		end = strings.IndexByte(path, ']') + 1
	}
	if end <= 0 {
		end = len(path)
	}
	return path[:end], path[end:]
}

func TestBadMutations(t *testing.T) {
	full := goodConfigs(t)["full.json"]
	list := mutations(t, "testdata/bad.txt")
	if len(list) < 200 {
		t.Errorf("only %d bad configurations", len(list))
	}
	for _, m := range list {
		err := m.check(t, full)
		if err == nil {
			t.Errorf("bad.txt:%d: %s = %s is accepted", m.line, m.path, m.value)
			continue
		}
		if !m.explains(err) {
			t.Errorf("bad.txt:%d: %s = %s\ngot  %v\nwant %s: ...%s", m.line, m.path, m.value, err, m.field, m.text)
		}
	}
}

// explains says whether one of the problems is what was expected, and all of
// them have a field and a code.
func (m mutation) explains(err error) bool {
	var all Problems
	if !errors.As(err, &all) {
		return false
	}
	found := false
	for _, p := range all {
		if p.Field == m.field && strings.Contains(p.Error(), m.text) {
			found = true
		}
		if p.Field == "" || p.Code == "" || !strings.HasPrefix(p.Error(), p.Field+": ") {
			return false
		}
	}
	return found && diag.CodeOf(err) != ""
}

func TestGoodMutations(t *testing.T) {
	full := goodConfigs(t)["full.json"]
	list := mutations(t, "testdata/good.txt")
	if len(list) < 30 {
		t.Errorf("only %d good configurations", len(list))
	}
	for _, m := range list {
		if err := m.check(t, full); err != nil {
			t.Errorf("good.txt:%d: %s = %s: %v", m.line, m.path, m.value, err)
		}
	}
}
