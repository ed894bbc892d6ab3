package process

import (
	"math"
	"math/bits"
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// checkUser checks ids against what the user namespace can hold, so that the
// error says more than the kernel's EINVAL.
func (x *Process) checkUser() error {
	u := x.in.Process.User
	if err := checkIDs(&u); err != nil {
		return err
	}
	if !mapped(u.UID, x.in.UIDMappings) {
		return unmapped("process.user.uid", u.UID, "linux.uidMappings")
	}
	if !mapped(u.GID, x.in.GIDMappings) {
		return unmapped("process.user.gid", u.GID, "linux.gidMappings")
	}
	if len(u.AdditionalGids) > 0 && x.in.SetgroupsDenied {
		return problem("process.user.additionalGids", unix.EPERM,
			"setgroups is denied in this user namespace: map the groups with newgidmap, or remove them")
	}
	for i, gid := range u.AdditionalGids {
		if !mapped(gid, x.in.GIDMappings) {
			return unmapped("process.user.additionalGids["+strconv.Itoa(i)+"]", gid, "linux.gidMappings")
		}
	}
	if u.Umask != nil && *u.Umask > 0o777 {
		return problem("process.user.umask", unix.EINVAL, "is not between 0 and 0777")
	}
	return nil
}

// checkIDs refuses the id that setresuid(2) and setresgid(2) take for "as before":
// who asks for it would be root.
func checkIDs(u *specs.User) error {
	const none = math.MaxUint32
	for _, id := range []struct {
		field string
		id    uint32
	}{{"process.user.uid", u.UID}, {"process.user.gid", u.GID}} {
		if id.id == none {
			return problem(id.field, unix.EINVAL, "4294967295 is no id")
		}
	}
	if i := slices.Index(u.AdditionalGids, none); i >= 0 {
		return problem("process.user.additionalGids["+strconv.Itoa(i)+"]", unix.EINVAL, "4294967295 is no id")
	}
	return nil
}

// mapped reports whether id is in mappings; with none we do not know.
func mapped(id uint32, mappings []specs.LinuxIDMapping) bool {
	for _, m := range mappings {
		if id >= m.ContainerID && id-m.ContainerID < m.Size {
			return true
		}
	}
	return len(mappings) == 0
}

func unmapped(field string, id uint32, mappings string) error {
	return problem(field, unix.EINVAL, strconv.FormatUint(uint64(id), 10)+" is not mapped in "+mappings)
}

// takeIdentity changes from root with all capabilities to the user with those
// of the config. Each step needs a capability that a later one removes:
//
//	inheritable   only up to the bounding set, if it is to have more than that
//	bounding      CAP_SETPCAP
//	keepcaps      or setresuid would empty the permitted set
//	groups        CAP_SETGID
//	gid           CAP_SETGID
//	uid           CAP_SETUID; empties the effective and ambient sets
//	capset        the three other sets
//	ambient       only within permitted and inheritable
func (x *Process) takeIdentity(p *nsenter.Program) {
	c, u := &x.caps, x.in.Process.User
	if c.inheritable&^c.bounding != 0 {
		p.At("process.capabilities.inheritable")
		p.Capset(c.stage, c.stage, c.inheritable)
	}
	x.dropBounding(p)
	p.At("process.user.uid")
	if u.UID != 0 {
		p.Prctl(unix.PR_SET_KEEPCAPS, 1)
	}
	x.setGroups(p)
	p.At("process.user.gid")
	p.Setresgid(u.GID)
	p.At("process.user.uid")
	p.Setresuid(u.UID)
	x.setCapabilities(p)
}

// dropBounding removes all that is not asked for. What a stage outside a new
// user namespace never had needs no call.
func (x *Process) dropBounding(p *nsenter.Program) {
	p.At("process.capabilities.bounding")
	for drop := x.caps.stage &^ x.caps.bounding; drop != 0; drop &= drop - 1 {
		p.Prctl(unix.PR_CAPBSET_DROP, uint64(bits.TrailingZeros64(drop)))
	}
}

// setGroups replaces the caller's groups, always: a group that is kept may give
// access, and one that is left may lift a denial (security rule of
// user_namespaces(7), setgroups).
func (x *Process) setGroups(p *nsenter.Program) {
	if x.in.KeepGroups || x.in.SetgroupsDenied {
		return
	}
	p.At("process.user.additionalGids")
	p.Setgroups(distinct(x.in.Process.User.AdditionalGids))
	if x.in.Userns && len(x.in.Process.User.AdditionalGids) == 0 {
		p.Allow(unix.EPERM) // denied there; the caller's were dropped on the way in
	}
}

// distinct leaves out what is listed twice: the kernel would keep it, for id(1)
// to show, and dockerd lists a group of the image that is also given by flag.
func distinct(gids []uint32) []uint32 {
	return slices.Compact(slices.Sorted(slices.Values(gids)))
}

func (x *Process) setCapabilities(p *nsenter.Program) {
	c := &x.caps
	p.At("process.capabilities")
	p.Capset(c.effective, c.permitted|x.kept(), c.inheritable)
	// Setresuid to another id has emptied the ambient set, but root's survives:
	// that of the caller, or of a stage born in a new user namespace.
	p.At("process.capabilities.ambient")
	p.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL)
	for raise := c.ambient; raise != 0; raise &= raise - 1 {
		p.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uint64(bits.TrailingZeros64(raise)))
	}
}

// setPrivileges sets no_new_privs and the umask.
func (x *Process) setPrivileges(p *nsenter.Program) {
	if x.in.Process.NoNewPrivileges {
		p.At("process.noNewPrivileges")
		p.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1)
	}
	if mask := x.in.Process.User.Umask; mask != nil {
		p.At("process.user.umask")
		p.Umask(*mask)
	}
}
