package rootfs

import (
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
	"ociruntime/nsenter"
)

// askCopyUp records that the parent fills the new tmpfs with what it is about
// to cover.
func (r *Rootfs) askCopyUp(m *mount, at place, mounted nsenter.FD) {
	p := r.p
	p.At(m.field)
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY, Resolve: noLinks}
	name := at.name
	if name == "" {
		name = "."
	}
	p.Into(r.step[0])
	from := p.Openat2(at.dir, name, how)
	p.Into(r.step[1])
	to := p.Openat2(mounted, ".", how)
	index := p.Word()
	p.Put(index, uint64(m.index))
	p.Send(syncCopyUp, index, from, to)
	p.Wait()
	p.Close(from)
	p.Close(to)
}

// copyUp is the parent's side.
func (r *Rootfs) copyUp(s *nsenter.Stage, e nsenter.Event) error {
	field := "mounts"
	if e.Value < uint64(len(r.mounts)) {
		field = r.mounts[e.Value].field
	}
	if len(e.Files) != 2 {
		return &diag.Error{Field: field, Op: "tmpcopyup", Err: unix.EBADF}
	}
	defer unix.Close(e.Files[0])
	defer unix.Close(e.Files[1])
	if err := copyTree(e.Files[0], e.Files[1]); err != nil {
		return &diag.Error{Field: field, Op: "tmpcopyup", Err: err}
	}
	return s.Reply([]byte{1})
}
