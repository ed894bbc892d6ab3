package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// worker measures the cases of one Place from within its own mount namespace.
type worker struct {
	job      Job
	dir      string // of this worker, below job.Scratch
	launch   *launcher
	cgroups  []string // the parent cgroup in each hierarchy
	mounts   int      // what the namespace has
	view     string   // the floor's VIEW argument
	v1       int      // number of v1 hierarchies
	random   *rand.Rand
	stopped  atomic.Bool
	result   *CaseResult           // of the running case
	excluded map[string]struct{}   // runtimes that failed in the running case
	handles  map[string]*container // of the running case, by id
}

var errStopped = errors.New("interrupted")

// workerMain is the entry of the re-executed program: Job on stdin, CaseResults on stdout.
// It was started with a private mount namespace.
func workerMain() error {
	runtime.LockOSThread()
	debug.SetGCPercent(-1) // collect between cases, never while a command runs
	var job Job
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		return fmt.Errorf("job: %w", err)
	}
	w := &worker{job: job, random: rand.New(rand.NewPCG(job.Seed, 0))}
	defer w.close()
	if err := w.setup(); err != nil {
		return err
	}
	return w.cases(json.NewEncoder(os.Stdout))
}

func (w *worker) setup() error {
	w.watchSignals()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := enterView(w.job.View); err != nil {
		return err
	}
	w.dir = filepath.Join(w.job.Scratch, fmt.Sprintf("%s-%d", w.job.View, w.job.Mounts))
	state := filepath.Join(w.dir, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return err
	}
	// State directories are on a tmpfs, as /run is on most hosts.
	if err := unix.Mount("ocibench", state, "tmpfs", 0, "mode=0700"); err != nil {
		return err
	}
	if err := makeRootfs(w.dir); err != nil {
		return err
	}
	var err error
	if w.cgroups, err = makeParentCgroup(w.job.Cgroup); err != nil {
		return fmt.Errorf("parent cgroup: %w", err)
	}
	if err := w.describeView(); err != nil {
		return err
	}
	if w.mounts, err = addHostMounts(filepath.Join(state, "mounts"), w.job.Place.Mounts); err != nil {
		return err
	}
	if w.job.Shared {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
			return err
		}
	}
	w.launch, err = startLauncher(w.job.Launcher, state, "main")
	return err
}

func (w *worker) describeView() error {
	v1, v2, err := hierarchies()
	if err != nil {
		return err
	}
	names := strings.Join(v1, ",")
	w.v1 = len(v1)
	switch {
	case len(v1) == 0 && w.namespaced():
		w.view = "v2ns"
	case len(v1) == 0:
		w.view = "v2"
	case v2 != "":
		w.view = "hybrid:" + names
	default:
		w.view = "v1:" + names
	}
	return nil
}

// namespaced says whether containers get a cgroup namespace: `spec` asks for one on v2.
func (w *worker) namespaced() bool { return w.job.View == "v2" }

func (w *worker) watchSignals() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	go func() {
		for range c {
			w.stopped.Store(true)
		}
	}()
}

func (w *worker) close() {
	if w.launch != nil {
		w.launch.stop()
	}
	removeCgroups(w.cgroups)
	reapAll()
}

