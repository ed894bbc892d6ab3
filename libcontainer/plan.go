package libcontainer

import (
	"os"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/cgroups"
	"ociruntime/libcontainer/intelrdt"
	"ociruntime/libcontainer/process"
	"ociruntime/nsenter"
	"ociruntime/rootfs"
	"ociruntime/spec"
)

// load reads and checks config.json.
func (b *birth) load() (err error) {
	if b.bundle, err = bundlePath(b.options.Bundle); err != nil {
		return err
	}
	if b.options.ConfigFile != "" {
		b.config, b.raw, err = spec.LoadFile(b.options.ConfigFile, b.runtime.timeout())
	} else {
		b.config, b.raw, err = spec.Load(b.bundle)
	}
	if err != nil {
		return err
	}
	b.runtime.Log.Debugf("bundle %s: config.json of %d bytes", b.bundle, len(b.raw))
	err = spec.Validate(b.config, spec.Host{
		Rootless:      os.Geteuid() != 0,
		SystemdCgroup: b.runtime.CgroupManager == Systemd,
		Shared:        b.shared(),
	})
	if err != nil {
		return spec.Misspelt(err, b.raw)
	}
	if !b.timing.on() {
		b.timing = newTiming(b.gate.command(), b.config.Annotations[annotationTimeline])
	}
	for _, w := range spec.Warnings(b.config) {
		b.runtime.Log.Warnf("%s", w)
	}
	if b.config.Process == nil && b.options.ConsoleSocket == "" {
		return nil
	}
	if err := checkConsole(b.hasTerminal(), b.detached, b.options.ConsoleSocket); err != nil {
		return err
	}
	if b.readiness = b.relaysReadiness(); b.readiness {
		b.addNotify()
	}
	return nil
}

// shared lists the namespaces that are to be joined by path and are the
// runtime's own: what is set in them is set for the host.
func (b *birth) shared() []specs.LinuxNamespaceType {
	var list []specs.LinuxNamespaceType
	for _, n := range b.linux().Namespaces {
		if n.Path == "" {
			continue
		}
		var theirs, ours unix.Stat_t
		if unix.Stat(n.Path, &theirs) != nil || unix.Stat("/proc/self/ns/"+string(namespaceType(n.Type)), &ours) != nil {
			continue // opening it will say why
		}
		if theirs.Dev == ours.Dev && theirs.Ino == ours.Ino {
			list = append(list, n.Type)
		}
	}
	return list
}

func (b *birth) linux() *specs.Linux {
	if b.config.Linux == nil {
		b.config.Linux = &specs.Linux{}
	}
	return b.config.Linux
}

// nameCgroup decides where the container's cgroup is.
func (b *birth) nameCgroup() error {
	if b.runtime.CgroupManager == NoCgroups {
		b.group = cgroups.Disabled()
		return nil
	}
	host, err := cgroups.Detect()
	if err != nil {
		return err
	}
	defer host.Close()
	if b.runtime.CgroupManager == Systemd {
		err = b.nameScope(host)
	} else {
		b.group, err = host.New(b.id, b.linux().CgroupsPath, cgroups.Options{Lenient: b.rootless})
	}
	if err != nil {
		return err
	}
	for _, place := range b.group.Location().Places {
		if place.Controllers != "" {
			b.tasks++
		}
	}
	return nil
}

// planNamespaces opens the namespaces to join and decides how to get into all.
func (b *birth) planNamespaces() (err error) {
	var list []nsenter.Namespace
	for i, n := range b.linux().Namespaces {
		list = append(list, nsenter.Namespace{Type: namespaceType(n.Type), Path: n.Path, Field: indexed("linux.namespaces", i) + ".path"})
	}
	b.entry, err = nsenter.Enter(list, timeOffsets(b.linux().TimeOffsets))
	if err != nil {
		return err
	}
	b.entry.KeepGroups = keepsGroups(b.config.Annotations)
	return nil
}

// has reports whether the config lists a namespace of this type, and whether
// it is a new one.
func (b *birth) has(t specs.LinuxNamespaceType) (listed, isNew bool) {
	for _, n := range b.linux().Namespaces {
		if n.Type == t {
			return true, n.Path == ""
		}
	}
	return false, false
}

func (b *birth) isNew(t specs.LinuxNamespaceType) bool {
	_, isNew := b.has(t)
	return isNew
}

// planRootfs checks root and mounts.
func (b *birth) planRootfs() (err error) {
	b.rootfs, err = rootfs.New(rootfs.Input{
		Config:   b.config,
		Bundle:   b.bundle,
		MountNS:  b.hasMountNamespace(),
		Userns:   b.inUserNamespace(),
		Rootless: os.Geteuid() != 0,
		NoPivot:  b.options.NoPivot,
		Console:  b.hasTerminal(),
		Cgroup:   b.cgroupView(),
		Later:    b.notifySource(),
	})
	return err
}

