package nsenter

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// A stage that stopped stays until the parent hangs up, so that the parent can
// look at what it held: for words of explanation only.

// Word reads a word of the stage's arena.
func (s *Stage) Word(w Word) (uint64, error) {
	f, err := os.Open("/proc/" + strconv.Itoa(s.Pid) + "/mem")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var b [8]byte
	if _, err := f.ReadAt(b[:], int64(w)); err != nil {
		return 0, err
	}
	return quad(b[:]), nil
}

// File duplicates the stage's descriptor fd, close-on-exec. It fails with EBADF
// for one that the stage has not opened, or could not.
func (s *Stage) File(fd FD) (int, error) {
	n := fd.value
	if fd.word {
		var err error
		if n, err = s.Word(Word(fd.value)); err != nil {
			return -1, err
		}
	}
	if int32(n) <= 0 {
		return -1, unix.EBADF
	}
	return unix.PidfdGetfd(s.PidFD, int(int32(n)), 0)
}
