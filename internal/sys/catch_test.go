package sys

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestCatch runs in a process of its own, as Catch is for life.
func TestCatch(t *testing.T) {
	if os.Getenv("TEST_CATCH") == "" {
		cmd := exec.Command("/bin/sh", "-c", `trap "" HUP; exec "$0" -test.run=TestCatch -test.v`, os.Args[0])
		cmd.Env = append(os.Environ(), "TEST_CATCH=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	fd, err := Catch()
	if err != nil {
		t.Fatal(err)
	}
	churn() // with stacks that move and threads that come and go
	for _, s := range []unix.Signal{unix.SIGTERM, unix.SIGWINCH, unix.SIGUSR1, 34, 64} {
		if err := unix.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		if got := next(t, fd); got != s {
			t.Errorf("got %v, want %v", got, s)
		}
	}
	if err := unix.Kill(os.Getpid(), unix.SIGHUP); err != nil { // ignored by our parent
		t.Fatal(err)
	}
	if err := unix.Kill(os.Getpid(), unix.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	if got := next(t, fd); got != unix.SIGUSR2 {
		t.Errorf("an ignored signal was caught: %v", got)
	}
}

func churn() {
	for range 50 {
		go func() {
			var deep func(int) int
			deep = func(n int) int {
				if n == 0 {
					return 0
				}
				return deep(n-1) + 1
			}
			for {
				deep(1000)
			}
		}()
	}
}

func next(t *testing.T, fd int) unix.Signal {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		var b [1]byte
		if n, _ := unix.Read(fd, b[:]); n == 1 {
			return unix.Signal(b[0])
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 100)
	}
	t.Fatal("no signal arrived")
	return 0
}
