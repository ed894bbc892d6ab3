package spec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"ociruntime/internal/diag"
	"ociruntime/internal/json"
)

// Host is what the rules must know about the caller and its machine. The zero
// value is root on a host without systemd cgroups.
type Host struct {
	Rootless      bool // not run by root: a user namespace is the only source of privileges
	SystemdCgroup bool // cgroups are made by systemd, so cgroupsPath names a unit
	// Shared lists the types of namespaces that the container joins by path
	// and that turn out (by device and inode) to be the runtime's own.
	Shared []specs.LinuxNamespaceType
}

// Validate returns everything that the runtime-spec, or the kernel whatever the
// host, forbids in config, as a Problems; nil if there is nothing. It leaves to
// others what only the host can tell: whether files exist, which controllers
// there are, which options a file system knows.
func Validate(config *specs.Spec, host Host) error {
	c := newChecker(config, host)
	c.version()
	c.process("process", config.Process)
	c.root()
	c.names()
	c.mounts()
	c.hooks()
	c.annotations()
	if config.Linux != nil {
		c.linux(config.Linux)
	}
	if host.Rootless {
		c.rootless()
	}
	return c.problems.asError()
}

// ValidateProcess is Validate for a process that exec is to start in the
// container that config made. Fields in the result begin with field, unless it
// is empty.
func ValidateProcess(field string, process *specs.Process, config *specs.Spec) error {
	c := newChecker(config, Host{})
	c.process(field, process)
	return c.problems.asError()
}

// ValidateResources is Validate for the resources that update is given. Fields
// in the result begin with field, unless it is empty.
func ValidateResources(field string, resources *specs.LinuxResources) error {
	c := newChecker(&specs.Spec{}, Host{})
	c.resources(field, resources)
	return c.problems.asError()
}

// linux checks the sections of config-linux.md in its order.
func (c *checker) linux(l *specs.Linux) {
	c.namespaces(l.Namespaces)
	c.userNamespace(l)
	c.timeOffsets(l.TimeOffsets)
	c.devices(l.Devices)
	c.netDevices(l.NetDevices)
	c.cgroupsPath(l.CgroupsPath)
	if l.Resources != nil {
		c.resources("linux.resources", l.Resources)
	}
	c.intelRdt(l.IntelRdt)
	c.memoryPolicy(l.MemoryPolicy)
	c.sysctl(l.Sysctl)
	c.seccomp(l.Seccomp)
	c.paths(l)
	c.personality(l.Personality)
}

// checker collects problems. Each section of the runtime-spec is a method.
// Field paths are put together only for what is wrong.
type checker struct {
	config   *specs.Spec
	host     Host
	problems Problems
}

func newChecker(config *specs.Spec, host Host) *checker {
	return &checker{config: config, host: host}
}

func (c *checker) add(e *diag.Error) {
	if e.Code == "" {
		e.Code = CodeInvalid
	}
	c.problems = append(c.problems, e)
}

// problem reports what is wrong with a field, in words that follow its name.
func (c *checker) problem(field, text string) {
	c.add(&diag.Error{Field: field, Err: errors.New(text)})
}

// value is problem for a string that is worth showing.
func (c *checker) value(field, value, text string) {
	if value == "" {
		c.problem(field, "is empty, "+text)
		return
	}
	c.add(&diag.Error{Field: field, Path: value, Err: errors.New(text)})
}

// number is problem for a number that is worth showing.
func (c *checker) number(field string, value int64, text string) {
	c.problem(field, "is "+strconv.FormatInt(value, 10)+", "+text)
}

// unsigned is number for numbers that may be above those of an int64.
func (c *checker) unsigned(field string, value uint64, text string) {
	c.problem(field, "is "+strconv.FormatUint(value, 10)+", "+text)
}

// unknown reports a word that is none of known, a list separated by spaces.
func (c *checker) unknown(field, what, word, known string) {
	if word == "" {
		c.problem(field, "is missing")
		return
	}
	e := &diag.Error{Field: field, Path: word, Err: errors.New("unknown " + what)}
	if near := json.Nearest(word, known); near != "" {
		e.Hint = "did you mean \"" + near + "\"?"
	}
	c.add(e)
}

// oneOf says whether word is in known, a list separated by spaces.
func oneOf[S ~string](word S, known string) bool {
	for known != "" {
		var next string
		next, known, _ = strings.Cut(known, " ")
		if next == string(word) {
			return true
		}
	}
	return false
}

// at returns the path of element i of a list.
func at(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

// entry returns the path of the value under key in a map.
func entry(m, key string) string { return fmt.Sprintf("%s[%q]", m, key) }

// in returns the path of a member of an object, which may be the document.
func in(object, member string) string {
	if object == "" {
		return member
	}
	return object + "." + member
}

// isAbsolute says whether a path is absolute. path/filepath is not needed for it.
func isAbsolute(path string) bool { return strings.HasPrefix(path, "/") }
