// Command notifier is a service that tells NOTIFY_SOCKET how it is, sd_notify(3),
// or what it likes. Each argument is something to do:
//
//	send=TEXT   send a message; \n and \x00 are as in Go
//	with=TEXT   send one that carries a descriptor
//	linger=PORT send some that carry the last of a socket that does not close for an hour
//	flood=N     send N messages of no use
//	replace     make the directory writable, and fill it with traps
//	say=TEXT    print a line
//	sleep       until it is killed
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	actions := map[string]func(string) error{
		"send": func(text string) error { return send(text, -1) }, "with": with, "linger": linger,
		"flood": flood, "replace": replace, "say": say, "sleep": sleep,
	}
	for _, arg := range os.Args[1:] {
		name, text, _ := strings.Cut(arg, "=")
		if err := actions[name](text); err != nil {
			fmt.Printf("%s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

func say(text string) error {
	_, err := fmt.Println(text)
	return err
}

func sleep(string) error { return unix.Pause() }

// send sends text, and fd if there is one, which is closed.
func send(text string, fd int) error {
	text, err := strconv.Unquote(`"` + text + `"`)
	if err != nil {
		return err
	}
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	var rights []byte
	if fd >= 0 {
		defer func() { go unix.Close(fd) }() // it may block, see linger
		rights = unix.UnixRights(fd)
	}
	err = unix.Sendmsg(socket, []byte(text), rights, &unix.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")}, unix.MSG_NOSIGNAL)
	if err == unix.EPIPE || err == unix.ECONNREFUSED {
		return nil // nobody listens any more
	}
	return err
}

func with(text string) error {
	fd, err := unix.Open("/", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return send(text, fd)
}

// linger sends TCP connections with data that the peer never reads: close(2) of
// the last descriptor waits for that, socket(7). Who receives them should be
// asleep when they are sent, to be the last.
func linger(port string) error {
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	for range 20 {
		fd, err := lingering(number)
		if err != nil {
			return err
		}
		for range 3 {
			if err := send("STATUS=", -1); err != nil {
				return err
			}
		}
		if err := send("STATUS=", fd); err != nil {
			return err
		}
	}
	return nil
}

func lingering(port int) (int, error) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.Connect(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}); err != nil {
		return -1, err
	}
	if err := unix.SetsockoptLinger(socket, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 3600}); err != nil {
		return -1, err
	}
	data := make([]byte, 1<<20)
	for err == nil {
		_, err = unix.SendmsgN(socket, data, nil, nil, unix.MSG_DONTWAIT)
	}
	return socket, nil
}

func flood(count string) error {
	n, err := strconv.Atoi(count)
	for range n {
		if err == nil {
			err = send("STATUS="+strings.Repeat("x", 3000), -1)
		}
	}
	return err
}

// replace is for a container with CAP_SYS_ADMIN.
func replace(string) error {
	const dir = "/run/notify"
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := os.Remove(dir + "/notify.sock"); err != nil {
		return err
	}
	if err := os.Symlink("/victim/secret", dir+"/notify.sock"); err != nil {
		return err
	}
	if err := os.MkdirAll(dir+"/deep/er", 0o700); err != nil {
		return err
	}
	for _, link := range []string{"/link", "/deep/link", "/deep/er/link"} {
		if err := os.Symlink(os.Getenv("VICTIM"), dir+link); err != nil {
			return err
		}
	}
	return unix.Mkfifo(dir+"/deep/fifo", 0o600)
}
