package cgroups

import (
	"os"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// BenchmarkLife is what one container costs on this host: find, make with the
// rules of the default config, open for joining, remove.
func BenchmarkLife(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("needs root")
	}
	r := &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{denyAll}}
	var detect, create, join, remove time.Duration
	for b.Loop() {
		t0 := time.Now()
		h, err := Detect()
		if err != nil {
			b.Fatal(err)
		}
		g, err := h.New("bench", testDir(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		t1 := time.Now()
		if err := g.Create(r); err != nil {
			b.Fatal(err)
		}
		t2 := time.Now()
		j, err := g.Join()
		if err != nil {
			b.Fatal(err)
		}
		t3 := time.Now()
		j.Close()
		h.Close()
		t4 := time.Now()
		if err := g.Remove(time.Second); err != nil {
			b.Fatal(err)
		}
		t5 := time.Now()
		g.Close()
		detect, create, join, remove = detect+t1.Sub(t0), create+t2.Sub(t1), join+t3.Sub(t2), remove+t5.Sub(t4)
	}
	for name, d := range map[string]time.Duration{"detect-µs": detect, "create-µs": create, "join-µs": join, "remove-µs": remove} {
		b.ReportMetric(float64(d.Microseconds())/float64(b.N), name)
	}
}
