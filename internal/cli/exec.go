package cli

import (
	"fmt"
	"os"
	"strconv"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer"
)

var execVerb = command{
	name:  "exec",
	usage: "run another process in a running container",
	args:  "CONTAINER COMMAND [ARGUMENT...]",
	examples: []example{
		{"runtime exec --tty box sh", "get a shell in a container"},
		{"runtime exec --user 1000:1000 --cwd /tmp --env LANG=C box id", "run as another user, in another place"},
		{"runtime exec box grep -c ^ /etc/passwd", "flags behind the container's name are the program's"},
	},
	flags: [][]flag{{
		{name: "console-socket", kind: text, usage: "send the terminal's master to the unix socket at `PATH`"},
		{name: "pidfd-socket", kind: text, usage: "send a pidfd of the process to the unix socket at `PATH`"},
		{name: "cwd", kind: text, usage: "start in `DIR`, absolute in the container"},
		{name: "env", alias: "e", kind: list, usage: "set `NAME=VALUE` in the environment"},
		{name: "tty", alias: "t", kind: boolean, usage: "give the process a terminal"},
		{name: "user", alias: "u", kind: text, usage: "run as `UID[:GID]`, numbers or names of the container"},
		{name: "additional-gids", alias: "g", kind: list, usage: "add the supplementary group `GID`"},
		{name: "process", alias: "p", kind: text, usage: "take the whole process from `FILE`, as in config.json"},
		{name: "detach", alias: "d", kind: boolean, usage: "do not wait for the process"},
		{name: "pid-file", kind: text, usage: "write the process id to `FILE`"},
		{name: "process-label", kind: text, usage: "give the process the SELinux `LABEL`"},
		{name: "apparmor", kind: text, usage: "confine the process by the AppArmor `PROFILE`"},
		{name: "no-new-privs", kind: boolean, usage: "set no_new_privs"},
		{name: "cap", alias: "c", kind: list, usage: "add `CAP` to the bounding, effective and permitted sets"},
		{name: "preserve-fds", kind: number, value: "0", usage: "pass `N` descriptors, from 3 on, to the process"},
		{name: "cgroup", kind: list, usage: "run in the cgroup `[CONTROLLERS:]PATH` below the container's"},
		{name: "ignore-paused", kind: boolean, usage: "allow a paused container; the process waits for resume"},
	}},
	min: 1, max: -1, passthrough: true, failure: 255,
	run: func(c *call, r *libcontainer.Runtime) error {
		code, err := c.exec(r)
		if err != nil {
			return fmt.Errorf("exec failed: %w", err)
		}
		return exit(code)
	},
}

func (c *call) exec(r *libcontainer.Runtime) (int, error) {
	o := libcontainer.ExecOptions{
		ProcessFile:   c.flags.text("process"),
		Args:          c.args[1:],
		Env:           c.flags.list("env"),
		Cwd:           c.flags.text("cwd"),
		User:          c.flags.text("user"),
		Caps:          c.flags.list("cap"),
		Apparmor:      c.flags.text("apparmor"),
		ProcessLabel:  c.flags.text("process-label"),
		Terminal:      c.flags.bool("tty"),
		Cgroup:        c.flags.list("cgroup"),
		IgnorePaused:  c.flags.bool("ignore-paused"),
		Detach:        c.flags.bool("detach"),
		PidFile:       c.flags.text("pid-file"),
		ConsoleSocket: c.flags.text("console-socket"),
		PidfdSocket:   c.flags.text("pidfd-socket"),
		ListenFDs:     listenFDs(),
		ListenNames:   os.Getenv("LISTEN_FDNAMES"),
	}
	o.PreserveFDs = o.ListenFDs + c.flags.int("preserve-fds")
	if c.flags.set("no-new-privs") {
		on := c.flags.bool("no-new-privs")
		o.NoNewPrivs = &on
	}
	for _, g := range c.flags.list("additional-gids") {
		gid, err := strconv.ParseUint(g, 10, 32)
		if err != nil {
			return 0, &diag.Error{Field: "--additional-gids", Path: g, Err: err}
		}
		o.AdditionalGids = append(o.AdditionalGids, uint32(gid))
	}
	return r.Exec(c.args[0], o)
}
