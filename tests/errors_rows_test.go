package tests

import (
	"os"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
	"ociruntime/tests/require"
	"ociruntime/tests/tracer"
	"ociruntime/tests/view"
)

// errorRows are what users of container runtimes run into, row after row. Behind
// some is where people were puzzled by what another runtime said.
var errorRows = []situation{
	// The command line.
	{"unknown verb", "usage", calling("creat", "x"), `No help topic for 'creat' (did you mean "create"?)`},
	{"unknown flag", "usage", calling("create", "--bundel", "x", "$ID"), `flag provided but not defined: -bundel (did you mean "--bundle"?)`},
	{"flag without its value", "usage", calling("create", "$ID", "--bundle"), `flag needs an argument: -bundle`},
	{"no container named", "usage", calling("start"), `…: "start" requires exactly 1 argument(s)`},
	{"id with a slash", "id-invalid", calling("create", "a/b"), `create failed: "a/b": invalid container ID format (letters, digits and _ + . -, at most 255)`},
	{"id is empty", "id-invalid", calling("create", ""), `create failed: container id cannot be empty`},
	{"no such signal", "unknown-signal", onCreated("kill", "$ID", "SIGBOGUS"), `unknown signal "SIGBOGUS" (a number from 0 to 64, or a name such as TERM, SIGKILL, RTMIN+3)`},
	{"no such code", "unknown-code", calling("explain", "mount-sorce"), `explain "mount-sorce": is no code of an error (did you mean "mount-source"?)`},
	{"unknown limit", "usage", onCreated("update", "--memory", "1q", "$ID"), `invalid value for memory "1q": invalid syntax (a number; of bytes also as 512k, 100M, 1g)`},
	{"unknown format", "usage", onCreated("list", "--format", "yaml"), `--format: "yaml": invalid format option (table or json)`},
	{"spec over a config.json", "config-exists", func(s *scene) harness.Result { return s.call("spec", "--bundle", s.newBundle().Dir) }, `File config.json exists. Remove it first`},
	{"terminal without one", "no-terminal", runs(harness.Terminal), `run failed: process.terminal: open "/dev/tty": no such device or address (no terminal to be in the foreground of)`},
	{"terminal, detached", "usage", creating(harness.Terminal), `create failed: process.terminal: cannot allocate tty if runc will detach without setting console socket (run in the foreground, give --console-socket, or set it to false)`},
	{"console socket that nobody listens on", "socket", func(s *scene) harness.Result {
		return s.call("create", "--console-socket", "$DIR/nobody", "--bundle", s.newBundle(harness.Terminal).Dir, "$ID")
	}, `create failed: connect "$DIR/nobody": no such file or directory`},
	{"pid file nowhere", "pid-file", func(s *scene) harness.Result {
		return s.call("create", "--pid-file", "$DIR/nosuch/pid", "--bundle", s.newBundle().Dir, "$ID")
	}, `create failed: write pid file "$DIR/nosuch/pid": no such file or directory`},
	{"descriptors that are not open", "preserved-fd", func(s *scene) harness.Result {
		return s.call("create", "--preserve-fds", "2", "--bundle", s.newBundle().Dir, "$ID")
	}, `create failed: unable to stat preserved-fd 0 (of 2): bad file descriptor (descriptor 3 was not open when the runtime was started)`},

	// Containers.
	{"id taken", "exists", func(s *scene) harness.Result {
		s.id = s.Create(s.newBundle(harness.Forever)).ID
		return s.call("create", "--bundle", "$BUNDLE", "$ID")
	}, `create failed: "$ID": container with given ID already exists`},
	{"no such container", "not-found", calling("start", "$ID"), `"$ID": container does not exist`},
	{"kill of one that has ended", "not-running", onStopped("kill", "$ID"), `"$ID": container not running`}, // containerd looks for "container not running"
	{"exec into one that has ended", "not-running", onStopped("exec", "$ID", "true"), `exec failed: "$ID": cannot exec in a stopped container`},
	{"pause twice", "not-running", onPaused("pause", "$ID"), `"$ID": container not running (it is already paused)`}, // runc: "container not running", and no more
	{"start twice", "not-created", onStarted("start", "$ID"), `"$ID": cannot start an already running container`},
	{"start of one that has ended", "not-created", onStopped("start", "$ID"), `"$ID": cannot start a container that has stopped`}, // runc#5151
	{"delete of one that runs", "not-stopped", onStarted("delete", "$ID"), `cannot delete container $ID that is not stopped: running (kill it first, or delete --force)`},
	{"resume of one that runs", "not-paused", onStarted("resume", "$ID"), `"$ID": container not paused (it is running)`},
	{"exec into a paused one", "paused", onPaused("exec", "$ID", "true"), `exec failed: "$ID": cannot exec in a paused container (use --ignore-paused to override)`},
	{"exec that waits for resume too long", "timeout", onPaused("--timeout", "1s", "exec", "--ignore-paused", "$ID", "true"), `exec failed: exec: the process did not start in 1s (the container is still paused; --detach does not wait)`},
	{"another command at work", "locked", func(s *scene) harness.Result {
		s.id = s.Create(s.newBundle(harness.Forever)).ID
		s.lock()
		return s.call("--timeout", "500ms", "start", "$ID")
	}, `lock "$ID": another command on this container did not end in 500ms (the lock is with process …)`},
	{"state.json is empty", "state-damaged", func(s *scene) harness.Result { // runc#999: "EOF"
		s.id = s.Create(s.newBundle(harness.Forever)).ID
		whole := read(s.T, s.Root+"/"+s.id+"/state.json")
		s.T.Cleanup(func() { write(s.T, s.Root+"/"+s.id+"/state.json", whole) })
		write(s.T, s.Root+"/"+s.id+"/state.json", "")
		return s.call("state", "$ID")
	}, `state is damaged: $ROOT/$ID/state.json (0 bytes): found nothing more, expected a value (at line 1:1) (delete --force will still clean up)`},
	{"root that others may write to", "state-root", func(s *scene) harness.Result {
		check(s.T, os.Mkdir(s.Root, 0o777))
		check(s.T, os.Chmod(s.Root, 0o777))
		return creating()(s)
	}, `create failed: use state root "$ROOT": is writable by others (mode 0777): operation not permitted`},
	{"interrupted", "interrupted", func(s *scene) harness.Result {
		b := s.newBundle(addHook("createRuntime", shellHook("echo >"+s.File("began")+"; exec sleep 1000")))
		p := s.command("create", "--bundle", b.Dir, "$ID").Start()
		check(s.T, harness.Eventually(harness.Timeout(), func() bool { _, err := os.Stat(s.File("began")); return err == nil }))
		p.Signal(syscall.SIGTERM)
		return p.Wait()
	}, `create failed: hooks.createRuntime[0]: error running createRuntime hook #0 "/bin/busybox": interrupted by SIGTERM (after … ms, stdout: , stderr:)`},

	// config.json.
	{"no config.json", "config-not-found", calling("create", "$ID"), `create failed: JSON specification file config.json not found: open "$DIR/config.json": no such file or directory (name the bundle with --bundle; runtime spec makes a configuration)`},
	{"--config of a file that is not there", "config-unreadable", func(s *scene) harness.Result {
		return s.call("create", "--config", "$DIR/nosuch.json", "--bundle", s.newBundle().Dir, "$ID")
	}, `create failed: open "$DIR/nosuch.json": no such file or directory`},
	{"comma missing", "json-syntax", prepared(func(s *scene, b *harness.Bundle) {
		b.SetRaw([]byte("{\n  \"ociVersion\": \"1.3.0\"\n  \"root\": {}\n}\n"))
	}), `create failed: ociVersion: parse "config.json": found '"', expected "," or "}" (at line 3:3)`},
	{"number in quotes", "json-type", configured("0", "process", "user", "uid"), `create failed: process.user.uid: is a string, must be a number (at line 158:11)`},
	{"name twice", "json-duplicate", texted(`"hostname":`, `"hostname":"x","hostname":`), `create failed: hostname: appears twice in its object (at line 45:28)`},
	{"required name missing", "json-missing", prepared(func(s *scene, b *harness.Bundle) { b.SetRaw([]byte(`{"ociVersion": "1.3.0", "root": {}}`)) }), `create failed: root.path: is missing (at line 1:34)`},
	{"required name misspelt", "json-missing", prepared(func(s *scene, b *harness.Bundle) { b.SetRaw([]byte(`{"ociVersion": "1.3.0", "root": {"Path": "x"}}`)) }), `create failed: root.path: is missing (config.json has "Path" at line 1:42, did you mean "path"?)`},
	{"object misspelt", "config-invalid", texted(`"root":`, `"roots":`), `create failed: root: is missing (config.json has "roots" at line …, did you mean "root"?)`},
	{"process misspelt, at run", "config-invalid", func(s *scene) harness.Result {
		b := s.newBundle()
		b.ReplaceRaw(`"process":`, `"proces":`)
		return s.call("run", "--bundle", b.Dir, "$ID")
	}, `run failed: process: cannot start a container whose config has no process (config.json has "proces" at line …, did you mean "process"?)`},
	{"process misspelt, at start", "config-invalid", func(s *scene) harness.Result {
		b := s.newBundle()
		b.ReplaceRaw(`"process":`, `"proces":`)
		s.id = s.Create(b).ID
		return s.call("start", "$ID")
	}, `process: cannot start a container whose config has no process (config.json has "proces" at line …, did you mean "process"?)`},
	{"value that is not allowed", "config-invalid", configured("tmp", "process", "cwd"), `create failed: process.cwd: "tmp": must be an absolute path`},
	{"mapping without user namespace", "config-invalid", creating(linux(func(l *specs.Linux) {
		l.UIDMappings = []specs.LinuxIDMapping{{HostID: 1000, Size: 1}}
	})), `create failed: linux.uidMappings: needs a user namespace in linux.namespaces`},
	{"user with root's configuration", "config-invalid", func(s *scene) harness.Result {
		u := newUser(s.T, s.Env)
		b := u.bundle()
		check(s.T, os.Remove(b.Dir+"/config.json"))
		u.command("spec", "--bundle", b.Dir).Run().WantQuiet(s.T)
		return u.run(b)
	}, `run failed: linux.namespaces: needs a user namespace, as the runtime is not run by root (runtime spec --rootless makes a configuration that has one)`},
	{"user that is not mapped", "config-invalid", creating(harness.UserNamespace, func(c *specs.Spec) { c.Process.User.UID = 70000 }), `create failed: process.user.uid: is 70000, which linux.uidMappings does not map`},

	// The program. Engines tell exit codes 126 and 127 by the words of os/exec.
	{"script with Windows line ends", "program-incomplete", tool(0o755, "#!/bin/sh\r\necho\r\n"), `run failed: process.args[0]: exec: "/tool": no such file or directory (the script's interpreter is "/bin/sh\r": the file has Windows (CRLF) line endings)`}, // runc#3237
	{"interpreter missing", "program-incomplete", tool(0o755, "#!/usr/bin/python3\n"), `run failed: process.args[0]: exec: "/tool": no such file or directory (interpreter /usr/bin/python3 (line 1 of /tool) is not in the image)`},                           // runc#3237
	{"loader missing", "program-incomplete", dynamicProgram, `run failed: process.args[0]: exec: "/tool": no such file or directory (needs the loader /lib64/ld-linux-x86-64.so.2, which is not in the image)`},                                                // runc#3676
	{"program for another CPU", "program-format", tool(0o755, elfHeader(0xb7)), `run failed: process.args[0]: exec: "/tool": exec format error (built for aarch64, this host is x86_64 and has no binfmt_misc handler for it)`},                                // moby: "exec format error"
	{"script without #!", "program-format", tool(0o755, "echo hello\n"), `run failed: process.args[0]: exec: "/tool": exec format error (it is a text file without a "#!" first line; run it through a shell)`},
	{"program missing", "program-not-found", creating(harness.Args("/init")), `create failed: process.args[0]: exec: "/init": stat /init: no such file or directory ("/" has bin dev etc mnt proc root sys tmp)`}, // moby#31702
	{"program not in PATH", "program-not-found", creating(harness.Args("nosuch")), `create failed: process.args[0]: exec: "nosuch": executable file not found in $PATH`},
	{"program below an empty bind mount", "program-not-found", func(s *scene) harness.Result {
		check(s.T, os.Mkdir(s.File("empty"), 0o755))
		return creating(harness.Args("/app/init"), harness.Mounted(bind(s.File("empty"), "/app", "bind")))(s)
	}, `create failed: process.args[0]: exec: "/app/init": stat /app/init: no such file or directory ("/app" is a mount and empty)`},
	{"program is a directory", "program-is-directory", creating(harness.Args("/etc")), `create failed: process.args[0]: exec: "/etc": is a directory: permission denied`},
	{"program without x", "program-denied", tool(0o644, "#!/bin/sh\n"), `run failed: process.args[0]: exec: "/tool": permission denied (is not executable: its mode is 0644)`}, // crun: wrong errno
	{"program on a noexec mount", "program-denied", func(s *scene) harness.Result {
		check(s.T, os.Mkdir(s.File("bin"), 0o755))
		script(s.T, s.File("bin/tool"), "#!/bin/sh\n")
		return runs(harness.Args("/mnt/tool"), harness.Mounted(bind(s.File("bin"), "/mnt", "bind", "noexec")))(s)
	}, `run failed: process.args[0]: exec: "/mnt/tool": permission denied (its mount has the option noexec)`},
	{"directory that the user cannot search", "program-denied", prepared(func(s *scene, b *harness.Bundle) { // podman#23356
		check(s.T, os.MkdirAll(b.Path("app/bin"), 0o755))
		script(s.T, b.Path("app/bin/tool"), "#!/bin/sh\n")
		check(s.T, os.Chmod(b.Path("app"), 0o700))
	}, harness.Args("/app/bin/tool"), func(c *specs.Spec) { c.Process.User.UID = 1000 }), `create failed: process.args[0]: exec: "/app/bin/tool": permission denied (uid 1000 has no search permission for "/app", mode 0700)`},
	{"arguments too large", "program-args", runs(harness.Args("true", string(make131073()))), `run failed: process.args[0]: exec: "true": argument list too long (arguments and environment have 131156 bytes, the longest string 131074; the kernel allows a quarter of RLIMIT_STACK, and 131072 for one string)`},
	{"working directory is a file", "cwd", creating(func(c *specs.Spec) { c.Process.Cwd = "/etc/passwd" }), `create failed: process.cwd: chdir "/etc/passwd": not a directory ("/etc/passwd" is a file)`},
	{"user by a name that is not there", "no-such-user", onStarted("exec", "--user", "nosuchuser", "$ID", "true"), `exec failed: user "nosuchuser": no such user in the container's /etc/passwd (give uid[:gid])`}, // runc: strconv.Atoi
	{"group by a name that is not there", "no-such-group", onStarted("exec", "--user", "0:nosuchgroup", "$ID", "true"), `exec failed: group "nosuchgroup": no such group in the container's /etc/group (give a gid)`},
	{"limit that the kernel refuses", "rlimit", failingCall("run", tracer.Children, unix.SYS_PRLIMIT64, unix.EINVAL, "rlimits", func(c *specs.Spec) {
		c.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 64, Hard: 64}}
	}), `run failed: process.rlimits[0]: prlimit64: invalid argument`},
	{"keys forbidden by an outer filter", "process-setup", failing(tracer.Children, unix.SYS_KEYCTL, unix.EPERM, "keyctl"), `create failed: keyctl "_ses.$ID": operation not permitted (an outer seccomp filter or security module may deny keys: use --no-new-keyring)`},
	{"filter that forbids execve", "died-before-program", func(s *scene) harness.Result { // runc: "container process is already dead", crun: nothing
		requireSeccomp(s.T, s.Env)
		return runs(seccompRule(specs.ActKillProcess, "execve"))(s)
	}, `run failed: container process was killed before its program ran: SIGSYS (the seccomp filter forbids execve, or what the program did first)`},
	{"memory limit below what the set-up takes", "init-died", func(s *scene) harness.Result { // moby#42953, ecs-agent#3021
		require.Controller(s.T, "memory")
		return creating(memoryLimit(16384))(s)
	}, `create failed: container init: was killed by SIGKILL (oom: limit 16 KiB of /sys/fs/cgroup/memory/…, peak 16 KiB, 1 process killed)`},

	// The root file system.
	{"root.path missing", "rootfs", configured("nosuch", "root", "path"), `create failed: root.path: open "$BUNDLE/nosuch": no such file or directory`},
	{"/dev is a link", "rootfs-dev", prepared(func(s *scene, b *harness.Bundle) {
		check(s.T, os.Remove(b.Path("dev")))
		check(s.T, os.Symlink("/etc", b.Path("dev")))
	}, harness.WithoutMount("/dev"), harness.WithoutMount("/dev/pts"), harness.WithoutMount("/dev/shm"), harness.WithoutMount("/dev/mqueue")), `create failed: root.path: "/dev": is a symbolic link in the image (and no mount covers it; devices would be made where it leads to)`},
	{"sysctl misspelt", "sysctl-unknown", creating(sysctl(map[string]string{"net.ipv4.ip_forwardd": "1"})), `create failed: linux.sysctl["net.ipv4.ip_forwardd"]: no such sysctl (did you mean "net.ipv4.ip_forward"?)`}, // runc: "unsafe procfs detected"
	{"sysctl with a value that is none", "sysctl", creating(sysctl(map[string]string{"net.ipv4.ip_forward": "banana"})), `create failed: linux.sysctl["net.ipv4.ip_forward"]: write "banana": invalid argument`},
	{"sysctl of the host", "config-invalid", creating(sysctl(map[string]string{"kernel.core_pattern": "x"})), `create failed: linux.sysctl["kernel.core_pattern"]: belongs to no namespace: it would change the host`},
	{"device that the host lacks, in a user namespace", "device", creating(harness.UserNamespace, linux(func(l *specs.Linux) {
		l.Devices = []specs.LinuxDevice{{Path: "/dev/nosuch", Type: "c", Major: 240, Minor: 77}}
	})), `create failed: linux.devices[0]: open_tree "/dev/nosuch": no such file or directory (it may not be made here, and the host has no such device to bind)`},

	// Mounts.
	{"bind source missing", "mount-source", mounted(bind("/nope/src", "/mnt", "bind")), `create failed: mounts[7].source: open "/nope/src": no such file or directory (on the host, to be bound on /mnt)`},
	{"directory onto a file", "mount-mismatch", mounted(bind("/etc", "/etc/passwd", "bind")), `create failed: mounts[7]: mount "/etc/passwd": not a directory (cannot put /etc, a directory, onto a file)`}, // moby#36428
	{"file onto a directory", "mount-mismatch", mounted(bind("/etc/passwd", "/etc", "bind")), `create failed: mounts[7]: mount "/etc": not a directory (cannot put /etc/passwd, a file, onto a directory)`},
	{"mount below a file", "mount-destination", mounted(tmpfs("/etc/passwd/sub")), `create failed: mounts[7].destination: "/etc/passwd/sub": not a directory (/etc/passwd is a file in the container's root, so nothing can be below it)`}, // crun#1307
	{"mount behind a link to nowhere", "mount-destination", prepared(func(s *scene, b *harness.Bundle) {
		check(s.T, os.Symlink("/nowhere", b.Path("link")))
	}, harness.Mounted(bind("/etc/passwd", "/link/x", "bind"))), `create failed: mounts[7].destination: "/link/x": no such file or directory (/link is a symbolic link to /nowhere, which does not exist in the image)`},
	{"option misspelt", "mount-option", mounted(tmpfs("/mnt", "nosuid", "sizee=1m")), `create failed: mounts[7].options[1]: unknown option "sizee" for tmpfs (did you mean "size"?)`}, // runc, crun: "invalid argument"
	{"option with a value that is none", "mount-option", mounted(tmpfs("/mnt", "size=banana")), `create failed: mounts[7].options[0]: fsconfig "banana": invalid argument (tmpfs: Bad value for 'size')`},
	{"file system that the kernel does not know", "mount-filesystem", mounted(specs.Mount{Destination: "/mnt", Type: "bogusfs", Source: "x"}), `create failed: mounts[7].type: fsopen "bogusfs": no such device (this kernel knows no such file system)`},
	{"mounts without a mount namespace", "config-invalid", creating(harness.Namespace(specs.MountNamespace, "/proc/self/ns/mnt")), `create failed: mounts: would change the host: the mount namespace that is joined is the runtime's own; linux.maskedPaths: would change the host: the mount namespace that is joined is the runtime's own; linux.readonlyPaths: would change the host: the mount namespace that is joined is the runtime's own`},
	{"new proc in a host's pid namespace", "mount-refused", creating(harness.UserNamespace, harness.WithoutNamespace(specs.PIDNamespace)), `create failed: mounts[0]: fsconfig: operation not permitted (a new procfs needs a pid namespace of the container's own user namespace)`},
	{"new proc while the outer one is covered", "mount-refused", coveredProc, `create failed: mounts[0]: fsmount: operation not permitted (the kernel refuses a new procfs here because the outer /proc is partly covered: /proc/acpi)`}, // podman#20453
	{"id-mapped mount of a file system that cannot", "mount-idmap", mounted(specs.Mount{Destination: "/mnt", Type: "bind", Source: "/proc/self",
		Options: []string{"bind", "idmap"}, UIDMappings: oneID, GIDMappings: oneID}), `create failed: mounts[7]: id-map "/proc/self": invalid argument (its file system, proc, does not support it)`}, // mountpoint-s3#1835
	{"too many mounts", "mount-limit", failing(tracer.Children, unix.SYS_MOVE_MOUNT, unix.ENOSPC, "mounts[0]"), `create failed: mounts[0]: move_mount: no space left on device (there are as many mounts as the sysctl fs.mount-max allows)`},
	{"a mount that fails for no known reason", "mount", failing(tracer.Children, unix.SYS_MOVE_MOUNT, unix.EBUSY, "mounts[0]"), `create failed: mounts[0]: move_mount: device or resource busy`},

	// Namespaces.
	{"namespace that is not there", "namespace-path", joining(specs.NetworkNamespace, "/nosuch/ns"), `create failed: linux.namespaces[0].path: open "/nosuch/ns": no such file or directory`},
	{"namespace of another type", "namespace-path", joining(specs.NetworkNamespace, "/proc/self/ns/uts"), `create failed: linux.namespaces[0].path: "/proc/self/ns/uts": is a uts namespace, not a net namespace: invalid argument`},
	{"namespace of another user", "namespace-join", foreignNamespace, `create failed: linux.namespaces[4].path: setns: operation not permitted`},                                                                                                                                                              // runc#4390
	{"no more user namespaces", "namespace-limit", limitedNamespaces("user", harness.UserNamespace), `create failed: clone "CLONE_NEWUSER|CLONE_NEWMNT|CLONE_NEWPID|CLONE_NEWNET|CLONE_NEWIPC|CLONE_NEWUTS": no space left on device (the kernel counts namespaces per user: user.max_user_namespaces is 0)`}, // moby#40835
	{"no more pid namespaces", "namespace-limit", limitedNamespaces("pid", ran), `create failed: clone "CLONE_NEWMNT|CLONE_NEWPID|CLONE_NEWNET|CLONE_NEWIPC|CLONE_NEWUTS": no space left on device (the kernel counts namespaces per user: user.max_pid_namespaces is 0)`},
	{"namespaces without the right to", "namespace-denied", func(s *scene) harness.Result {
		b := s.newBundle()
		return s.wrapped([]string{"setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"},
			"--cgroup-manager", "disabled", "create", "--bundle", b.Dir, "$ID")
	}, `create failed: clone "CLONE_NEWMNT|CLONE_NEWPID|CLONE_NEWNET|CLONE_NEWIPC|CLONE_NEWUTS": operation not permitted (it takes CAP_SYS_ADMIN, or a new user namespace to have it in)`},
	{"mapping that the user may not use", "idmap", byUser(linux(func(l *specs.Linux) { l.UIDMappings[0].HostID = 0 })), `run failed: linux.uidMappings: newuidmap … 0 0 1: newuidmap: … (/etc/subuid and /etc/subgid say which ranges a user may map)`},
	{"network device missing", "netdev", creating(linux(func(l *specs.Linux) { l.NetDevices = map[string]specs.LinuxNetDevice{"nosuch0": {}} })), `create failed: linux.netDevices["nosuch0"]: the runtime's network namespace has no device of this name: no such device`},

	{"clock that cannot go back so far", "namespace", creating(linux(func(l *specs.Linux) {
		l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
		l.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Secs: -1 << 40}}
	})), `create failed: linux.timeOffsets.monotonic: write "monotonic -1099511627776 0\n": numerical result out of range`},
	{"flag of a mount that a user namespace may not clear", "mount-locked", lockedMount, `create failed: mounts[6].options: mount_setattr: operation not permitted (a user namespace may not change the flags that the mount of $DIR/locked came with: nosuid,nodev,noexec,relatime)`}, // runc#1523

	// Security.
	{"AppArmor profile on a host without", "apparmor-missing", func(s *scene) harness.Result {
		require.NoFile(s.T, "/sys/kernel/security/apparmor")
		return creating(func(c *specs.Spec) { c.Process.ApparmorProfile = "nope" })(s)
	}, `create failed: process.apparmorProfile: apply AppArmor profile "nope": this host does not run AppArmor`},
	{"AppArmor profile that is not loaded", "apparmor", func(s *scene) harness.Result {
		require.File(s.T, "/sys/kernel/security/apparmor")
		return creating(func(c *specs.Spec) { c.Process.ApparmorProfile = "nope" })(s)
	}, `create failed: process.apparmorProfile: …"nope": …`},
	{"SELinux label on a host without", "selinux-missing", creating(func(c *specs.Spec) { c.Process.SelinuxLabel = "system_u:system_r:x_t:s0" }), `create failed: process.selinuxLabel: apply SELinux label "system_u:system_r:x_t:s0": this host does not run SELinux`},
	{"SELinux label of mounts on a host without", "selinux", creating(linux(func(l *specs.Linux) { l.MountLabel = "system_u:object_r:x_t:s0" })), `create failed: linux.mountLabel: fsconfig "system_u:object_r:x_t:s0": invalid argument (is SELinux enabled on this host?)`},
	{"seccomp agent missing", "seccomp-listener", func(s *scene) harness.Result {
		requireSeccomp(s.T, s.Env)
		return runs(seccompRule(specs.ActNotify, "mkdir"), linux(func(l *specs.Linux) { l.Seccomp.ListenerPath = s.File("nobody") }))(s)
	}, `run failed: linux.seccomp.listenerPath: connect "$DIR/nobody": no such file or directory`},
	{"seccomp filter refused", "seccomp", func(s *scene) harness.Result {
		requireSeccomp(s.T, s.Env)
		return failingCall("run", tracer.Children, unix.SYS_SECCOMP, unix.EFAULT, "bad address", seccompRule(specs.ActErrno, "mkdir"))(s)
	}, `run failed: linux.seccomp: seccomp: bad address`},
	{"seccomp action that is none", "config-invalid", creating(seccompRule("SCMP_ACT_BOGUS", "mkdir")), `create failed: linux.seccomp.syscalls[0].action: "SCMP_ACT_BOGUS": unknown action`},
	{"Intel RDT on a host without", "intelrdt", creating(linux(func(l *specs.Linux) { l.IntelRdt = &specs.LinuxIntelRdt{L3CacheSchema: "L3:0=f"} })), `create failed: linux.intelRdt: resctrl is not mounted (this kernel or processor has no such control)`},

	// Cgroups.
	{"cgroupsPath for systemd", "cgroup-path-invalid", func(s *scene) harness.Result {
		return s.call("--systemd-cgroup", "create", "--bundle", s.newBundle().Dir, "$ID")
	}, `create failed: linux.cgroupsPath: expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "/…" instead`},
	{"no systemd", "systemd-connect", func(s *scene) harness.Result {
		require.NoFile(s.T, "/run/systemd/private")
		b := s.newBundle(linux(func(l *specs.Linux) { l.CgroupsPath = "" }))
		return s.call("--systemd-cgroup", "create", "--bundle", b.Dir, "$ID")
	}, `create failed: connect to systemd at "/run/systemd/private": no such file or directory`},
	{"no systemd session", "systemd-no-session", func(s *scene) harness.Result { // podman#4228
		u := newUser(s.T, s.Env)
		b := u.bundle(linux(func(l *specs.Linux) { l.CgroupsPath = "" }))
		return u.command("--systemd-cgroup", "run", "--bundle", b.Dir, s.id).Run()
	}, `run failed: connect to systemd: no systemd user session (for uid 61234: $DIR/user/bus is missing; log in, or run: loginctl enable-linger 61234)`},
	{"property of systemd that cannot be read", "systemd-annotation", func(s *scene) harness.Result {
		b := s.newBundle(linux(func(l *specs.Linux) { l.CgroupsPath = "" }), func(c *specs.Spec) {
			c.Annotations = map[string]string{"org.systemd.property.CollectMode": "banana"}
		})
		return s.call("--systemd-cgroup", "create", "--bundle", b.Dir, "$ID")
	}, `create failed: annotations[org.systemd.property.CollectMode]: "banana": is not a value such as true, uint64 5, 'text' or ['a', 'b']`},
	{"weight out of range", "cgroup-value-invalid", onV1(creating(resources(func(r *specs.LinuxResources) {
		r.BlockIO = &specs.LinuxBlockIO{Weight: harness.Pointer(uint16(5))}
	}))), `create failed: linux.resources.blockIO.weight: "5": is not in the range 10 to 1000`},
	{"swappiness on version 2", "cgroup-v1-only", onV2(func(s *scene) harness.Result {
		require.Controller(s.T, "memory")
		return creating(resources(func(r *specs.LinuxResources) { r.Memory = &specs.LinuxMemory{Swappiness: harness.Pointer(uint64(7))} }))(s)
	}), `create failed: linux.resources.memory.swappiness: has no counterpart in cgroup v2 (limit swap with memory.swap, or set vm.swappiness on the host)`},
	{"unified on version 1", "cgroup-v2-only", func(s *scene) harness.Result {
		require.View(s.T, view.V1)
		return creating(resources(func(r *specs.LinuxResources) { r.Unified = map[string]string{"memory.high": "1"} }))(s)
	}, `create failed: linux.resources.unified: controller is not available (needs cgroup v2; this host has v1)`},
	{"unified without its controller", "cgroup-controller-missing", onV2(func(s *scene) harness.Result {
		missing := "nosuch"
		if !view.HasControllerV2("memory") { // v1 has it
			missing = "memory"
		}
		return creating(resources(func(r *specs.LinuxResources) { r.Unified = map[string]string{missing + ".max": "1000000"} }))(s)
	}), `create failed: linux.resources.unified: enable controller "…": controller is not available (/sys/fs/cgroup… offers only: …)`},
	{"limit without its controller", "cgroup-controller-missing", creating(resources(func(r *specs.LinuxResources) {
		r.Network = &specs.LinuxNetwork{ClassID: harness.Pointer(uint32(1))}
	})), `create failed: linux.resources.network.classID: find controller "net_cls": controller is not available`},
	{"cgroup of another user", "cgroup-not-delegated", func(s *scene) harness.Result { // crun#376
		u := newUser(s.T, s.Env)
		return u.run(u.bundle(), "--rootless", "false")
	}, `run failed: mkdir "/sys/fs/cgroup/…": cgroup is not delegated to this user: permission denied (/sys/fs/cgroup/… belongs to uid 0, we are uid 61234…)`},
	{"no more cgroups", "cgroup-create", failing(tracer.Runtime, unix.SYS_MKDIRAT, unix.ENOSPC, "/sys/fs/cgroup"), `create failed: mkdir "/sys/fs/cgroup/…": no space left on device…`},                                                                                                                                         // moby#29638
	{"cgroup beside a threaded one", "cgroup-join", onV2(threadedCgroup), `create failed: enter cgroup "/sys/fs/cgroup/$ID/x": operation not supported (it is "domain invalid", /sys/fs/cgroup/$ID above it is "domain threaded", /sys/fs/cgroup/$ID/t below that is "threaded"; make it threaded, too, or have it elsewhere)`}, // containerd#6659
	{"cgroup in use", "cgroup-not-empty", func(s *scene) harness.Result {
		path := s.Create(s.newBundle()).Bundle.Config().Linux.CgroupsPath
		return creating(linux(func(l *specs.Linux) { l.CgroupsPath = path }))(s)
	}, `create failed: linux.cgroupsPath: use cgroup "/sys/fs/cgroup/…": container's cgroup is not empty: 1 process(es) found (… (runtime:stage))`},
	{"cgroup frozen", "cgroup-frozen", frozenCgroup, `create failed: linux.cgroupsPath: use cgroup "/sys/fs/cgroup/…$ID": container's cgroup unexpectedly frozen`},
	{"resume below a frozen cgroup", "cgroup-frozen", frozenAbove, `thaw "/sys/fs/cgroup/…$ABOVE/x": a cgroup above it is frozen (/sys/fs/cgroup/…$ABOVE above it is frozen; it goes on when that is thawed)`},
	{"CPUs that do not exist", "cgroup-setting-refused", func(s *scene) harness.Result {
		require.Controller(s.T, "cpuset")
		return creating(resources(func(r *specs.LinuxResources) { r.CPU = &specs.LinuxCPU{Cpus: "4000"} }))(s)
	}, `create failed: linux.resources.cpu.cpus: write 4000 to "/sys/fs/cgroup/cpuset/…/cpuset.cpus": numerical result out of range (the parent cgroup has cpuset.cpus "0-1")`},
	{"memory limit below what is in use", "cgroup-below-usage", func(s *scene) harness.Result { // kubernetes#124786
		require.Controller(s.T, "memory")
		s.id = s.Running(s.newBundle(harness.Forever)).ID
		update := s.command("update", "--resources", "-", "$ID")
		update.Stdin = stdin(s.T, s.Env, `{"memory": {"limit": 4096, "checkBeforeUpdate": true}}`)
		return update.Run()
	}, `linux.resources.memory.limit: "4096": memory limit is below what is in use (… bytes are in use)`},
	{"exec above the pids limit", "pids-limit", func(s *scene) harness.Result {
		require.Controller(s.T, "pids")
		s.id = s.Create(s.newBundle(harness.Args("sleep", "1000"), resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: harness.Pointer(int64(1))} }))).Start().ID
		return s.call("exec", "$ID", "true")
	}, `exec failed: enter cgroup "/sys/fs/cgroup/pids/…": resource temporarily unavailable (pids.max of /sys/fs/cgroup/pids/… is 1 and pids.current 2)`},
	{"memory limit below what a process takes", "memory-limit", onV2(func(s *scene) harness.Result {
		require.Controller(s.T, "memory")
		return creating(memoryLimit(4096))(s)
	}), `create failed: enter cgroup "…": cannot allocate memory (memory.max of … is …, and … are in use)`},
	{"cgroup file system that fails", "cgroup", failing(tracer.Runtime, unix.SYS_OPENAT, unix.EIO, "/sys/fs/cgroup"), `create failed: open "/sys/fs/cgroup/…": input/output error`},
	{"limits without a cgroup", "no-cgroup", func(s *scene) harness.Result {
		s.id = s.ID()
		s.call("--cgroup-manager", "disabled", "create", "--bundle", s.newBundle(harness.Forever).Dir, "$ID").WantCode(s.T, 0)
		s.T.Cleanup(func() { deleteByForce(s.T, s.Env, s.id) })
		return s.call("pause", "$ID")
	}, `pause "$ID": container has no cgroup of its own`},
	{"device that the cgroup above forbids", "cgroup-device-refused", onV1(forbiddenDevice), `create failed: linux.resources.devices: write c *:* m to "/sys/fs/cgroup/devices/$ID/x/devices.allow": operation not permitted (a cgroup above does not allow it: devices.list "")`}, // pterodactyl-containers#118
	{"device rules that version 1 cannot express", "cgroup-device-overlap", onV1(creating(resources(func(r *specs.LinuxResources) {
		r.Devices = []specs.LinuxDeviceCgroup{{Access: "rwm"}, {Allow: true, Type: "c", Major: harness.Pointer(int64(1)), Access: "rwm"},
			{Type: "c", Major: harness.Pointer(int64(1)), Minor: harness.Pointer(int64(3)), Access: "rwm"}}
	}))), `create failed: linux.resources.devices[2]: "c 1:3 mrw": cgroup v1 cannot make an exception to an exception (it overlaps the earlier c 1:* mrw; list the single devices instead)`},
	{"device filter refused", "cgroup-device-program", onV2(failing(tracer.Runtime, unix.SYS_BPF, unix.EINVAL, "linux.resources.devices")), `create failed: linux.resources.devices: load eBPF program: invalid argument (device control on cgroup v2 needs Linux 5.6 with CONFIG_CGROUP_BPF)`}, // runc#3867

	// Hooks.
	{"hook fails", "hook", creating(addHook("createRuntime", shellHook("echo the reason >&2; exit 3"))), `create failed: hooks.createRuntime[0]: error running createRuntime hook #0 "/bin/busybox": exit status 3 (after … ms, stdout: , stderr: the reason)`}, // containerd#11210
	{"hook is killed", "hook", creating(addHook("createRuntime", shellHook("kill -ILL $$"))), `create failed: hooks.createRuntime[0]: error running createRuntime hook #0 "/bin/busybox": killed by SIGILL (after … ms, stdout: , stderr:)`},
	{"hook is missing", "hook", creating(addHook("prestart", specs.Hook{Path: "/nosuch/hook"})), `create failed: hooks.prestart[0]: error running prestart hook #0 "/nosuch/hook": fork/exec: no such file or directory`}, // crun: "exit code: 1"
	{"hook hangs", "hook", creating(addHook("createContainer", specs.Hook{Path: "/bin/sleep", Args: []string{"sleep", "1000"}, Timeout: harness.Pointer(1)})), `create failed: hooks.createContainer[0]: error running createContainer hook #0 "/bin/sleep": did not end in time and was killed (process … (sleep) is in state …) (after … ms, stdout: , stderr:)`},

	// The host.
	{"state on a full file system", "no-space", func(s *scene) harness.Result { s.smallRoot(0); return creating()(s) }, `create failed: write "$ROOT/$ID/state.json": no space left on device`},
	{"state on a read-only file system", "read-only", func(s *scene) harness.Result { s.smallRoot(unix.MS_RDONLY); return creating()(s) }, `create failed: mkdir "$ROOT/$ID": read-only file system`},
	{"no root directory", "file-missing", calling("list"), `open "$ROOT": no such file or directory`},
	{"somebody else's root", "permission-denied", func(s *scene) harness.Result {
		u := newUser(s.T, s.Env)
		check(s.T, os.Mkdir(s.Root, 0o700))
		return u.bare("--root", s.Root, "list").Run()
	}, `open "$ROOT": permission denied`},
	{"too many open files, in a mount", "open-files", failing(tracer.Children, unix.SYS_FSMOUNT, unix.EMFILE, "mounts[0]"), `create failed: mounts[0]: fsmount: too many open files (RLIMIT_NOFILE is …)`},
	{"too many open files on the host", "open-files", failing(tracer.Runtime, unix.SYS_OPENAT, unix.ENFILE, "/sys/fs/cgroup"), `create failed: open "/sys/fs/cgroup/…": too many open files in system (the sysctl fs.file-max is …)`},
	{"no memory", "no-memory", failing(tracer.Children, unix.SYS_FSMOUNT, unix.ENOMEM, "mounts[0]"), `create failed: mounts[0]: fsmount: cannot allocate memory`},
	{"too few open files", "open-files", under([]string{"prlimit", "--nofile=16:16"}), `create failed: …: too many open files (RLIMIT_NOFILE is 16)`},
	{"no more processes", "process-limit", func(s *scene) harness.Result {
		return failing(tracer.Runtime, cloneCall(), unix.EAGAIN, "temporarily")(s)
	}, `create failed: clone "CLONE_NEWMNT|CLONE_NEWPID|CLONE_NEWNET|CLONE_NEWIPC|CLONE_NEWUTS": resource temporarily unavailable (too many processes: RLIMIT_NPROC of the user, or pids.max of a cgroup that we are in, is reached)`},
	{"kernel without a call", "kernel-too-old", failing(tracer.Children, unix.SYS_MOUNT_SETATTR, unix.ENOSYS, "mounts[6]"), `create failed: mounts[6]…: mount_setattr: function not implemented (needs Linux 5.12)`},
	{"a call that fails for no known reason", "system-call", failing(tracer.Runtime, unix.SYS_WRITE, unix.EIO, "config.json"), `create failed: write "$ROOT/$ID/config.json": input/output error`},
}
