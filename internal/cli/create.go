package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer"
)

// createFlags are those that create and run share.
func createFlags() []flag {
	return []flag{
		{name: "bundle", alias: "b", kind: text, example: "DIR", usage: "directory of the bundle (default: the working directory)"},
		{name: "config", alias: "f", kind: text, example: "FILE", usage: "configuration to use instead of the bundle's config.json"},
		{name: "console-socket", kind: text, example: "PATH", usage: "unix socket that receives the terminal's master"},
		{name: "pidfd-socket", kind: text, example: "PATH", usage: "unix socket that receives a pidfd of the process"},
		{name: "pid-file", kind: text, example: "FILE", usage: "file that receives the process id"},
		{name: "no-pivot", kind: boolean, value: "false", usage: "move the root over / instead of pivot_root(2)"},
		{name: "no-new-keyring", kind: boolean, value: "false", usage: "keep the caller's session keyring"},
		{name: "preserve-fds", kind: text, value: "0", example: "N", usage: "pass N descriptors, from 3 on, to the process"},
		{name: "plan", kind: boolean, value: "false", usage: "print the system calls that would set up the container, and do nothing"},
	}
}

func createCommand() command {
	return command{
		name:  "create",
		usage: "create a container",
		args:  "CONTAINER",
		flags: createFlags(),
		min:   1, max: 1,
		run: func(c *call) error {
			r, o, err := c.createOptions()
			if err != nil {
				return fmt.Errorf("create failed: %w", err)
			}
			if c.flags.bool("plan") {
				return r.Plan(os.Stdout, c.args[0], o)
			}
			if err := r.Create(c.args[0], o); err != nil {
				return fmt.Errorf("create failed: %w", err)
			}
			return nil
		},
	}
}

func (c *call) createOptions() (*libcontainer.Runtime, libcontainer.CreateOptions, error) {
	o := libcontainer.CreateOptions{
		Bundle:        c.flags.text("bundle"),
		ConfigFile:    c.flags.text("config"),
		PidFile:       c.flags.text("pid-file"),
		ConsoleSocket: c.flags.text("console-socket"),
		PidfdSocket:   c.flags.text("pidfd-socket"),
		NoPivot:       c.flags.bool("no-pivot"),
		NoNewKeyring:  c.flags.bool("no-new-keyring"),
	}
	r, err := c.runtime()
	if err != nil {
		return nil, o, err
	}
	o.PreserveFDs, err = c.preserved()
	o.ListenFDs = listening()
	o.PreserveFDs += o.ListenFDs
	return r, o, err
}

// listening is how many sockets systemd's socket activation has passed to us,
// and not to a parent whose environment we have inherited, sd_listen_fds(3).
func listening() int {
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 0 || os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return n
}

// preserved is --preserve-fds.
func (c *call) preserved() (int, error) {
	n, err := strconv.Atoi(c.flags.text("preserve-fds"))
	if err != nil || n < 0 {
		return 0, &diag.Error{Field: "--preserve-fds", Path: c.flags.text("preserve-fds"), Err: errors.New("is not a number of descriptors")}
	}
	return n, nil
}
