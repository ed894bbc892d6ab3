package rootfs

import "ociruntime/nsenter"

// tmpfsMode gives a tmpfs without the option mode= the mode of the directory it
// covers, as users of read-only images with a tmpfs on /tmp or /root expect; 1777, the
// kernel's choice, when there was none.
type tmpfsMode struct {
	r    *Rootfs
	word nsenter.Word // 0: the mode is given
	copy func(nsenter.FD)
}

func (r *Rootfs) ownMode(m *mount) tmpfsMode {
	if m.fstype != "tmpfs" {
		return tmpfsMode{}
	}
	for _, o := range m.data {
		if o.key == "mode" {
			return tmpfsMode{}
		}
	}
	t := tmpfsMode{r: r, word: r.p.Word()}
	r.p.Put(t.word, 0o1777)
	t.copy = func(fd nsenter.FD) {
		const emptyPath = 0x1000 // AT_EMPTY_PATH
		r.p.Store(r.p.Statx(fd, "", emptyPath).Mode(), t.word)
	}
	return t
}

func (t tmpfsMode) apply(mounted nsenter.FD) {
	if t.word != 0 {
		t.r.p.FchmodatWord(mounted, ".", t.word)
	}
}
