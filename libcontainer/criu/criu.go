// Package criu has CRIU, criu(8), dump the processes of a container into files,
// and make them again from these. It knows processes, paths and descriptors;
// what of a container they are is for the caller to say:
//
//	Dump, Restore ── Request ──> rpc.CriuReq ── Server.Do ──> criu swrk
//
// The messages are those of go-criu, which are generated from CRIU's own
// definition of them. The conversation is not: go-criu starts criu by os/exec,
// so with neither a mount namespace nor a cgroup of its own, drops the
// descriptors that criu sends, and waits for ever.
package criu

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Options are what people may ask for, by the names of criu(8). Some are for a
// dump or a restore alone, and ignored by the other.
type Options struct {
	TCPEstablished bool   // connections are part of it
	TCPClose       bool   // restore: connections come back closed
	TCPSkip        bool   // dump: connections not yet accepted are left out
	ExtUnixSk      bool   // sockets of other processes may be connected to
	ShellJob       bool   // the terminal is the caller's
	FileLocks      bool   // locks are part of it
	LinkRemap      bool   // dump: files without a name get one
	AutoDedup      bool   // pages that a later dump has are punched out of the earlier ones
	LazyPages      bool   // memory follows when it is touched
	EmptyNetwork   bool   // the network namespace is, or comes back, empty
	CgroupsMode    string // of --manage-cgroups-mode; "" is soft
	ConfigFile     string // has the last word about everything, CRIU's configuration files; or ""

	LeaveRunning bool   // dump: the processes go on
	PreDump      bool   // dump: memory only, and the processes go on
	Parent       string // dump: directory of an earlier dump, relative to the images
	PageServer   string // dump: HOST:PORT that takes the memory, or serves it if LazyPages
	StatusFD     int    // descriptor of ours that is written to when lazy pages can be asked for; -1 for none

	LSMProfile      string // restore: TYPE:NAME instead of the profile at the dump
	LSMMountContext string // restore: SELinux context for mounts
}

// Mount is one whose content is not the container's.
type Mount struct {
	Destination string // absolute in the container, without links
	Source      string // restore: what is to be there
}

// Modes of --manage-cgroups-mode. "none" and "props" of criu(8) make no sense
// for a container, whose cgroup the runtime makes.
var modes = [...]struct {
	name string
	mode rpc.CriuCgMode
}{
	{"soft", rpc.CriuCgMode_SOFT},
	{"full", rpc.CriuCgMode_FULL},
	{"strict", rpc.CriuCgMode_STRICT},
	{"ignore", rpc.CriuCgMode_IGNORE},
}

// Check refuses values that criu would refuse later, or ignore.
func (o *Options) Check() error {
	if _, err := cgroupsMode(o.CgroupsMode); err != nil {
		return err
	}
	if strings.HasPrefix(o.Parent, "/") {
		return &diag.Error{Field: "--parent-path", Path: o.Parent, Err: errors.New("must be relative"), Hint: "to --image-path", Code: "usage"}
	}
	if _, _, err := splitServer(o.PageServer); err != nil {
		return err
	}
	if o.LazyPages && o.PreDump {
		return &diag.Error{Field: "--lazy-pages", Err: errors.New("a pre-dump leaves no pages for later"), Code: "usage"}
	}
	if kind, name, ok := strings.Cut(o.LSMProfile, ":"); o.LSMProfile != "" && (!ok || name == "" || kind != "apparmor" && kind != "selinux") {
		return &diag.Error{Field: "--lsm-profile", Path: o.LSMProfile, Err: errors.New("is not of the form TYPE:NAME"),
			Hint: "TYPE is apparmor or selinux", Code: "usage"}
	}
	return nil
}

func cgroupsMode(name string) (rpc.CriuCgMode, error) {
	if name == "" {
		return rpc.CriuCgMode_SOFT, nil
	}
	for _, m := range modes {
		if m.name == name {
			return m.mode, nil
		}
	}
	return 0, &diag.Error{Field: "--manage-cgroups-mode", Path: name, Err: errors.New("is none of soft, full, strict, ignore"), Code: "usage"}
}

// splitServer takes HOST:PORT apart; "" is no server.
func splitServer(s string) (host string, port int32, err error) {
	if s == "" {
		return "", 0, nil
	}
	i := strings.LastIndexByte(s, ':')
	number, parseErr := strconv.ParseUint(s[i+1:], 10, 16)
	if i <= 0 || parseErr != nil || number == 0 {
		return "", 0, &diag.Error{Field: "--page-server", Path: s, Err: errors.New("is not of the form ADDRESS:PORT"), Code: "usage"}
	}
	return strings.Trim(s[:i], "[]"), int32(number), nil
}

// Find looks criu up in PATH, or without one where systems have it: CRI-O
// gives its runtimes no PATH.
func Find() (string, error) {
	for _, dir := range strings.Split(searchPath(), ":") {
		if dir == "" || dir[0] != '/' {
			continue // never a program of the working directory, which is the bundle's
		}
		path := dir + "/criu"
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && unix.Access(path, unix.X_OK) == nil {
			return path, nil
		}
	}
	return "", &diag.Error{Op: "exec", Path: "criu", Err: errors.New("executable file not found in $PATH"),
		Hint: "CRIU, https://criu.org, is a package of most distributions", Code: "criu-missing"}
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func searchPath() string {
	if path := os.Getenv("PATH"); path != "" {
		return path
	}
	return defaultPath
}

// environment is the caller's. criu itself runs programs: tar, iptables-restore.
func environment() []string {
	env := os.Environ()
	if os.Getenv("PATH") == "" {
		env = append(slices.DeleteFunc(env, func(s string) bool { return strings.HasPrefix(s, "PATH=") }), "PATH="+defaultPath)
	}
	return env
}
