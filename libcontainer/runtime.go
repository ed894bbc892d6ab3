// Package libcontainer is the life of a container: create, start, exec, kill,
// delete and what lies between, the state on disk, and the order of it all.
// Callers hold a Runtime; every operation is one method on it.
package libcontainer

import (
	"time"

	"ociruntime/internal/diag"
)

// Runtime is the configuration that all operations share. The zero value of
// each field but Root and Log is usable.
type Runtime struct {
	Root          string        // absolute directory that holds one directory per container
	CgroupManager CgroupManager // who makes cgroups
	Rootless      Rootless      // whether cgroup permission errors are tolerated
	Timeout       time.Duration // for each wait that the spec does not bound; 0 means 60 s
	Log           *diag.Logger  // warnings and debug lines; errors are returned, not logged

	dry bool // nothing is made, not even a cache
}

// CgroupManager says how cgroups are made.
type CgroupManager string

// The cgroup managers, by the names of --cgroup-manager.
const (
	Cgroupfs  CgroupManager = "cgroupfs" // plain files; the zero value means the same
	Systemd   CgroupManager = "systemd"  // a scope per container, over D-Bus
	NoCgroups CgroupManager = "disabled" // the container stays in the caller's cgroup
)

// Rootless is the value of --rootless.
type Rootless int

// Auto means: when the effective uid is not 0, or in a user namespace.
const (
	RootlessAuto Rootless = iota
	RootlessTrue
	RootlessFalse
)

// CreateOptions are those of `create`.
type CreateOptions struct {
	Bundle        string // directory that holds config.json; "" is the working directory
	ConfigFile    string // instead of <bundle>/config.json
	PidFile       string // receives the pid, in decimal without newline; "" for none
	ConsoleSocket string // unix socket that receives the pty master; "" for none
	PidfdSocket   string // unix socket that receives a pidfd; "" for none
	NoPivot       bool   // move the root over "/" instead of pivot_root(2)
	NoNewKeyring  bool   // stay in the caller's session keyring
	PreserveFDs   int    // keep descriptors 3 to 3+PreserveFDs-1 for the process
	Timeline      string // file that receives where the time of the start went; "" for none
	ListenFDs     int    // the first of these are sockets that the process is told of, sd_listen_fds(3)
	ListenNames   string // names for them, separated by colons; or ""
	NotifySocket  string // address of the service manager that wants to know when the container is ready, sd_notify(3); "" for none
}

// StartOptions are those of `start`.
type StartOptions struct {
	NotifySocket string // as for create: then start waits until the container is ready, or has ended
}

// RunOptions are those of `run`.
type RunOptions struct {
	CreateOptions
	Detach      bool // return once the process runs
	Keep        bool // do not delete the container when its process ends
	NoSubreaper bool // do not adopt the process's orphans while waiting
}

// ExecOptions are those of `exec`. Nil or zero fields of the process mean what
// the container's own process has.
type ExecOptions struct {
	ProcessFile    string   // JSON of a whole process; then the next fields are not used
	Args           []string // program and arguments
	Env            []string // added to, or replacing, the container's
	Cwd            string
	User           string // uid[:gid], or names from the container's /etc/passwd
	AdditionalGids []uint32
	Caps           []string // added to bounding, effective and permitted
	NoNewPrivs     *bool
	Apparmor       string
	ProcessLabel   string
	Terminal       bool

	Cgroup        []string // [CONTROLLERS:]PATH below the container's cgroup
	IgnorePaused  bool
	Detach        bool
	PidFile       string
	ConsoleSocket string
	PidfdSocket   string
	PreserveFDs   int // this and what follows as for create
	ListenFDs     int
	ListenNames   string
}

// KillOptions are those of `kill`.
type KillOptions struct {
	Signal int
	All    bool // every process of the container; then a stopped container is no error
}

// State is what `state` and `list` print: the spec's state with runc's additions.
type State struct {
	OCIVersion  string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Pid         int               `json:"pid"` // 0 when stopped
	Status      Status            `json:"status"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Owner       string            `json:"owner"`
	ExitCause   *ExitCause        `json:"exitCause,omitempty"` // of a stopped container; nil in a List
	Startup     *Startup          `json:"startup,omitempty"`   // how long the start took, if that was to be noted
}

// Status is the spec's status of a container, and paused.
type Status string

// The statuses; Broken is shown by List alone, for a state that cannot be read.
const (
	Creating Status = "creating"
	Created  Status = "created"
	Running  Status = "running"
	Paused   Status = "paused"
	Stopped  Status = "stopped"
	Broken   Status = "broken"
)
