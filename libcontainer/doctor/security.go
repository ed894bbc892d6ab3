package doctor

import (
	"strings"

	"ociruntime/libcontainer/intelrdt"
	"ociruntime/libcontainer/lsm"
	"ociruntime/libcontainer/seccomp"
)

// security is what can confine a process, and resctrl.
type security struct {
	apparmor, selinux bool
	libseccomp        string   // version; "" for a build without
	actions           []string // of the kernel's filters; nil: none
	resctrl           bool     // mounted
}

func readSecurity() *security {
	_, err := intelrdt.Root()
	return &security{
		apparmor:   lsm.AppArmor(),
		selinux:    lsm.SELinux(),
		libseccomp: seccomp.Version(),
		actions:    strings.Fields(readText("/proc/sys/kernel/seccomp/actions_avail")),
		resctrl:    err == nil,
	}
}

func (s *security) findings() []Finding {
	r := &report{topic: "security"}
	switch {
	case s.libseccomp == "":
		r.warning("seccomp-build", "this build has no libseccomp: a config with linux.seccomp, as engines write it, is refused", "build it with `make` instead of `make nocgo`")
	case s.actions == nil:
		r.warning("seccomp-kernel", "the kernel has no seccomp filters: a config with linux.seccomp is refused", "boot a kernel with CONFIG_SECCOMP_FILTER")
	default:
		r.ok("seccomp", "seccomp filters: "+strings.Join(s.actions, " ")+"; libseccomp "+s.libseccomp)
	}
	s.module(r, "apparmor", "AppArmor", "process.apparmorProfile", s.apparmor)
	s.module(r, "selinux", "SELinux", "process.selinuxLabel or linux.mountLabel", s.selinux)
	if s.resctrl {
		r.ok("intelrdt", "resctrl is mounted: linux.intelRdt works as far as the processor goes")
	} else {
		r.note("intelrdt", "resctrl is not mounted: a config with linux.intelRdt is refused")
	}
	return r.list
}

func (s *security) module(r *report, code, name, fields string, runs bool) {
	if runs {
		r.ok(code, name+" runs: "+fields+" is applied")
		return
	}
	r.note(code, name+" does not run: a config with "+fields+" is refused")
}
