package criu

import (
	"slices"
	"strings"
	"testing"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name    string
		options Options
		want    string // part of the error; "" for none
	}{
		{"zero", Options{}, ""},
		{"modes", Options{CgroupsMode: "strict"}, ""},
		{"mode", Options{CgroupsMode: "props"}, `--manage-cgroups-mode: "props": is none of`},
		{"parent", Options{Parent: "../first"}, ""},
		{"absolute parent", Options{Parent: "/first"}, `--parent-path: "/first": must be relative`},
		{"server", Options{PageServer: "[::1]:9999"}, ""},
		{"server without port", Options{PageServer: "host"}, "--page-server"},
		{"server without host", Options{PageServer: ":99"}, "--page-server"},
		{"server with a large port", Options{PageServer: "host:65536"}, "--page-server"},
		{"server with port 0", Options{PageServer: "host:0"}, "--page-server"},
		{"lazy pre-dump", Options{LazyPages: true, PreDump: true}, "--lazy-pages"},
		{"profile", Options{LSMProfile: "apparmor:web"}, ""},
		{"selinux", Options{LSMProfile: "selinux:system_u:system_r:container_t:s0:c1,c2"}, ""},
		{"profile without type", Options{LSMProfile: "web"}, "--lsm-profile"},
		{"profile of another type", Options{LSMProfile: "smack:web"}, "--lsm-profile"},
		{"profile without name", Options{LSMProfile: "apparmor:"}, "--lsm-profile"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.options.Check()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestDumpRequest: every option arrives, by what go-criu makes of the message.
func TestDumpRequest(t *testing.T) {
	d := Dump{
		Options: Options{
			TCPEstablished: true, TCPSkip: true, ExtUnixSk: true, ShellJob: true, FileLocks: true, LinkRemap: true, AutoDedup: true,
			LazyPages: true, EmptyNetwork: true, CgroupsMode: "full", ConfigFile: "/etc/c.conf", LeaveRunning: true, Parent: "../p",
			PageServer: "[::1]:99", StatusFD: 7,
		},
		Dirs: Dirs{Images: 3, Work: 4}, Pid: 42, Root: "/r", Freezer: "/f",
		Mounts: []Mount{{Destination: "/data"}}, External: []string{"net[1]:extRootNetNS"},
	}
	request, err := d.Request()
	if err != nil {
		t.Fatal(err)
	}
	o := sent(t, request, rpc.CriuReqType_DUMP).GetOpts()
	for name, ok := range map[string]bool{
		"dirs": o.GetImagesDirFd() == 3 && o.GetWorkDirFd() == 4, "pid": o.GetPid() == 42, "root": o.GetRoot() == "/r",
		"tcp": o.GetTcpEstablished() && o.GetTcpSkipInFlight(), "unix": o.GetExtUnixSk(), "job": o.GetShellJob(), "locks": o.GetFileLocks(),
		"remap": o.GetLinkRemap(), "dedup": o.GetAutoDedup(), "lazy": o.GetLazyPages(), "empty": o.GetEmptyNs() == unix.CLONE_NEWNET,
		"mode": o.GetManageCgroups() && o.GetManageCgroupsMode() == rpc.CriuCgMode_FULL, "config": o.GetConfigFile() == "/etc/c.conf",
		"running": o.GetLeaveRunning(), "parent": o.GetParentImg() == "../p" && o.GetTrackMem(),
		"server": o.GetPs().GetAddress() == "::1" && o.GetPs().GetPort() == 99, "status": o.GetStatusFd() == 7,
		"freezer": o.GetFreezeCgroup() == "/f", "external": slices.Equal(o.GetExternal(), d.External),
		"mounts": len(o.GetExtMnt()) == 1 && o.GetExtMnt()[0].GetKey() == "/data", "notify": o.GetNotifyScripts(),
		"log": o.GetLogFile() == "dump.log" && o.GetLogLevel() == 4, "pty": o.GetOrphanPtsMaster(),
	} {
		if !ok {
			t.Errorf("%s: %v", name, o)
		}
	}
}

func TestPreDumpRequest(t *testing.T) {
	d := Dump{Options: Options{PreDump: true, StatusFD: -1}, Dirs: Dirs{Images: 3, Work: -1}, Pid: 42, Mounts: []Mount{{Destination: "/data"}}}
	request, err := d.Request()
	if err != nil {
		t.Fatal(err)
	}
	o := sent(t, request, rpc.CriuReqType_PRE_DUMP).GetOpts()
	if !o.GetTrackMem() || o.WorkDirFd != nil || o.StatusFd != nil || o.Ps != nil || o.FreezeCgroup != nil || o.GetManageCgroupsMode() != rpc.CriuCgMode_SOFT {
		t.Errorf("%v", o)
	}
}

func TestRestoreRequest(t *testing.T) {
	s := &Server{}
	s.Keep(11)
	s.Keep(5)
	r := Restore{
		Options: Options{TCPClose: true, LSMProfile: "apparmor:web", LSMMountContext: "ctx"}, Dirs: Dirs{Images: 3, Work: -1}, Root: "/run/x/root",
		Mounts:  []Mount{{Destination: "/data", Source: "/srv"}},
		Cgroups: []CgroupRoot{{Path: "/new"}, {Controller: "cpu", Path: "/other"}},
		Inherit: []Inherited{{Key: "pipe:[7]", FD: 5}}, Joined: []Namespace{{Type: "ipc", Path: "/proc/1/ns/ipc"}},
	}
	request, err := r.Request(s)
	if err != nil {
		t.Fatal(err)
	}
	o := sent(t, request, rpc.CriuReqType_RESTORE).GetOpts()
	roots := o.GetCgRoot()
	for name, ok := range map[string]bool{
		"sibling": o.GetRstSibling(), "root": o.GetRoot() == "/run/x/root", "close": o.GetTcpClose(), "lsm": o.GetLsmProfile() == "apparmor:web",
		"context": o.GetLsmMountContext() == "ctx", "mounts": o.GetExtMnt()[0].GetKey() == "/data" && o.GetExtMnt()[0].GetVal() == "/srv",
		"cgroups": len(roots) == 2 && roots[0].Ctrl == nil && roots[0].GetPath() == "/new" && roots[1].GetCtrl() == "cpu",
		"inherit": o.GetInheritFd()[0].GetKey() == "pipe:[7]" && o.GetInheritFd()[0].GetFd() == firstFile+2,
		"joined":  o.GetJoinNs()[0].GetNs() == "ipc" && o.GetJoinNs()[0].GetNsFile() == "/proc/1/ns/ipc", "log": o.GetLogFile() == "restore.log",
	} {
		if !ok {
			t.Errorf("%s: %v", name, o)
		}
	}
}

// sent is the request after its way over the wire.
func sent(t *testing.T, request *rpc.CriuReq, kind rpc.CriuReqType) *rpc.CriuReq {
	t.Helper()
	data, err := request.MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	received := &rpc.CriuReq{}
	if err := received.UnmarshalVT(data); err != nil {
		t.Fatal(err)
	}
	if received.GetType() != kind {
		t.Errorf("type %v, want %v", received.GetType(), kind)
	}
	return received
}

func TestErrors(t *testing.T) {
	const mark = "(00.010000) Error (criu/x.c:1): "
	for _, c := range []struct {
		name, log string
		want      []string
	}{
		{"none", "(00.01) fine\n", nil},
		{"one", "(00.01) fine\n(00.02)     42: Error (criu/a.c:1): broken\n", []string{"Error (criu/a.c:1): broken"}},
		{"first and last", mark + "a\n" + mark + "b\n" + mark + "c\n(00.02) x\n" + mark + "d\n",
			[]string{"Error (criu/x.c:1): a", "Error (criu/x.c:1): c", "Error (criu/x.c:1): d"}},
		{"no end of line, zeros", mark + "a\x00\x00", []string{"Error (criu/x.c:1): a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Errors(c.log); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	for v, want := range map[Version]string{31701: "3.17.1", 40000: "4.0", 31100: "3.11"} {
		if v.String() != want {
			t.Errorf("%d: got %s, want %s", int(v), v, want)
		}
	}
}
