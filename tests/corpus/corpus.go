// Package corpus has configurations with one mistake each, for those who check
// values in memory and for those who run the program.
package corpus

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Mutation is one line of a list such as spec/testdata/bad.txt: what happens to
// a configuration, and what must come of it. The columns are separated by tabs:
//
//	PATH VALUE [TEXT [FIELD]]
type Mutation struct {
	Line  int
	Path  string // as in mounts[0].options[1] or linux.sysctl["a.b"]; [+] appends; empty is the document
	Value string // JSON, or "-" to delete
	Text  string // part of the message
	Field string // which the message is about; the path if the line does not say
}

// Read reads a list. Empty lines and those with a # in front do not count.
func Read(file string) ([]Mutation, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list []Mutation
	for i, line := range strings.Split(string(data), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		columns := strings.FieldsFunc(line, func(r rune) bool { return r == '\t' })
		if len(columns) < 2 {
			return nil, fmt.Errorf("%s:%d: has no value", file, i+1)
		}
		m := Mutation{Line: i + 1, Path: columns[0], Value: columns[1], Field: columns[0]}
		if len(columns) > 2 {
			m.Text = columns[2]
		}
		if len(columns) > 3 {
			m.Field = columns[3]
		}
		list = append(list, m)
	}
	return list, nil
}

// Apply returns the configuration raw with the mutation.
func (m Mutation) Apply(raw []byte) ([]byte, error) {
	tree, err := parse(string(raw))
	if err == nil {
		tree, err = mutate(tree, m.Path, m.Value)
	}
	if err != nil {
		return nil, fmt.Errorf("line %d: %s: %w", m.Line, m.Path, err)
	}
	return json.Marshal(tree)
}

// parse reads JSON with numbers as they are written.
func parse(text string) (tree any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return tree, d.Decode(&tree)
}

// mutate returns tree with the value at path replaced.
func mutate(tree any, path, value string) (any, error) {
	if path == "" {
		return parse(value)
	}
	step, rest := cutStep(path)
	switch node := tree.(type) {
	case map[string]any:
		return node, mutateObject(node, step, rest, value)
	case []any:
		return mutateArray(node, step, rest, value)
	case nil:
		return mutate(map[string]any{}, path, value)
	}
	return nil, fmt.Errorf("nothing is below %v", tree)
}

func mutateObject(node map[string]any, step, rest, value string) error {
	key := strings.TrimPrefix(step, ".")
	if strings.HasPrefix(step, `["`) {
		if err := json.Unmarshal([]byte(step[1:len(step)-1]), &key); err != nil {
			return err
		}
	}
	if rest == "" && value == "-" {
		if _, ok := node[key]; !ok {
			return fmt.Errorf("there is no %s to delete", key)
		}
		delete(node, key)
		return nil
	}
	child, err := mutate(node[key], rest, value)
	node[key] = child
	return err
}

func mutateArray(node []any, step, rest, value string) (any, error) {
	if step == "[+]" {
		child, err := mutate(nil, rest, value)
		return append(node, child), err
	}
	i, err := strconv.Atoi(strings.Trim(step, "[]"))
	if err != nil || i >= len(node) {
		return nil, fmt.Errorf("%s is no index of an array of %d", step, len(node))
	}
	node[i], err = mutate(node[i], rest, value)
	return node, err
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
