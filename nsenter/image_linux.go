package nsenter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// The image is an ELF executable of three segments and nothing else:
//
//	file offset 0      ELF header, program headers, the replay loop   R-X
//	page 1             the ops                                        R--
//	after the ops      the arena                                      RW-
//	after the arena    the notes, not mapped
//
// Only arena pages that the stage writes to become memory of its own.
const (
	page       = imagePage
	headerSize = 64
	phdrSize   = 56
	phdrs      = 4
	textOffset = headerSize + phdrs*phdrSize
)

// endMark follows the replay loop in stage_*.s.
var endMark = [16]byte{'t', 'a', 'g', 'e', '-', 'e', 'n', 'd', '.', '.', '.', '.', '.', '.', '.', '\n'}

func stageText() unsafe.Pointer

// loop returns the machine code of the stage.
func loop() ([]byte, error) {
	const most = 2048
	text := unsafe.Slice((*byte)(stageText()), most)
	n := bytes.Index(text, endMark[:])
	if n < 0 {
		return nil, errors.New("bug: the stage has no end mark")
	}
	return text[:n], nil
}

// head returns the first page: headers and the replay loop.
func head(opsSize, arenaSize int) ([]byte, error) {
	text, err := loop()
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, textOffset+len(text))
	b = append(b, 0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = le(b, 2, 2)                   // ET_EXEC
	b = le(b, 2, elfMachine)          //
	b = le(b, 4, 1)                   // EV_CURRENT
	b = le(b, 8, textBase+textOffset) // entry point
	b = le(b, 8, headerSize)          // program headers follow
	b = le(b, 8, 0)                   // no sections
	b = le(b, 4, 0)                   // flags
	b = le(b, 2, headerSize, phdrSize, phdrs, 0, 0, 0)
	ops := uint64(roundUp(opsSize))
	b = phdr(b, 1, 5, 0, textBase, uint64(textOffset+len(text)))
	b = phdr(b, 1, 4, page, opsBase, uint64(opsSize))
	b = phdr(b, 1, 6, page+ops, arenaBase, uint64(arenaSize))
	b = phdr(b, 0x6474e551, 6, 0, 0, 0) // PT_GNU_STACK: not executable
	return append(b, text...), nil
}

func phdr(b []byte, kind, flags, offset, addr, size uint64) []byte {
	b = le(b, 4, kind, flags)
	return le(b, 8, offset, addr, addr, size, size, page)
}

// le appends values of size bytes each, little endian.
func le(b []byte, size int, values ...uint64) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, v)[:len(b)+size]
	}
	return b
}

func roundUp(n int) int { return (n + page - 1) &^ (page - 1) }

// write puts the image of p into file.
func (p *Program) write(file int) error {
	opsBytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(p.ops))), len(p.ops)*opSize)
	first, err := head(len(opsBytes), len(p.arena))
	if err != nil {
		return err
	}
	pad := make([]byte, page)
	iov := [][]byte{first, pad[len(first):], opsBytes, pad[:roundUp(len(opsBytes))-len(opsBytes)], p.arena, p.encodeNotes()}
	total := 0
	for _, v := range iov {
		total += len(v)
	}
	n, err := unix.Writev(file, iov)
	if err == nil && n != total {
		err = unix.ENOSPC
	}
	return err
}

// stageName is the stage's comm and the name of its image in /proc/PID/exe.
const stageName = "runtime:stage"

// image writes the image to a new file that nobody can change, and returns a
// descriptor and what to append to its path in /proc to execute it.
//
// The file is on a tmpfs that is mounted nowhere and read only. Mounting takes
// CAP_SYS_ADMIN; without it the file is a sealed memfd, which security
// monitors are wary of (falcosecurity/rules#266) and which has no name.
func (p *Program) image() (fd int, name string, err error) {
	name = "/" + stageName
	fd, err = p.imageMount()
	if err == unix.EPERM || err == unix.ENOSYS { // before Linux 5.12 the mount cannot become read-only
		name = ""
		fd, err = p.imageMemfd()
	}
	if err != nil {
		return -1, "", &diag.Error{Op: "make the stage's image", Err: err}
	}
	return fd, name, nil
}

// clearOf returns fd, or a duplicate instead of it, at a number that the child
// of syscall.ForkExec does not overwrite before it executes by that number.
// The child parks its own pipe and files behind the highest of files, and then
// duplicates them to 0, 1, 2 ...
func clearOf(fd int, files []uintptr) (int, error) {
	highest := len(files)
	for _, f := range files {
		highest = max(highest, int(f))
	}
	parked := highest + 2 + len(files)
	if fd >= len(files) && fd <= highest || fd > parked {
		return fd, nil
	}
	defer unix.Close(fd)
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, parked+1)
	if err == unix.EINVAL { // the number is beyond RLIMIT_NOFILE, fcntl(2)
		err = unix.EMFILE
	}
	if err != nil {
		return -1, &diag.Error{Op: "make the stage's image", Err: err}
	}
	return high, nil
}

func (p *Program) imageMount() (dir int, err error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	dir, err = unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOSUID)
	if err != nil {
		return -1, err
	}
	f, err := unix.Openat(dir, stageName, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o500)
	if err == nil {
		err = p.write(f)
		if err == nil {
			err = unix.Fchmod(f, 0o500) // the caller's umask may have taken the x bit
		}
		unix.Close(f)
	}
	if err == nil {
		err = unix.MountSetattr(dir, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	}
	if err != nil {
		unix.Close(dir)
		return -1, err
	}
	return dir, nil
}

func (p *Program) imageMemfd() (int, error) {
	const executable = 0x10 // MFD_EXEC, Linux 6.3: see vm.memfd_noexec
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	f, err := unix.MemfdCreate(stageName, flags|executable)
	if err == unix.EINVAL {
		f, err = unix.MemfdCreate(stageName, flags)
	}
	if err != nil {
		return -1, err
	}
	if err = p.write(f); err == nil {
		_, err = unix.FcntlInt(uintptr(f), unix.F_ADD_SEALS,
			unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		unix.Close(f)
		return -1, err
	}
	return f, nil
}

// IsImage reports whether exe, the target of /proc/PID/exe, is the image of a
// stage.
func IsImage(exe string) bool {
	return exe == "/"+stageName || exe == "/memfd:"+stageName+" (deleted)"
}

// IsName reports whether comm, as read from /proc/PID/comm, is the stage's.
func IsName(comm string) bool { return strings.TrimSuffix(comm, "\n") == stageName }