func (w *worker) cases(out *json.Encoder) error {
	scenarios := map[string]func(Case) error{
		"run": w.scenarioRun, "life": w.scenarioLife, "exec": w.scenarioExec, "many": w.scenarioMany,
		"memory": w.scenarioMemory, "trace": w.scenarioTrace,
	}
	for _, c := range w.job.Cases {
		runtime.GC()
		w.result = &CaseResult{Case: c, ActualMounts: w.mounts, LoadBefore: loadAverage()}
		w.excluded, w.handles = map[string]struct{}{}, map[string]*container{}
		start := time.Now()
		if err := w.measure(c, scenarios[c.Scenario]); err != nil {
			return err
		}
		w.result.Seconds = time.Since(start).Seconds()
		w.result.LoadAfter = loadAverage()
		if err := out.Encode(w.result); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) measure(c Case, scenario func(Case) error) error {
	if err := w.preflight(c); err != nil {
		return err
	}
	if err := scenario(c); err != nil {
		return err
	}
	for _, top := range w.cgroups {
		for _, path := range removeChildren(top) {
			w.problem(leftBehind, fmt.Errorf("left after the case: %s", path))
		}
	}
	return nil
}

// runtimes lists those that have not failed in this case.
func (w *worker) runtimes() []Runtime {
	var good []Runtime
	for _, rt := range w.job.Runtimes {
		if _, out := w.excluded[rt.Name]; !out {
			good = append(good, rt)
		}
	}
	return good
}

// problem records why a runtime leaves the case: its further numbers would mean nothing.
func (w *worker) problem(name string, err error) {
	w.excluded[name] = struct{}{}
	w.result.Problems = append(w.result.Problems, Problem{name, err.Error()})
	fmt.Fprintf(os.Stderr, "  %s: %s\n", name, firstLine(err.Error()))
}

// container makes the bundle and the handle of one container of rt, once in each case.
func (w *worker) container(c Case, rt Runtime, suffix string, args []string, memory int64) (*container, error) {
	id := rt.Name + suffix
	if h := w.handles[id]; h != nil && memory == 0 {
		return h, nil
	}
	h := &container{rt: rt, id: id, args: args, view: w.view, filter: "-",
		root:   filepath.Join(w.dir, "state", rt.Name),
		bundle: filepath.Join(w.dir, "state", "bundles", id),
		rootfs: filepath.Join(w.dir, "rootfs"),
		cgroup: w.job.Cgroup + "/" + id}
	if c.Seccomp {
		h.filter = w.filterFile()
	}
	if err := os.MkdirAll(h.root, 0o700); err != nil {
		return nil, err
	}
	w.handles[id] = h
	return h, writeBundle(h.bundle, bundleOptions{args: args, rootfs: h.rootfs, cgroup: "/" + h.cgroup,
		seccomp: c.Seccomp, cgroupNS: w.namespaced(), memory: memory})
}

func (w *worker) filterFile() string { return filepath.Join(w.dir, "filter.bpf") }

// do runs one verb with the main launcher, checks what it did, and returns what it printed.
func (w *worker) do(h *container, verb string, idle time.Duration) (outcome, string, error) {
	o, err := w.launch.must(idle, verb, h.argv(verb), 0)
	if err != nil {
		return o, "", err
	}
	stdout, err := w.launch.printed()
	if err != nil {
		return o, "", err
	}
	return o, stdout, h.verify(verb, stdout)
}

// record keeps a sample.
func (w *worker) record(rt Runtime, verb string, round int, s Sample) {
	s.Runtime, s.Verb, s.Round, s.Warmup = rt.Name, verb, round, round < 0
	w.result.Samples = append(w.result.Samples, s)
}

func (w *worker) fact(rt Runtime, name string, value float64, unit string) {
	w.result.Facts = append(w.result.Facts, Fact{rt.Name, name, value, unit})
}

// rounds calls do for each round and runtime, in an order that is shuffled in each round,
// so that no runtime always runs in the wake of the same other one. Warm-up rounds are negative.
func (w *worker) rounds(warmup, reps int, do func(rt Runtime, round int) error) error {
	for round := -warmup; round < reps; round++ {
		order := w.runtimes()
		w.random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, rt := range order {
			if w.stopped.Load() {
				return errStopped
			}
			if err := do(rt, round); err != nil {
				w.problem(rt.Name, err)
			}
		}
	}
	return nil
}

func loadAverage() string {
	data, _ := os.ReadFile("/proc/loadavg")
	return strings.TrimSpace(string(data))
}

func pointer[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }
