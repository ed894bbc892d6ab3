package cli

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer"
	"ociruntime/libcontainer/criu"
)

// criuFlags are those that checkpoint and restore share.
var criuFlags = []flag{
	{name: "image-path", kind: text, value: "checkpoint", usage: "keep the images in `DIR`"},
	{name: "work-path", kind: text, usage: "keep CRIU's log and other files in `DIR` (default: --image-path)"},
	{name: "tcp-established", kind: boolean, usage: "include open TCP connections"},
	{name: "ext-unix-sk", kind: boolean, usage: "allow unix sockets that are connected to processes outside"},
	{name: "shell-job", kind: boolean, usage: "allow processes of the caller's session and terminal"},
	{name: "lazy-pages", kind: boolean, usage: "transfer memory when it is needed, by userfaultfd(2)"},
	{name: "file-locks", kind: boolean, usage: "include file locks"},
	{name: "manage-cgroups-mode", kind: text, value: "soft", usage: "have CRIU handle cgroups in `MODE`: soft, full, strict or ignore"},
	{name: "empty-ns", kind: list, usage: "leave out what the namespace `TYPE` holds; network is the only one"},
	{name: "auto-dedup", kind: boolean, usage: "give up pages of earlier images that are in a later one too"},
}

var checkpointVerb = command{
	name:  "checkpoint",
	usage: "write the state of a running container to files, and delete it",
	args:  "CONTAINER",
	examples: []example{
		{"runtime checkpoint --image-path /var/tmp/box box", "freeze a container into files, to be restored"},
		{"runtime checkpoint --image-path /var/tmp/box --leave-running box", "take a snapshot while it goes on"},
	},
	flags: [][]flag{criuFlags, {
		{name: "parent-path", kind: text, usage: "leave out memory that has not changed since the pre-dump in `DIR`, relative to --image-path"},
		{name: "leave-running", kind: boolean, usage: "let the container go on"},
		{name: "pre-dump", kind: boolean, usage: "write the memory only, and let the container go on"},
		{name: "tcp-skip-in-flight", kind: boolean, usage: "leave out TCP connections that were not accepted yet"},
		{name: "link-remap", kind: boolean, usage: "allow open files that were deleted but have another name"},
		{name: "status-fd", kind: text, usage: "write a null byte to descriptor `N` when lazy pages can be asked for"},
		{name: "page-server", kind: text, usage: "send the memory to the page server at `ADDRESS:PORT`"},
	}},
	min: 1, max: 1,
	run: func(c *call, r *libcontainer.Runtime) error {
		o, err := c.checkpointOptions()
		if err == nil {
			err = r.Checkpoint(c.args[0], o)
		}
		if err != nil {
			return fmt.Errorf("checkpoint failed: %w", err)
		}
		return nil
	},
}

func (c *call) checkpointOptions() (libcontainer.CheckpointOptions, error) {
	shared, err := c.criuOptions()
	o := libcontainer.CheckpointOptions{
		Options:   shared,
		ImagePath: c.flags.text("image-path"),
		WorkPath:  c.flags.text("work-path"),
	}
	if err != nil {
		return o, err
	}
	o.Parent = c.flags.text("parent-path")
	o.LeaveRunning = c.flags.bool("leave-running")
	o.PreDump = c.flags.bool("pre-dump")
	o.TCPSkip = c.flags.bool("tcp-skip-in-flight")
	o.LinkRemap = c.flags.bool("link-remap")
	o.PageServer = c.flags.text("page-server")
	o.StatusFD, err = statusFD(c.flags.text("status-fd"))
	return o, err
}

// criuOptions are the values of criuFlags.
func (c *call) criuOptions() (criu.Options, error) {
	o := criu.Options{
		TCPEstablished: c.flags.bool("tcp-established"),
		ExtUnixSk:      c.flags.bool("ext-unix-sk"),
		ShellJob:       c.flags.bool("shell-job"),
		LazyPages:      c.flags.bool("lazy-pages"),
		FileLocks:      c.flags.bool("file-locks"),
		AutoDedup:      c.flags.bool("auto-dedup"),
		CgroupsMode:    c.flags.text("manage-cgroups-mode"),
		StatusFD:       -1,
	}
	for _, name := range c.flags.list("empty-ns") {
		if name != "network" {
			return o, &diag.Error{Field: "--empty-ns", Path: name, Err: errors.New("is not network"), Code: "usage"}
		}
		o.EmptyNetwork = true
	}
	return o, nil
}

// statusFD checks that the caller has opened the descriptor, and can write to it.
func statusFD(s string) (int, error) {
	if s == "" {
		return -1, nil
	}
	fd, err := strconv.Atoi(s)
	if err == nil {
		var flags int
		flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err == nil && flags&unix.O_ACCMODE == unix.O_RDONLY {
			err = unix.EBADF
		}
	}
	if err != nil {
		return -1, &diag.Error{Field: "--status-fd", Path: s, Err: err, Hint: "it is to be open for writing", Code: "usage"}
	}
	return fd, nil
}
