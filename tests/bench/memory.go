package main

import (
	"os"
	"path/filepath"
)

// Bounds of the search for the lowest memory limit, and its grain, in KiB.
const (
	highestLimit = 16384
	limitGrain   = 32
	limitTries   = 3 // a limit counts as enough when this many runs in a row work
)

// scenarioMemory bisects for the lowest linux.resources.memory.limit with which a
// program that ends at once runs: what the runtime's own part in the container costs.
func (w *worker) scenarioMemory(c Case) error {
	if !w.hasMemory() {
		return nil // another hierarchy than this view's holds the controller
	}
	for _, rt := range w.runtimes() {
		if rt.Floor {
			continue // it has no limits
		}
		low, high := int64(0), int64(highestLimit/limitGrain) // low fails, high works
		works, err := w.runsWithin(c, rt, high*limitGrain)
		if err != nil {
			return err
		}
		if !works {
			w.fact(rt, "no run works with a memory limit of", highestLimit, "KiB")
			continue
		}
		for high-low > 1 {
			if w.stopped.Load() {
				return errStopped
			}
			middle := (low + high) / 2
			if works, err = w.runsWithin(c, rt, middle*limitGrain); err != nil {
				return err
			}
			if works {
				high = middle
			} else {
				low = middle
			}
		}
		w.fact(rt, "lowest memory limit that runs", float64(high*limitGrain), "KiB")
	}
	return nil
}

func (w *worker) runsWithin(c Case, rt Runtime, limitKiB int64) (bool, error) {
	h, err := w.container(c, rt, "-memory", greeter, limitKiB<<10)
	if err != nil {
		return false, err
	}
	for range limitTries {
		if _, _, err := w.do(h, "run", 0); err != nil {
			h.destroy(w.launch)
			return false, nil
		}
	}
	return true, nil
}

func (w *worker) hasMemory() bool {
	for _, path := range w.cgroups {
		for _, file := range []string{"memory.limit_in_bytes", "memory.max"} {
			if _, err := os.Stat(filepath.Join(path, file)); err == nil {
				return true
			}
		}
	}
	return false
}
