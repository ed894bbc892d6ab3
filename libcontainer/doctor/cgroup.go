package doctor

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/cgroups"
	"ociruntime/cgroups/systemd"
	"ociruntime/libcontainer"
)

// groups is what there is of cgroups, and of systemd, which may own them.
type groups struct {
	disabled  bool // --cgroup-manager=disabled
	systemd   bool // --systemd-cgroup
	mode      cgroups.Mode
	prospects []cgroups.Prospect
	err       error    // they could not be looked at
	manager   error    // why systemd does not answer the caller; nil: it does
	delegated []string // controllers that the user's manager has; nil for root
}

// patience is for systemd to say hello.
const patience = 5 * time.Second

func readCgroups(run *libcontainer.Runtime, who *caller) *groups {
	g := &groups{disabled: run.CgroupManager == libcontainer.NoCgroups, systemd: run.CgroupManager == libcontainer.Systemd}
	g.manager = systemd.Reachable(!who.root(), patience)
	host, err := cgroups.Detect()
	if g.err = err; err != nil {
		return g
	}
	defer host.Close()
	g.mode = host.Mode
	g.prospects, g.err = host.Survey()
	if !who.root() && g.mode == cgroups.V2 {
		uid := strconv.Itoa(who.uid)
		g.delegated = strings.Fields(readText(cgroups.Root + "/user.slice/user-" + uid + ".slice/user@" + uid + ".service/cgroup.controllers"))
	}
	return g
}

func (g *groups) findings(who *caller) []Finding {
	r := &report{topic: "cgroup"}
	switch {
	case g.disabled:
		r.note("cgroup-disabled", "is not used (--cgroup-manager=disabled): every limit is ignored")
		return r.list
	case g.err != nil:
		r.error("cgroup-unreadable", "cannot be looked at: "+g.err.Error(), "")
	case g.mode == cgroups.None:
		r.warning("cgroup-none", "has no file system mounted at "+cgroups.Root+": containers run without limits, and one that asks for any is refused",
			"as root: mount -t cgroup2 cgroup2 "+cgroups.Root)
	default:
		r.ok("cgroup-mode", "is mounted as "+modeWords(g.mode))
	}
	if !g.systemd {
		g.places(r, who)
		g.missing(r)
	}
	g.sayManager(r, who)
	return r.list
}

func modeWords(m cgroups.Mode) string {
	switch m {
	case cgroups.V1:
		return "version 1"
	case cgroups.V2:
		return "version 2"
	}
	return "version 1 with a version 2 tree beside it (hybrid)"
}

// places goes through the hierarchies. Those of version 1 in which containers
// are at the same place, as is usual, share a line.
func (g *groups) places(r *report, who *caller) {
	var order []string
	at := map[string][]string{}
	for i := range g.prospects {
		p := &g.prospects[i]
		if p.Err != nil || p.Controllers == "" {
			g.place(r, p, who)
			continue
		}
		if at[p.Nearest] == nil {
			order = append(order, p.Nearest)
		}
		at[p.Nearest] = append(at[p.Nearest], strings.TrimPrefix(p.Mount, cgroups.Root+"/"))
	}
	for _, nearest := range order {
		r.ok("cgroup-place", "containers get theirs in "+nearest+" of "+strings.Join(at[nearest], ", "))
	}
}

// place says whether a container's cgroup can be made in a hierarchy.
func (g *groups) place(r *report, p *cgroups.Prospect, who *caller) {
	where := p.Mount + strings.TrimSuffix(p.Nearest, "/")
	switch {
	case p.Err == nil && p.Occupied:
		r.warning("cgroup-occupied", where+" holds processes, so it can hand no further controllers down, and limits that need one are refused",
			"move them first, for instance: mkdir "+where+"/init; for p in $(cat "+where+"/cgroup.procs); do echo $p >"+where+"/init/cgroup.procs; done")
	case p.Err == nil:
		r.ok("cgroup-place", "containers get theirs in "+where+" ("+strings.Join(p.Offered, " ")+")")
	case errors.Is(p.Err, unix.EROFS) && who.root():
		r.error("cgroup-read-only", where+" is read-only: no container gets a cgroup", "mount it writable, as docker run --privileged or -v /sys/fs/cgroup:/sys/fs/cgroup does, or give --cgroup-manager=disabled and do without limits")
	case who.root() && !who.userns:
		r.error("cgroup-denied", where+" does not let root make cgroups ("+p.Err.Error()+")", "see what mounted it, or give --cgroup-manager=disabled and do without limits")
	case g.mode == cgroups.V2 || p == &g.prospects[0]: // of version 1 and hybrid an ordinary user owns nothing: one line will do
		r.warning("cgroup-not-delegated", where+" belongs to uid "+strconv.Itoa(p.Owner)+" and is not delegated to this user: containers run in the caller's own cgroup, and one that asks for limits is refused", g.howToDelegate())
	}
}

func (g *groups) howToDelegate() string {
	switch {
	case g.mode != cgroups.V2:
		return "only version 2 can be delegated: boot with systemd.unified_cgroup_hierarchy=1"
	case g.manager == nil:
		return "give --systemd-cgroup, or run in a cgroup of one's own: systemd-run --user --scope -p Delegate=yes runtime ..."
	}
	return "have root delegate one: cgroups(7), \"Delegation\""
}

// common are the controllers of the limits that engines set.
var common = []string{"memory", "pids", "cpu", "cpuset", "io"}

// missing names controllers that no hierarchy offers.
func (g *groups) missing(r *report) {
	var offered []string
	for _, p := range g.prospects {
		offered = append(offered, p.Offered...)
	}
	if slices.Contains(offered, "blkio") {
		offered = append(offered, "io") // version 1's name
	}
	if lost := without(common, offered); len(g.prospects) > 0 && len(lost) > 0 {
		r.warning("cgroup-controller-missing", "has no controller "+strings.Join(lost, ", ")+" there: limits that need it are refused, as \"controller is not available\"",
			"see cgroup.subtree_control of the cgroups above, /proc/cgroups, and the kernel's command line (cgroup_disable=, cgroup_enable=memory)")
	}
}

// sayManager says whether --systemd-cgroup works.
func (g *groups) sayManager(r *report, who *caller) {
	manager := "systemd"
	if !who.root() {
		manager = "systemd's manager of this user"
	}
	switch {
	case g.manager == nil:
		r.ok("systemd", manager+" answers: --systemd-cgroup works")
		if lost := without(common, g.delegated); g.delegated != nil && len(lost) > 0 {
			r.warning("systemd-delegate", manager+" has no controller "+strings.Join(lost, ", ")+": with --systemd-cgroup, limits that need it are refused",
				"as root, in /etc/systemd/system/user@.service.d/delegate.conf: [Service] Delegate=cpu cpuset io memory pids; then systemctl daemon-reload and log in again")
		}
	case g.systemd:
		r.error("systemd-unreachable", manager+" does not answer, and --systemd-cgroup is given: "+g.manager.Error(), "")
	default:
		r.note("systemd-unreachable", manager+" does not answer, so --systemd-cgroup would be refused: "+g.manager.Error())
	}
}

// without returns what of list is not in the other.
func without(list, other []string) []string {
	var left []string
	for _, s := range list {
		if !slices.Contains(other, s) {
			left = append(left, s)
		}
	}
	return left
}
