package spec

import (
	"errors"
	"strings"
	"testing"

	"ociruntime/internal/diag"
	"ociruntime/tests/corpus"
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

// checkMutation applies m to raw, and decodes and validates the result.
func checkMutation(t *testing.T, m corpus.Mutation, raw []byte) error {
	mutated, err := m.Apply(raw)
	must(t, err)
	config, err := Decode(mutated)
	if err != nil {
		return err
	}
	return Validate(config, Host{})
}

func TestBadMutations(t *testing.T) {
	full := goodConfigs(t)["full.json"]
	list, err := corpus.Read("testdata/bad.txt")
	must(t, err)
	if len(list) < 200 {
		t.Errorf("only %d bad configurations", len(list))
	}
	for _, m := range list {
		err := checkMutation(t, m, full)
		if err == nil {
			t.Errorf("bad.txt:%d: %s = %s is accepted", m.Line, m.Path, m.Value)
			continue
		}
		if !explains(m, err) {
			t.Errorf("bad.txt:%d: %s = %s\ngot  %v\nwant %s: ...%s", m.Line, m.Path, m.Value, err, m.Field, m.Text)
		}
	}
}

// explains says whether one of the problems is what was expected, and all of
// them have a field and a code.
func explains(m corpus.Mutation, err error) bool {
	var all Problems
	if !errors.As(err, &all) {
		return false
	}
	found := false
	for _, p := range all {
		if p.Field == m.Field && strings.Contains(p.Error(), m.Text) {
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
	list, err := corpus.Read("testdata/good.txt")
	must(t, err)
	if len(list) < 30 {
		t.Errorf("only %d good configurations", len(list))
	}
	for _, m := range list {
		if err := checkMutation(t, m, full); err != nil {
			t.Errorf("good.txt:%d: %s = %s: %v", m.Line, m.Path, m.Value, err)
		}
	}
}
