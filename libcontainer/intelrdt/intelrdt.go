// Package intelrdt puts containers into groups of resctrl, the kernel's file
// system for cache and memory bandwidth allocation, config-linux.md#intelrdt
// and Documentation/filesystems/resctrl.rst:
//
//	/sys/fs/resctrl/                 the default group, closID "/"
//	    tasks schemata info/last_cmd_status mon_groups/
//	    CLOSID/                      made by mkdir(2), which makes the same files
//	        tasks schemata
//	        mon_groups/ID/           counts what the tasks in it use
//	            tasks
package intelrdt

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

const field = "linux.intelRdt"

// Group is what a container has of resctrl. It holds plain values only, so that
// state.json can keep it. The zero value is a container without.
type Group struct {
	Dir     string `json:"dir"`               // of its control group; empty: none
	Monitor string `json:"monitor,omitempty"` // directory of its monitoring group; empty: none
	// Own: the control group is named after the container, and ends with it.
	Own bool `json:"own,omitempty"`
}

// Plan is a Group to be made.
type Plan struct {
	Group
	lines []line // to be written, if the control group is to be made
	fresh bool   // it is
	made  []string
	root  string
	mkdir func(path string) error
}

// line is one of those for the file schemata, with the field it comes from.
type line struct{ field, text string }

// NewPlan decides what config asks for, below a mounted resctrl. It makes
// nothing, and finds out whether what has to be there is there.
func NewPlan(root, id string, config *specs.LinuxIntelRdt) (*Plan, error) {
	p := &Plan{root: root, lines: schemata(config), mkdir: func(path string) error { return unix.Mkdir(path, 0o755) }}
	p.Dir, p.Own = root+"/"+config.ClosID, config.ClosID == ""
	switch config.ClosID {
	case "":
		p.Dir = root + "/" + id
	case "/":
		p.Dir = root
	}
	if config.EnableMonitoring {
		p.Monitor = p.Dir + "/mon_groups/" + id
	}
	return p, p.look()
}

// schemata lists the lines in the order in which the specification has them written.
func schemata(config *specs.LinuxIntelRdt) []line {
	var list []line
	if s := config.L3CacheSchema; s != "" {
		list = append(list, line{field + ".l3CacheSchema", s})
	}
	if s := config.MemBwSchema; s != "" {
		list = append(list, line{field + ".memBwSchema", s})
	}
	for i, s := range config.Schemata {
		list = append(list, line{field + ".schemata[" + strconv.Itoa(i) + "]", s})
	}
	return list
}

// look compares the plan with what there is.
func (p *Plan) look() error {
	_, err := os.Stat(p.Dir)
	p.fresh = errors.Is(err, unix.ENOENT)
	switch {
	case err != nil && !p.fresh:
		return p.problem("stat", p.Dir, err)
	case p.Own && !p.fresh:
		return p.problem("mkdir", p.Dir, unix.EEXIST)
	case p.fresh && !p.Own && len(p.lines) == 0:
		return &diag.Error{Field: field + ".closID", Path: p.Dir, Err: unix.ENOENT,
			Hint: "without a schema the group must be there already"}
	case !p.fresh:
		return p.compare()
	}
	return nil
}

// compare refuses a group of others that has other limits than config asks for.
func (p *Plan) compare() error {
	if len(p.lines) == 0 {
		return nil
	}
	text, err := os.ReadFile(p.Dir + "/schemata")
	if err != nil {
		return p.problem("read", p.Dir+"/schemata", err)
	}
	now := parse(string(text))
	for _, l := range p.lines {
		for part, value := range parse(l.text) {
			if now[part] != value {
				return &diag.Error{Field: l.field, Path: l.text,
					Err: fmt.Errorf("the group %s exists, and has %s=%s: %w", p.Dir, part, now[part], unix.EEXIST)}
			}
		}
	}
	return nil
}

// parse reads lines such as "L3:0=ff;1=f" into {"L3:0": "ff", "L3:1": "f"}.
func parse(text string) map[string]string {
	values := map[string]string{}
	for l := range strings.Lines(text) {
		resource, rest, _ := strings.Cut(strings.TrimSpace(l), ":")
		for part := range strings.SplitSeq(rest, ";") {
			domain, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			value = strings.ToLower(strings.TrimSpace(value))
			if short := strings.TrimLeft(value, "0"); short != "" {
				value = short
			}
			values[resource+":"+strings.TrimSpace(domain)] = value
		}
	}
	return values
}

// Apply makes what is missing and puts process pid into it. After an error
// nothing is left.
func (p *Plan) Apply(pid int) error {
	err := p.apply(pid)
	if err != nil {
		p.Undo()
	}
	return err
}

func (p *Plan) apply(pid int) error {
	if p.fresh {
		if err := p.mkdir(p.Dir); err != nil {
			return p.problem("mkdir", p.Dir, err)
		}
		p.made = append(p.made, p.Dir)
		if err := p.write(); err != nil {
			return err
		}
	}
	if p.Monitor != "" {
		if err := p.mkdir(p.Monitor); err != nil {
			return &diag.Error{Field: field + ".enableMonitoring", Op: "mkdir", Path: p.Monitor, Err: err, Hint: p.why()}
		}
		p.made = append(p.made, p.Monitor)
	}
	return p.Join(pid)
}

// write writes the lines one by one, so that the kernel's answer is about one.
func (p *Plan) write() error {
	if len(p.lines) == 0 {
		return nil
	}
	fd, err := unix.Open(p.Dir+"/schemata", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return p.problem("open", p.Dir+"/schemata", err)
	}
	defer unix.Close(fd)
	for _, l := range p.lines {
		if _, err := unix.Write(fd, []byte(l.text+"\n")); err != nil {
			return &diag.Error{Field: l.field, Path: l.text, Err: err, Hint: p.why()}
		}
	}
	return nil
}

func (p *Plan) problem(op, path string, err error) error {
	if e := (*os.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	return &diag.Error{Field: field, Op: op, Path: path, Err: err, Hint: p.why()}
}

// why is what the kernel says of the last command that it refused.
func (p *Plan) why() string {
	text, _ := os.ReadFile(p.root + "/info/last_cmd_status")
	if s := strings.TrimSpace(string(text)); s != "ok" {
		return s
	}
	return ""
}

// Undo takes back what Apply has made, when there is to be no container.
func (p *Plan) Undo() {
	for _, dir := range slices.Backward(p.made) {
		_ = unix.Rmdir(dir) // what made us undo is the error to report
	}
	p.made = nil
}

// Join puts process pid into the group.
func (g Group) Join(pid int) error {
	for _, dir := range []string{g.Dir, g.Monitor} {
		if dir == "" {
			continue
		}
		fd, err := unix.Open(dir+"/tasks", unix.O_WRONLY|unix.O_APPEND|unix.O_CLOEXEC, 0)
		if err == nil {
			_, err = unix.Write(fd, strconv.AppendInt(nil, int64(pid), 10))
			unix.Close(fd)
		}
		if err != nil {
			return &diag.Error{Field: field, Op: "write", Path: dir + "/tasks", Err: err}
		}
	}
	return nil
}

// Remove takes away what belongs to the container alone. That it is gone
// already is no error.
func (g Group) Remove() error {
	for _, dir := range []string{g.Monitor, g.Dir} {
		if dir == "" || dir == g.Dir && !g.Own {
			continue
		}
		if err := unix.Rmdir(dir); err != nil && err != unix.ENOENT {
			return &diag.Error{Field: field, Op: "rmdir", Path: dir, Err: err}
		}
	}
	return nil
}
