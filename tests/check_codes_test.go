package tests

import (
	"encoding/json"
	"testing"

	"ociruntime/tests/harness"
)

// TestCheckCodes: what check finds has codes as errors have, which explain knows.
func TestCheckCodes(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	cases := []struct {
		code  string
		value any
		path  []any
	}{
		{"config-unknown", "x", at("process", "argz")},
		{"config-warning", []string{"CAP_KILL"}, at("process", "capabilities", "ambient")},
		{"config-invalid", "tmp", at("process", "cwd")},
	}
	for _, c := range cases {
		bundle := env.Bundle()
		bundle.SetJSON(c.value, c.path...)
		r := env.Call("check", "--format", "json", "--bundle", bundle.Dir)
		var findings []struct{ Code string }
		check(t, json.Unmarshal([]byte(r.Stdout), &findings))
		found := false
		for _, f := range findings {
			found = found || f.Code == c.code
			env.Call("explain", f.Code).WantCode(t, 0)
		}
		if !found {
			t.Errorf("no %s: %s", c.code, r)
		}
	}
}
