package criu

import (
	"errors"
	"strconv"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Names of the log, in the working directory; engines look for them there.
const (
	DumpLog    = "dump.log"
	RestoreLog = "restore.log"
)

// logLevel has criu say why it does not go on; it says much else, too.
const logLevel = 4

// Dirs are directories of ours, open.
type Dirs struct {
	Images int
	Work   int // where the log goes; -1: with the images
}

// Dump is what criu has to know to dump a tree of processes.
type Dump struct {
	Options
	Dirs
	Pid     int    // of its root
	Root    string // of its file system, on the host
	Freezer string // directory of the cgroup by which it is frozen, or ""
	Mounts  []Mount
	// External are parts that are not dumped, as criu names them: "net[INODE]:NAME"
	// or "file[MOUNT:INODE]".
	External []string
}

// Request is the message that asks for the dump.
func (d *Dump) Request() (*rpc.CriuReq, error) {
	o, err := d.Options.common(d.Dirs, DumpLog)
	if err != nil {
		return nil, err
	}
	o.Pid = ptr(int32(d.Pid))
	o.Root = ptr(d.Root)
	o.LeaveRunning = ptr(d.LeaveRunning)
	o.TcpSkipInFlight = ptr(d.TCPSkip)
	o.LinkRemap = ptr(d.LinkRemap)
	o.External = d.External
	if d.Freezer != "" {
		o.FreezeCgroup = ptr(d.Freezer)
	}
	if d.Parent != "" {
		o.ParentImg = ptr(d.Parent)
	}
	if d.PreDump || d.Parent != "" {
		o.TrackMem = ptr(true)
	}
	host, port, err := splitServer(d.PageServer)
	if err != nil {
		return nil, err
	}
	if port != 0 {
		o.Ps = &rpc.CriuPageServerInfo{Address: ptr(host), Port: ptr(port)}
	}
	if d.StatusFD >= 0 {
		o.StatusFd = ptr(int32(d.StatusFD))
	}
	if d.PreDump {
		return &rpc.CriuReq{Type: rpc.CriuReqType_PRE_DUMP.Enum(), Opts: o}, nil
	}
	for _, m := range d.Mounts {
		o.ExtMnt = append(o.ExtMnt, &rpc.ExtMountMap{Key: ptr(m.Destination), Val: ptr(m.Destination)})
	}
	return &rpc.CriuReq{Type: rpc.CriuReqType_DUMP.Enum(), Opts: o}, nil
}

// Restore is what criu has to know to make a tree of processes from a dump.
type Restore struct {
	Options
	Dirs
	Root    string // a mount point, which becomes the root of the mount namespace
	Mounts  []Mount
	Cgroups []CgroupRoot
	Inherit []Inherited
	Joined  []Namespace
}

// CgroupRoot is where the cgroup of the root process is to be now.
type CgroupRoot struct {
	Controller string // of a v1 hierarchy; "" is for all others
	Path       string // as in /proc/PID/cgroup
}

// Inherited is an open file or a namespace that takes the place of one that was
// not dumped.
type Inherited struct {
	Key string // criu's name for it, as in Dump.External
	FD  int    // of ours; see Server.Keep
}

// Namespace is one that exists already.
type Namespace struct{ Type, Path string } // e.g. "ipc"

// Request is the message that asks for the restore. The root process becomes a
// child of the calling process, as criu is one.
func (r *Restore) Request(s *Server) (*rpc.CriuReq, error) {
	o, err := r.Options.common(r.Dirs, RestoreLog)
	if err != nil {
		return nil, err
	}
	o.RstSibling = ptr(true)
	o.EvasiveDevices = ptr(true)
	o.Root = ptr(r.Root)
	o.TcpClose = ptr(r.TCPClose)
	if r.LSMProfile != "" {
		o.LsmProfile = ptr(r.LSMProfile)
	}
	if r.LSMMountContext != "" {
		o.LsmMountContext = ptr(r.LSMMountContext)
	}
	for _, m := range r.Mounts {
		o.ExtMnt = append(o.ExtMnt, &rpc.ExtMountMap{Key: ptr(m.Destination), Val: ptr(m.Source)})
	}
	for _, c := range r.Cgroups {
		root := &rpc.CgroupRoot{Path: ptr(c.Path)}
		if c.Controller != "" {
			root.Ctrl = ptr(c.Controller)
		}
		o.CgRoot = append(o.CgRoot, root)
	}
	for _, f := range r.Inherit {
		o.InheritFd = append(o.InheritFd, &rpc.InheritFd{Key: ptr(f.Key), Fd: ptr(int32(s.number(f.FD)))})
	}
	for _, n := range r.Joined {
		o.JoinNs = append(o.JoinNs, &rpc.JoinNamespace{Ns: ptr(n.Type), NsFile: ptr(n.Path)})
	}
	return &rpc.CriuReq{Type: rpc.CriuReqType_RESTORE.Enum(), Opts: o}, nil
}

// common is what dump and restore share.
func (o *Options) common(dirs Dirs, log string) (*rpc.CriuOpts, error) {
	mode, err := cgroupsMode(o.CgroupsMode)
	if err != nil {
		return nil, err
	}
	opts := &rpc.CriuOpts{
		ImagesDirFd:       ptr(int32(dirs.Images)),
		LogLevel:          ptr(int32(logLevel)),
		LogFile:           ptr(log),
		NotifyScripts:     ptr(true),
		ManageCgroups:     ptr(true),
		ManageCgroupsMode: mode.Enum(),
		OrphanPtsMaster:   ptr(true),
		TcpEstablished:    ptr(o.TCPEstablished),
		ExtUnixSk:         ptr(o.ExtUnixSk),
		ShellJob:          ptr(o.ShellJob),
		FileLocks:         ptr(o.FileLocks),
		AutoDedup:         ptr(o.AutoDedup),
		LazyPages:         ptr(o.LazyPages),
	}
	if dirs.Work >= 0 {
		opts.WorkDirFd = ptr(int32(dirs.Work))
	}
	if o.EmptyNetwork {
		opts.EmptyNs = ptr(uint32(unix.CLONE_NEWNET))
	}
	if o.ConfigFile != "" {
		opts.ConfigFile = ptr(o.ConfigFile)
	}
	return opts, nil
}

func ptr[T any](v T) *T { return &v }

// Version of a criu, ordered as a number: 3.17.1 is 31701.
type Version int

// String is the version as people know it.
func (v Version) String() string {
	s := strconv.Itoa(int(v)/10000) + "." + strconv.Itoa(int(v)/100%100)
	if sub := int(v) % 100; sub > 0 {
		s += "." + strconv.Itoa(sub)
	}
	return s
}

// oldest that the runtime works with.
const oldest Version = 30000

// Need is an error unless the server's criu is at least version v, the first
// that has what: older ones ignore what they do not know.
func (s *Server) Need(v Version, what string) error {
	if s.Version >= v {
		return nil
	}
	return &diag.Error{Op: "criu", Path: s.path, Err: errors.New("version " + s.Version.String() + " is too old"),
		Hint: what + " needs " + v.String(), Code: "criu-too-old"}
}
