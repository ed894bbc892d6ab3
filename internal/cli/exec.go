package cli

import (
	"fmt"
	"strconv"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer"
)

func execCommand() command {
	return command{
		name:  "exec",
		usage: "run another process in a running container",
		args:  "CONTAINER COMMAND [ARGUMENT...]",
		flags: []flag{
			{name: "console-socket", kind: text, example: "PATH", usage: "unix socket that receives the terminal's master"},
			{name: "pidfd-socket", kind: text, example: "PATH", usage: "unix socket that receives a pidfd of the process"},
			{name: "cwd", kind: text, example: "DIR", usage: "working directory, absolute in the container"},
			{name: "env", alias: "e", kind: list, example: "NAME=VALUE", usage: "set a variable of the environment"},
			{name: "tty", alias: "t", kind: boolean, value: "false", usage: "give the process a terminal"},
			{name: "user", alias: "u", kind: text, example: "UID[:GID]", usage: "user and group, by number or by a name of the container"},
			{name: "additional-gids", alias: "g", kind: list, example: "GID", usage: "add a supplementary group"},
			{name: "process", alias: "p", kind: text, example: "FILE", usage: "JSON file with the whole process"},
			{name: "detach", alias: "d", kind: boolean, value: "false", usage: "do not wait for the process"},
			{name: "pid-file", kind: text, example: "FILE", usage: "file that receives the process id"},
			{name: "process-label", kind: text, example: "LABEL", usage: "SELinux label"},
			{name: "apparmor", kind: text, example: "PROFILE", usage: "AppArmor profile"},
			{name: "no-new-privs", kind: boolean, value: "false", usage: "set no_new_privs"},
			{name: "cap", alias: "c", kind: list, example: "CAP", usage: "add a capability to the bounding, effective and permitted sets"},
			{name: "preserve-fds", kind: text, value: "0", example: "N", usage: "pass N descriptors, from 3 on, to the process"},
			{name: "cgroup", kind: list, example: "[CONTROLLERS:]PATH", usage: "run in this cgroup below the container's"},
			{name: "ignore-paused", kind: boolean, value: "false", usage: "allow a paused container; the process waits for resume"},
		},
		min: 1, max: -1, passthrough: true,
		run: func(c *call) error {
			code, err := c.exec()
			if err != nil {
				return fmt.Errorf("exec failed: %w", err)
			}
			return exit(code)
		},
	}
}

func (c *call) exec() (int, error) {
	r, err := c.runtime()
	if err != nil {
		return 0, err
	}
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
	}
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
	if o.PreserveFDs, err = c.preserved(); err != nil {
		return 0, err
	}
	return r.Exec(c.args[0], o)
}
