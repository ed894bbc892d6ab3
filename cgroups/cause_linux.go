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
		if c.ForksRefused = keyedUint(t.now("pids.events"), "max"); c.ForksRefused > 0 {
			c.PidsLimit = t.pidsStats().Limit
		}
	}
	c.Shared = c != (Cause{}) && g.older("memory", "pids")
	return c
}

// older reports whether one of the cgroups with these controllers was there
// before the container. Those of a systemd unit are as old as that.
func (g *Group) older(controllers ...string) bool {
	for _, name := range controllers {
		if t := g.home(name); t != nil && t.Made == 0 && g.scope == "" {
			return true
		}
	}
	return false
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
// processes; where a limit was reached is told by reached.
func (t *tree) oomV1(c *Cause) {
	c.OOMKills = keyedUint(t.now("memory.oom_control"), "oom_kill")
	if c.OOMKills == 0 {
		return
	}
	blamed := func(p string) bool {
		for _, kind := range []string{"memory.", "memory.memsw."} {
			if t.reached(p, kind) {
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

// reached reports whether a version 1 limit has been: by the counter of refused
// charges or, as that stays at zero on some kernels (6.18), by a peak so close to
// the limit that no further huge page fitted.
func (t *tree) reached(p, kind string) bool {
	if n, _ := parseUint(t.at(p, kind+"failcnt")); n > 0 {
		return true
	}
	limit, ok := parseUint(t.at(p, kind+"limit_in_bytes"))
	peak, ok2 := parseUint(t.at(p, kind+"max_usage_in_bytes"))
	return ok && ok2 && peak+min(2<<20, limit/8) >= limit
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
