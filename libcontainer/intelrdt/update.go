package intelrdt

import (
	"errors"
	"os"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
)

// Update changes the schemata of a group in use; what config does not name
// stays. After an error nothing has changed. Undo takes the change back.
func (g Group) Update(root string, config *specs.LinuxIntelRdt) (undo func(), err error) {
	p := &Plan{Group: g, root: root, lines: schemata(config)}
	if g.Dir == "" || g.Dir == root {
		return nil, &diag.Error{Field: field, Err: errors.New("the container is in the default group, which is the host's"), Code: "intelrdt"}
	}
	before, err := os.ReadFile(g.Dir + "/schemata")
	if err != nil {
		return nil, p.problem("read", g.Dir+"/schemata", err)
	}
	undo = func() {
		old := &Plan{Group: g, root: root}
		for l := range strings.Lines(string(before)) {
			old.lines = append(old.lines, line{field, strings.TrimSpace(l)})
		}
		_ = old.write() // what made us undo is the error to report
	}
	if err := p.write(); err != nil {
		undo()
		return nil, err
	}
	return undo, nil
}
