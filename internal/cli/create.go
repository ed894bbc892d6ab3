package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"ociruntime/libcontainer"
)

// createFlags are those that create and run share.
var createFlags = []flag{
	{name: "bundle", alias: "b", kind: text, usage: "take the bundle from `DIR` (default: the working directory)"},
	{name: "config", alias: "f", kind: text, usage: "use `FILE` instead of the bundle's config.json"},
	{name: "console-socket", kind: text, usage: "send the terminal's master to the unix socket at `PATH`"},
	{name: "pidfd-socket", kind: text, usage: "send a pidfd of the process to the unix socket at `PATH`"},
	{name: "pid-file", kind: text, usage: "write the process id to `FILE`"},
	{name: "no-pivot", kind: boolean, usage: "move the root over / instead of pivot_root(2)"},
	{name: "no-new-keyring", kind: boolean, usage: "keep the caller's session keyring"},
	{name: "preserve-fds", kind: number, value: "0", usage: "pass `N` descriptors, from 3 on, to the process"},
	{name: "timeline", kind: text, usage: "write to `FILE` where the time of the start went, in Chrome's trace format"},
	{name: "plan", kind: boolean, usage: "print the system calls that would set up the container, and do nothing"},
}

var createVerb = command{
	name:  "create",
	usage: "create a container",
	args:  "CONTAINER",
	examples: []example{
		{"runtime create --bundle /srv/box --pid-file /run/box.pid box", "create a container from the bundle /srv/box"},
		{"runtime create --bundle /srv/box --plan box", "see what would happen, without doing it"},
	},
	flags: [][]flag{createFlags},
	min:   1, max: 1,
	run: func(c *call, r *libcontainer.Runtime) error {
		o := c.createOptions()
		if c.flags.bool("plan") {
			return c.plan(r, o)
		}
		if err := r.Create(c.args[0], o); err != nil {
			return fmt.Errorf("create failed: %w", err)
		}
		return nil
	},
}

// plan prints the listing of what would happen.
func (c *call) plan(r *libcontainer.Runtime, o libcontainer.CreateOptions) error {
	var listing bytes.Buffer
	if err := r.Plan(&listing, c.args[0], o); err != nil {
		return err
	}
	return write(listing.Bytes())
}

func (c *call) createOptions() libcontainer.CreateOptions {
	o := libcontainer.CreateOptions{
		Bundle:        c.flags.text("bundle"),
		ConfigFile:    c.flags.text("config"),
		PidFile:       c.flags.text("pid-file"),
		ConsoleSocket: c.flags.text("console-socket"),
		PidfdSocket:   c.flags.text("pidfd-socket"),
		NoPivot:       c.flags.bool("no-pivot"),
		NoNewKeyring:  c.flags.bool("no-new-keyring"),
		Timeline:      absolute(c.flags.text("timeline")),
		ListenFDs:     listenFDs(),
		ListenNames:   os.Getenv("LISTEN_FDNAMES"),
		NotifySocket:  os.Getenv("NOTIFY_SOCKET"),
	}
	o.PreserveFDs = o.ListenFDs + c.flags.int("preserve-fds")
	return o
}

// absolute is path from the root, for commands that come later and from
// elsewhere; "" stays what it is.
func absolute(path string) string {
	if path == "" {
		return ""
	}
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path // there is no working directory; opening it will say so
}

// listenFDs is the number of sockets that systemd has passed to this process,
// sd_listen_fds(3): they are the container's.
func listenFDs() int {
	pid, err := strconv.Atoi(os.Getenv("LISTEN_PID"))
	if err != nil || pid != os.Getpid() {
		return 0
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}
