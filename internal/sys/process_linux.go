// Package sys holds the system calls and /proc files that Go's packages lack.
package sys

import (
	"bytes"
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// ProcessStat is what /proc/PID/stat says that cannot change or be forged:
// see proc_pid_stat(5).
type ProcessStat struct {
	State byte   // field 3: R, S, D, T, Z (dead, not yet waited for), X ...
	Start uint64 // field 22: clock ticks from boot to start
}

// Dead reports whether the process has ended, waited for or not.
func (s ProcessStat) Dead() bool { return s.State == 'Z' || s.State == 'X' || s.State == 'x' }

// Stat reads /proc/PID/stat. A process that is gone is ESRCH.
func Stat(pid int) (ProcessStat, error) {
	var buf [1024]byte
	text, err := ReadSmall("/proc/"+strconv.Itoa(pid)+"/stat", buf[:])
	if err == unix.ENOENT {
		err = unix.ESRCH
	}
	if err != nil {
		return ProcessStat{}, err
	}
	return parseStat(text)
}

// parseStat parses "PID (COMM) STATE ...": COMM may hold spaces and brackets,
// so the fields are counted from the last ")".
func parseStat(text []byte) (ProcessStat, error) {
	malformed := errors.New("malformed /proc/PID/stat")
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return ProcessStat{}, malformed
	}
	fields := bytes.Fields(text[end+1:])
	const state, start = 0, 22 - 3
	if len(fields) <= start || len(fields[state]) != 1 {
		return ProcessStat{}, malformed
	}
	ticks, err := strconv.ParseUint(string(fields[start]), 10, 64)
	if err != nil {
		return ProcessStat{}, malformed
	}
	return ProcessStat{State: fields[state][0], Start: ticks}, nil
}

// InnerPid is the pid that process pid has in its own pid namespace, NSpid in
// proc_pid_status(5).
func InnerPid(pid int) (int, error) {
	var buf [4096]byte
	text, err := ReadSmall("/proc/"+strconv.Itoa(pid)+"/status", buf[:])
	if err != nil {
		return 0, err
	}
	_, line, _ := bytes.Cut(text, []byte("\nNSpid:"))
	line, _, _ = bytes.Cut(line, []byte("\n"))
	all := bytes.Fields(line)
	if len(all) == 0 {
		return 0, errors.New("no NSpid in /proc/PID/status")
	}
	return strconv.Atoi(string(all[len(all)-1]))
}

// pidfs is the type of the file system of pidfds, linux/magic.h. Before Linux
// 6.9 they were anonymous inodes, all of them the same.
const pidfs = 0x50494446

// PidfdInode is the inode of a pidfd: on 64-bit kernels no other process of this
// boot has had or will have the same. 0 if the kernel does not tell.
func PidfdInode(pidfd int) uint64 {
	var fs unix.Statfs_t
	var st unix.Stat_t
	if unix.Fstatfs(pidfd, &fs) != nil || fs.Type != pidfs || unix.Fstat(pidfd, &st) != nil {
		return 0
	}
	return st.Ino
}

// PidfdEnded reports whether all threads of the process have ended.
func PidfdEnded(pidfd int) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 0)
	return err == nil && n > 0
}

// BootID identifies this boot of the kernel, random(4).
func BootID() (string, error) {
	var buf [64]byte
	text, err := ReadSmall("/proc/sys/kernel/random/boot_id", buf[:])
	return string(bytes.TrimSpace(text)), err
}

// ReadSmall reads a file that fits into buf with one read(2), as files of
// /proc and /sys do. The error is a bare errno.
func ReadSmall(path string, buf []byte) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}
