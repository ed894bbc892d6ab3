package rootfs

import "ociruntime/nsenter"

func (r *Rootfs) mapIDs(s *nsenter.Stage, m *mount, fd int) error { return nil }

func copyTree(from, to int) error { return nil }
