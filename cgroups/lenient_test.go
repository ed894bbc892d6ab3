package cgroups

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// asNobody runs f with the effective user of a caller without rights.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	must(t, syscall.Setresuid(-1, 65534, -1))
	defer func() { must(t, syscall.Setresuid(-1, 0, -1)) }()
	f()
}

func testLenient(t *testing.T) {
	h, err := Detect()
	must(t, err)
	defer h.Close()
	devices := []specs.LinuxDeviceCgroup{denyAll}
	asNobody(t, func() {
		strict, err := h.New("rootless", "", Options{})
		must(t, err)
		defer strict.Close()
		if err := strict.Create(nil); !errors.Is(err, ErrNotDelegated) || !errors.Is(err, syscall.EACCES) || !strings.Contains(err.Error(), "belongs to uid 0, we are uid 65534") {
			t.Errorf("without rights: %v", err)
		}
		lenient, err := h.New("rootless", "", Options{Lenient: true})
		must(t, err)
		defer lenient.Close()
		if err := lenient.Create(&specs.LinuxResources{Devices: devices}); err != nil {
			t.Errorf("lenient, without limits: %v", err)
		}
		if l := lenient.Location(); len(l.Places) != 0 {
			t.Errorf("lenient, without limits: uses %v", l.Places)
		}
		if err := lenient.Kill(second); !errors.Is(err, ErrNoCgroup) {
			t.Errorf("kill of a container without cgroup: %v", err)
		}
		free := &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(-1))}, Memory: &specs.LinuxMemory{Limit: ptr(int64(-1)), Swap: ptr(int64(-1))}}
		if err := lenient.Create(free); err != nil {
			t.Errorf("lenient, without limits that matter: %v", err)
		}
		limited, err := h.New("rootless", "", Options{Lenient: true})
		must(t, err)
		defer limited.Close()
		if err := limited.Create(&specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(5))}}); !errors.Is(err, ErrNotDelegated) {
			t.Errorf("lenient, with a limit: %v", err)
		}
	})
}
