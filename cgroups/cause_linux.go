package cgroups

import (
	"path"
	"strings"
)

// Cause reads why processes of the cgroup may have died. Call it before
// Remove; a cgroup that is gone has no cause to tell.
func (g *Group) Cause() Cause {
	var c Cause
	if t := g.home("memory"); t != nil && t.Path != "/" {
		if t.Controllers == "" {
			t.oomV2(&c)
		} else {
			t.oomV1(&c)
		}
	}
	if t := g.home("pids"); t != nil && t.Path != "/" {
		c.ForksRefused = keyedUint(t.now("pids.events"), "max")
		c.PidsLimit = t.pidsStats().Limit
	}
	return c
}

// oomV2: memory.events counts kills in the cgroup and below it, cgroup-v2.rst.
// "oom" in memory.events.local (Linux 5.2) is counted where the limit is that
// was reached, so the first cgroup on the way up that has one is to blame.
func (t *tree) oomV2(c *Cause) {
	events := t.now("memory.events")
	c.OOMKills = keyedUint(events, "oom_kill")
	if c.OOMKills == 0 {
		return
	}
	if keyedUint(events, "oom") > 0 { // here, or in a cgroup the container made below
		c.blame(t, t.Path, "memory.max", "memory.peak")
		return
	}
	t.upwards(func(p string) bool {
		if keyedUint(t.at(p, "memory.events.local"), "oom") == 0 {
			return false
		}
		c.blame(t, p, "memory.max", "memory.peak")
		return true
	})
}

// oomV1: memory.oom_control counts kills (Linux 4.13) of the cgroup's own
// processes; memory.failcnt is counted where a limit was reached.
func (t *tree) oomV1(c *Cause) {
	c.OOMKills = keyedUint(t.now("memory.oom_control"), "oom_kill")
	if c.OOMKills == 0 {
		return
	}
	blamed := func(p string) bool {
		for _, kind := range []string{"memory.", "memory.memsw."} {
			if n, _ := parseUint(t.at(p, kind+"failcnt")); n > 0 {
				c.blame(t, p, kind+"limit_in_bytes", kind+"max_usage_in_bytes")
				return true
			}
		}
		return false
	}
	if !blamed(t.Path) {
		t.upwards(blamed)
	}
}

func (c *Cause) blame(t *tree, p, limit, peak string) {
	c.OOMAt = t.Mount + p
	c.Limit, _ = parseUint(t.at(p, limit))
	c.Peak, _ = parseUint(t.at(p, peak))
}

// at reads a file of the cgroup p in this hierarchy; absent is empty.
func (t *tree) at(p, file string) string {
	root, err := t.mount()
	if err != nil {
		return ""
	}
	text, err := readFile(root, below(p)+"/"+file)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(text, "\n")
}

// upwards visits the cgroups above, nearest first, until one is found. The root
// has no limits.
func (t *tree) upwards(found func(p string) bool) {
	for p := path.Dir(t.Path); p != "/"; p = path.Dir(p) {
		if found(p) {
			return
		}
	}
}
