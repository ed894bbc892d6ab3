package sys

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ProgLoad loads an eBPF program, bpf(2) BPF_PROG_LOAD, and returns its
// descriptor (close-on-exec, as all of bpf(2)'s are). Code is an array of
// struct bpf_insn in the machine's byte order. Log, when not nil, receives the
// verifier's words as a C string.
func ProgLoad(progType, attachType uint32, code []byte, license, name string, log []byte) (int, error) {
	terminated := append([]byte(license), 0)
	var pins runtime.Pinner
	defer pins.Unpin()
	attr := struct {
		progType, insnCount   uint32
		insns, license        uint64
		logLevel, logSize     uint32
		logBuf                uint64
		kernVersion, flags    uint32
		name                  [16]byte
		ifindex, expectedType uint32
	}{
		progType:     progType,
		insnCount:    uint32(len(code) / 8),
		insns:        address(&pins, code),
		license:      address(&pins, terminated),
		expectedType: attachType,
	}
	copy(attr.name[:15], name)
	if len(log) > 0 {
		attr.logLevel, attr.logSize, attr.logBuf = 1, uint32(len(log)), address(&pins, log)
	}
	for try := 0; ; try++ { // the verifier gives up with EAGAIN when a signal comes, and Go preempts with signals
		fd, err := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
		if err != unix.EAGAIN || try == 100 {
			return fd, err
		}
	}
}

// ProgAttach attaches a program to the cgroup directory target, bpf(2)
// BPF_PROG_ATTACH. With unix.BPF_F_REPLACE in flags, replace is the attached
// program that it takes the place of (Linux 5.6).
func ProgAttach(target, prog int, attachType, flags uint32, replace int) error {
	attr := struct{ target, prog, attachType, flags, replace uint32 }{
		uint32(target), uint32(prog), attachType, flags, uint32(max(replace, 0))}
	_, err := bpf(unix.BPF_PROG_ATTACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	return err
}

// ProgDetach undoes ProgAttach.
func ProgDetach(target, prog int, attachType uint32) error {
	attr := struct{ target, prog, attachType, flags uint32 }{uint32(target), uint32(prog), attachType, 0}
	_, err := bpf(unix.BPF_PROG_DETACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	return err
}

// ProgQuery returns the ids of the programs attached to the cgroup directory
// target itself, bpf(2) BPF_PROG_QUERY. More than 64 are an error (ENOSPC), as
// the kernel attaches no more to one cgroup.
func ProgQuery(target int, attachType uint32) ([]uint32, error) {
	ids := make([]uint32, 64)
	var pins runtime.Pinner
	defer pins.Unpin()
	pins.Pin(&ids[0])
	attr := struct {
		target, attachType, queryFlags, attachFlags uint32
		ids                                         uint64
		count, _                                    uint32
	}{target: uint32(target), attachType: attachType, ids: uint64(uintptr(unsafe.Pointer(&ids[0]))), count: uint32(len(ids))}
	_, err := bpf(unix.BPF_PROG_QUERY, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err != nil {
		return nil, err
	}
	return ids[:attr.count], nil
}

// ProgByID opens a loaded program, bpf(2) BPF_PROG_GET_FD_BY_ID. A program that
// has gone in the meantime is ENOENT.
func ProgByID(id uint32) (int, error) {
	attr := struct{ id, next, flags uint32 }{id: id}
	return bpf(unix.BPF_PROG_GET_FD_BY_ID, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
}

// ProgName returns the name that a program was loaded with, bpf(2)
// BPF_OBJ_GET_INFO_BY_FD. It is in struct bpf_prog_info behind 64 bytes (Linux 4.15).
func ProgName(prog int) (string, error) {
	info := make([]byte, 80)
	var pins runtime.Pinner
	defer pins.Unpin()
	attr := struct {
		prog, size uint32
		info       uint64
	}{uint32(prog), uint32(len(info)), address(&pins, info)}
	if _, err := bpf(unix.BPF_OBJ_GET_INFO_BY_FD, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		return "", err
	}
	return unix.ByteSliceToString(info[64:]), nil
}

func bpf(cmd int, attr unsafe.Pointer, size uintptr) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(cmd), uintptr(attr), size)
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

// address pins b, so that it neither moves nor is freed while the kernel reads
// it, and returns where it is; the stack of a goroutine may move at any call.
func address(pins *runtime.Pinner, b []byte) uint64 {
	if len(b) == 0 {
		return 0
	}
	pins.Pin(&b[0])
	return uint64(uintptr(unsafe.Pointer(&b[0])))
}