// hasMountNamespace reports whether mounts will be out of the host's sight: in
// a new namespace, or in one that is joined and not the runtime's own.
func (b *birth) hasMountNamespace() bool {
	listed, _ := b.has(specs.MountNamespace)
	return listed && !slices.Contains(b.shared(), specs.MountNamespace)
}

// inUserNamespace reports whether the container has another user namespace
// than the runtime.
func (b *birth) inUserNamespace() bool {
	listed, _ := b.has(specs.UserNamespace)
	return listed
}

// cgroupView is what a mount of type cgroup shows.
func (b *birth) cgroupView() rootfs.Cgroup {
	v := rootfs.Cgroup{Namespace: b.isNew(specs.CgroupNamespace)}
	for _, p := range b.group.Location().Places {
		if p.Controllers == "" {
			v.Unified = p.Dir()
			continue
		}
		names := strings.Split(strings.TrimPrefix(p.Controllers, "name="), ",")
		h := rootfs.Hierarchy{Name: strings.Join(names, ","), Dir: p.Dir()}
		if len(names) > 1 {
			h.Links = names
		}
		v.V1 = append(v.V1, h)
	}
	return v
}

// planProcess checks process and what the container has of it.
func (b *birth) planProcess() error {
	filter, key, err := b.runtime.filter(b.linux().Seccomp)
	if err != nil {
		return err
	}
	if b.filter = key; filter != nil && key == "" {
		b.filter = noKey
	}
	in := process.Input{
		Process:      b.config.Process,
		ListenFDs:    b.options.ListenFDs,
		ListenNames:  b.options.ListenNames,
		FirstPid:     b.isNew(specs.PIDNamespace),
		Userns:       b.inUserNamespace(),
		KeepGroups:   keepsGroups(b.config.Annotations),
		UIDMappings:  b.linux().UIDMappings,
		GIDMappings:  b.linux().GIDMappings,
		Hostname:     b.config.Hostname,
		Domainname:   b.config.Domainname,
		Personality:  b.linux().Personality,
		MemoryPolicy: b.linux().MemoryPolicy,
		Seccomp:      filter,
	}
	in.SetgroupsDenied = in.Userns && os.Geteuid() != 0 && !needsHelper(in.GIDMappings, os.Getegid())
	in.Keyring = b.keyring()
	var warnings []string
	b.process, warnings, err = process.New(in)
	for _, w := range warnings {
		b.runtime.Log.Warnf("%s", w)
	}
	return err
}

// planIntelRdt finds out what resctrl has of what linux.intelRdt asks for.
func (b *birth) planIntelRdt() error {
	config := b.linux().IntelRdt
	if config == nil {
		return nil
	}
	root, err := intelrdt.Root()
	if err != nil {
		return err
	}
	b.resctrl, err = intelrdt.NewPlan(root, b.id, config)
	return err
}

// hasEarlyHooks reports whether the stage must wait before it changes its root.
func (b *birth) hasEarlyHooks() bool {
	for _, kind := range earlyHooks {
		if len(hooksOf(b.config.Hooks, kind)) > 0 {
			return true
		}
	}
	return false
}

// keyring is the name of the process's session keyring, or "" for the caller's.
func (b *birth) keyring() string {
	if b.options.NoNewKeyring {
		return ""
	}
	return "_ses." + b.id
}

// journal is the record as it is before anything exists.
func (b *birth) journal() *record {
	rec := &record{
		Version:     recordVersion,
		ID:          b.id,
		Bundle:      b.bundle,
		Rootfs:      b.rootfs.Path(),
		Created:     now(),
		Annotations: b.config.Annotations,
		Cgroup:      b.group.Location(),
		Hooks:       hookKinds(b.config.Hooks),
		PidNS:       b.isNew(specs.PIDNamespace),
		Keyring:     b.keyring(),
		Notifies:    b.process.Notifies(),
		Readiness:   b.readiness,
		Filter:      b.filter,
		UIDMappings: b.linux().UIDMappings,
		GIDMappings: b.linux().GIDMappings,
		Personality: b.linux().Personality,
	}
	if p := b.config.Process; p != nil {
		rec.OOMScoreAdj = p.OOMScoreAdj
	}
	if b.resctrl != nil {
		rec.IntelRdt = &b.resctrl.Group
	}
	for _, n := range b.linux().Namespaces {
		rec.Namespaces |= uint64(namespaceType(n.Type).Flag())
	}
	return rec
}

// hasTerminal reports whether the process gets a terminal.
func (b *birth) hasTerminal() bool { return b.config.Process != nil && b.config.Process.Terminal }

func cleanPath(p string) string { return path.Clean(p) }

// namespaceType translates the spec's name to the kernel's.
func namespaceType(t specs.LinuxNamespaceType) nsenter.Type {
	switch t {
	case specs.MountNamespace:
		return nsenter.Mount
	case specs.NetworkNamespace:
		return nsenter.Network
	}
	return nsenter.Type(strings.ToLower(string(t)))
}
