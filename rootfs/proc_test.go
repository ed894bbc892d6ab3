package rootfs

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// writeSysctl stands for what others do with Proc.
func writeSysctl(r *Rootfs, p *nsenter.Program, key string) {
	proc := r.Proc(p)
	p.At(`linux.sysctl["` + key + `"]`)
	how := unix.OpenHow{Flags: unix.O_WRONLY, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV}
	p.Write(p.Openat2(proc, "sys/"+strings.ReplaceAll(key, ".", "/"), how), "1")
	p.Close(proc)
}

// With and without a mount on /proc, Proc is a procfs of the container.
func TestProc(t *testing.T) {
	for _, mounts := range []int{0, 1} {
		c := tiny(t, "mount -t proc proc /proc; cat /proc/sys/net/ipv4/ip_forward")
		c.in.Config.Mounts = c.in.Config.Mounts[1-mounts:]
		c.in.Config.Linux = &specs.Linux{ReadonlyPaths: []string{"/proc/sys"}}
		c.sysctl = "net.ipv4.ip_forward"
		c.want(t, "1")
	}
}

func TestNoSuchSysctl(t *testing.T) {
	for key, want := range map[string]string{
		"net.ipv4.ip_forwardd": `linux.sysctl["net.ipv4.ip_forwardd"]: no such sysctl (did you mean "net.ipv4.ip_forward"?)`,
		"net.ipv5.ip_forward":  `linux.sysctl["net.ipv5.ip_forward"]: no such sysctl`,
	} {
		c := tiny(t, "")
		c.sysctl = key
		c.refused(t, want)
	}
}
