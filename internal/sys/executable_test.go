package sys

import (
	"os"
	"os/exec"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Both kinds run, and neither can be written to.
func TestExecutable(t *testing.T) {
	program, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Skip(err)
	}
	kinds := map[string]func(name, content string) (Executable, error){
		"as this user may": NewExecutable,
		"memfd": func(name, content string) (Executable, error) {
			fd, err := executableMemfd(name, content)
			return Executable{"/proc/self/fd/" + strconv.Itoa(fd), fd}, err
		},
	}
	for kind, create := range kinds {
		t.Run(kind, func(t *testing.T) {
			e, err := create("test-program", string(program))
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			path := "/proc/" + strconv.Itoa(os.Getpid()) + e.Path[len("/proc/self"):] // os/exec's child is another process
			if err := exec.Command(path).Run(); err != nil {
				t.Error(err)
			}
			fd, err := unix.Open(e.Path, unix.O_RDWR, 0)
			if err != nil {
				return
			}
			defer unix.Close(fd)
			if _, err := unix.Write(fd, []byte("#!")); err == nil {
				t.Error("it can be changed")
			}
		})
	}
}
