// Package cli is the command line: one file per verb, each turning flags into
// options for one call of libcontainer. The command line is runc's, which is
// what engines speak.
//
// Flags are described in tables. The parser reads them as they are; the help
// text is made of them by urfave/cli, but when the program is built (see
// help.go), because to have that library in the binary costs each start of any
// command a tenth of its time.
package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/libcontainer"
)

// exit is an error that only sets the exit code: of a process that ran.
type exit int

// Error implements error; nobody prints it.
func (e exit) Error() string { return "exit status " + strconv.Itoa(int(e)) }

// globals are the flags that stand before the verb.
var globals = [][]flag{{
	{name: "root", kind: text, usage: "keep the state of containers below `DIR`, on a tmpfs" +
		" (default: /run/runtime; $XDG_RUNTIME_DIR/runtime for users)"},
	{name: "log", kind: text, usage: "append errors, warnings and debug lines to `FILE`; stderr then gets errors as bare text"},
	{name: "log-format", kind: text, value: "text", choices: "text json", usage: "write log lines as `FORMAT`: text or json"},
	{name: "debug", kind: boolean, usage: "log what is being done"},
	{name: "systemd-cgroup", kind: boolean, usage: `have systemd make the cgroup; cgroupsPath is then "slice:prefix:name"`},
	{name: "cgroup-manager", kind: text, choices: "cgroupfs systemd disabled", usage: "have cgroups made by `NAME`: cgroupfs, systemd, or disabled for none (default: cgroupfs)"},
	{name: "rootless", kind: text, value: "auto", choices: "true false auto", usage: "tolerate missing permission for cgroups if `WORD` is true; auto: for users"},
	{name: "timeout", kind: duration, value: "60s", usage: "wait no longer than `DURATION` for anything that config.json does not bound"},
	{name: "version", alias: "v", kind: boolean, usage: "print the version"},
}}

// verbs are all commands, in the order of the help text.
var verbs = []*command{
	&createVerb, &runVerb, &startVerb, &stateVerb, &listVerb, &killVerb, &deleteVerb, &execVerb, &psVerb,
	&pauseVerb, &resumeVerb, &updateVerb, &eventsVerb, &checkpointVerb, &restoreVerb, &specVerb, &checkVerb, &doctorVerb, &gcVerb,
	&featuresVerb, &explainVerb, &helpVerb, &hVerb,
}

// Main runs the command line and returns the exit code.
func Main(argv []string) int {
	c, err := parse(argv, globals, verbs)
	var logErr error
	if c.log, logErr = openLog(&c.global); logErr != nil {
		say(logErr, time.Second)
		return 1
	}
	if err == nil {
		err = c.perform()
	}
	return c.end(err)
}

// perform does what the command line asks for.
func (c *call) perform() error {
	switch {
	case c.global.bool("version"):
		return write("runtime version " + version() + "\n")
	case c.command == nil || c.global.bool("help"):
		return write(help(""))
	case c.flags.bool("help"):
		return write(help(c.command.name))
	case c.command.run == nil:
		return c.help()
	}
	c.log.Debugf("%s: %s %q", release, c.command.name, c.args)
	r, err := c.runtime()
	if err != nil {
		return err
	}
	return c.command.run(c, r)
}

// end reports how the command went and returns the exit code.
func (c *call) end(err error) int {
	code := exit(0)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	m := (*mistake)(nil)
	if errors.As(err, &m) && m.usage != "" {
		_ = write(m.usage + "\n\n" + help(c.name())) // the mistake is what counts
	}
	c.report(diag.Limited(err))
	switch {
	case m != nil:
		return m.code
	case c.command != nil && c.command.failure != 0:
		return c.command.failure
	}
	return 1
}

// report writes the error that ends the command: to the log, and for people
// also to stderr.
func (c *call) report(err error) {
	c.log.Error(err)
	if c.global.text("log") != "" {
		say(err, c.log.Patience)
	}
}

// say writes an error to stderr, as bare text.
func say(err error, patience time.Duration) {
	diag.Deliver(2, []byte(diag.Line(err.Error())+"\n"), patience)
}

// name is the command's name, or "" if none was found.
func (c *call) name() string {
	if c.command == nil {
		return ""
	}
	return c.command.name
}

// write prints text, and fails if it cannot: a command whose output is lost
// has not done its work.
func write[T string | []byte](text T) error {
	_, err := os.Stdout.Write([]byte(text))
	if err != nil {
		return &diag.Error{Op: "write", Path: "stdout", Err: errors.Unwrap(err)}
	}
	return nil
}

// openLog opens the log file before anything can go wrong, in the caller's
// working directory.
func openLog(global *values) (*diag.Logger, error) {
	log := &diag.Logger{FD: 2, Patience: global.duration("timeout"), Debug: global.bool("debug")}
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
	// O_NONBLOCK: a FIFO that nobody reads is an error, and no reason to hang.
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_APPEND|unix.O_WRONLY|unix.O_SYNC|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	log.FD = fd
	return log, nil
}

// runtime is the libcontainer.Runtime that the global flags describe.
func (c *call) runtime() (*libcontainer.Runtime, error) {
	r := &libcontainer.Runtime{Root: c.global.text("root"), Timeout: c.global.duration("timeout"), Log: c.log}
	if r.Root == "" {
		r.Root = libcontainer.DefaultRoot()
	}
	var err error
	if r.Root, err = filepath.Abs(r.Root); err != nil {
		return nil, err
	}
	if r.Root == "/" {
		//lint:ignore ST1005 runc's words
		return nil, &diag.Error{Err: errors.New("Option --root argument should not be set to /"), Code: "usage"}
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
