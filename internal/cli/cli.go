// Package cli is the command line: one file per verb, each turning flags into
// options for one call of libcontainer. The command line is runc's, which is
// what engines speak.
//
// A line without mistakes never reaches urfave/cli, which costs more to set up
// than some verbs take to run; it words help, usage and mistakes, from the
// same tables.
package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer"
)

// exit is an error that only sets the exit code: of a process that ran.
type exit int

// Error implements error; nobody prints it.
func (e exit) Error() string { return "exit status " + strconv.Itoa(int(e)) }

// globals are the flags that stand before the verb.
func globals() []flag {
	return []flag{
		{name: "root", kind: text, value: defaultRoot(), example: "DIR", usage: "directory that holds the state of the containers; on a tmpfs"},
		{name: "log", kind: text, example: "FILE", usage: "append errors, warnings and debug lines to FILE instead of writing them to stderr"},
		{name: "log-format", kind: text, value: "text", example: "FORMAT", usage: "format of log lines: text or json"},
		{name: "debug", kind: boolean, value: "false", usage: "log what is being done"},
		{name: "systemd-cgroup", kind: boolean, value: "false", usage: `have systemd make the cgroup; cgroupsPath is then "slice:prefix:name"`},
		{name: "cgroup-manager", kind: text, example: "NAME", usage: "who makes cgroups: cgroupfs, systemd, or disabled for none"},
		{name: "rootless", kind: text, value: "auto", example: "WORD", usage: "whether missing permission for cgroups is tolerated: true, false or auto"},
		{name: "timeout", kind: text, value: "60s", example: "DURATION", usage: "how long to wait for anything that the configuration does not bound"},
	}
}

// find returns the command of this name, or nil.
func find(name string) *command {
	var c command
	switch name {
	case "create":
		c = createCommand()
	case "run":
		c = runCommand()
	case "start":
		c = startCommand()
	case "state":
		c = stateCommand()
	case "list":
		c = listCommand()
	case "kill":
		c = killCommand()
	case "delete":
		c = deleteCommand()
	case "exec":
		c = execCommand()
	case "pause":
		c = pauseCommand()
	case "resume":
		c = resumeCommand()
	case "spec":
		c = specCommand()
	default:
		return nil
	}
	return &c
}

// names lists all verbs, in the order of the help text.
func names() []string {
	return []string{"create", "run", "start", "state", "list", "kill", "delete", "exec", "pause", "resume", "spec"}
}

// Main runs the command line and returns the exit code.
func Main(argv []string) int {
	c, err := parse(argv, globals(), find)
	if err != nil {
		return usage(argv)
	}
	log, err := openLog(&c.global)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := exit(0)
	err = c.command.run(c.with(log))
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	report(log, c.global.text("log") != "", err)
	if c.command.name == "exec" {
		return 255
	}
	return 1
}

// report writes the error that ends the command: to the log, and for people
// also to stderr.
func report(log *diag.Logger, file bool, err error) {
	log.Error(err)
	if file {
		fmt.Fprintln(os.Stderr, diag.Line(err.Error()))
	}
}

// with gives the call its logger.
func (c *call) with(log *diag.Logger) *call {
	c.log = log
	return c
}

// openLog opens the log file before anything can go wrong, in the caller's
// working directory.
func openLog(global *values) (*diag.Logger, error) {
	log := &diag.Logger{File: os.Stderr, Debug: global.bool("debug")}
	switch format := global.text("log-format"); format {
	case "text":
	case "json":
		log.JSON = true
	default:
		return nil, errors.New("invalid log-format: " + format)
	}
	path := global.text("log")
	if path == "" {
		return log, nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|os.O_SYNC, 0o644)
	log.File = file
	return log, err
}

// runtime is the libcontainer.Runtime that the global flags describe.
func (c *call) runtime() (*libcontainer.Runtime, error) {
	root, err := filepath.Abs(c.global.text("root"))
	if err != nil {
		return nil, err
	}
	if root == "/" {
		return nil, errors.New("Option --root argument should not be set to /")
	}
	r := &libcontainer.Runtime{Root: root, Log: c.log}
	if r.Timeout, err = time.ParseDuration(c.global.text("timeout")); err != nil {
		return nil, &diag.Error{Field: "--timeout", Err: err}
	}
	if r.CgroupManager, err = c.cgroupManager(); err != nil {
		return nil, err
	}
	r.Rootless, err = rootless(c.global.text("rootless"))
	return r, err
}

func (c *call) cgroupManager() (libcontainer.CgroupManager, error) {
	if c.global.bool("systemd-cgroup") {
		return libcontainer.Systemd, nil
	}
	switch m := libcontainer.CgroupManager(c.global.text("cgroup-manager")); m {
	case "":
		return libcontainer.Cgroupfs, nil
	case libcontainer.Cgroupfs, libcontainer.Systemd, libcontainer.NoCgroups:
		return m, nil
	default:
		return "", &diag.Error{Field: "--cgroup-manager", Path: string(m), Err: errors.New("is none of cgroupfs, systemd, disabled")}
	}
}

func rootless(word string) (libcontainer.Rootless, error) {
	if word == "auto" {
		return libcontainer.RootlessAuto, nil
	}
	yes, err := strconv.ParseBool(word)
	switch {
	case err != nil:
		return 0, &diag.Error{Field: "--rootless", Path: word, Err: errors.New("is none of true, false, auto")}
	case yes:
		return libcontainer.RootlessTrue, nil
	}
	return libcontainer.RootlessFalse, nil
}

// defaultRoot is where the state is kept: below XDG_RUNTIME_DIR for who is not
// root, or only in a user namespace of a user who is not.
func defaultRoot() string {
	const name = "runtime"
	user := os.Getenv("USER")
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && (os.Geteuid() != 0 || user != "" && user != "root") {
		return dir + "/" + name
	}
	return "/run/" + name
}
