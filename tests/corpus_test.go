package tests

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"ociruntime/tests/corpus"
	"ociruntime/tests/harness"
)

// TestBadCorpus: of spec/testdata/full.json with one wrong value each, create
// makes nothing, and says which field it is, by its full path; check says the
// same. More that is wrong only on a host, or only in a file, is in
// TestBadConfig and TestBadJSON.
func TestBadCorpus(t *testing.T) {
	t.Parallel()
	list, err := corpus.Read("../spec/testdata/bad.txt")
	check(t, err)
	if len(list) < 400 {
		t.Errorf("only %d bad configurations", len(list))
	}
	full := []byte(read(t, "../spec/testdata/good/full.json"))
	const parts = 4
	for part := range parts {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			env := harness.New(t)
			bundle := env.Bundle()
			before := listing(t, bundle.Dir)
			for i := part; i < len(list); i += parts {
				m := list[i]
				mutated, err := m.Apply(full)
				check(t, err)
				bundle.SetRaw(mutated)
				message := env.Call("create", "--bundle", bundle.Dir, env.ID()).WantError(t, 1)
				if !names(message, m) {
					t.Errorf("bad.txt:%d: %s = %s\ngot  %s\nwant %s: ...%s", m.Line, m.Path, m.Value, message, m.Field, m.Text)
				}
				if i%8 == part { // it is the same code, but for the printing
					checkNames(t, env, bundle, m)
				}
			}
			want(t, "files of the bundle", listing(t, bundle.Dir), before)
			if entries, err := os.ReadDir(env.Root); err == nil && len(entries) > 0 {
				t.Errorf("left below the state root: %v", entries)
			}
			if left := env.Leftovers(); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// names reports whether a message is about the mutation's field and says what
// is wrong with it.
func names(message string, m corpus.Mutation) bool {
	problems, found := strings.CutPrefix(message, "create failed: ")
	for problem := range strings.SplitSeq(problems, "; ") {
		if strings.HasPrefix(problem, m.Field+": ") && strings.Contains(problems, m.Text) {
			return found
		}
	}
	return false
}

// checkNames demands the field of `check`.
func checkNames(t *testing.T, env *harness.Env, bundle *harness.Bundle, m corpus.Mutation) {
	t.Helper()
	var list []struct{ Severity, Field, Code, Message string }
	check(t, json.Unmarshal([]byte(env.Call("check", "--format", "json", "--bundle", bundle.Dir).WantCode(t, 1).Stdout), &list))
	for _, f := range list {
		if f.Severity == "error" && f.Field == m.Field && f.Code != "" && strings.Contains(f.Message, m.Text) {
			return
		}
	}
	t.Errorf("bad.txt:%d: %s = %s\ncheck finds %+v", m.Line, m.Path, m.Value, list)
}
