package tests

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ociruntime/tests/harness"
)

// initializers are the packages that do something before main, in every start
// of every command. Most are the Go runtime's own. Whoever adds a line has
// measured what it costs: `state` of a missing container takes about 0.8 ms,
// 0.77 of which a Go program that does nothing takes too.
var initializers = strings.Fields(`
	errors internal/bytealg internal/cpu internal/godebug internal/poll internal/runtime/gc/scan internal/sync
	io/fs iter math os path/filepath reflect runtime sync syscall time unicode

	crypto crypto/fips140 crypto/internal/fips140 crypto/internal/fips140/aes crypto/internal/fips140/aes/gcm
	crypto/internal/fips140/check crypto/internal/fips140/drbg crypto/internal/fips140/hmac
	crypto/internal/fips140/sha256 crypto/internal/fips140/sha3 crypto/internal/fips140/sha512
	crypto/internal/fips140deps/cpu crypto/internal/fips140deps/time crypto/sha256

	github.com/checkpoint-restore/go-criu/v8/rpc
	github.com/opencontainers/runtime-spec/specs-go
	golang.org/x/sys/unix
`)

// initLine is what GODEBUG=inittrace=1 makes the Go runtime print, see the
// documentation of package runtime:
//
//	init internal/bytealg @0.008 ms, 0 ms clock, 0 bytes, 0 allocs
var initLine = regexp.MustCompile(`(?m)^init (\S+) @.* clock, (\d+) bytes, (\d+) allocs$`)

// TestInitialization: no import has brought new work to every start.
func TestInitialization(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	c := env.BareCommand("--version")
	c.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	lines := initLine.FindAllStringSubmatch(c.Run().WantCode(t, 0).Stderr, -1)
	if len(lines) == 0 {
		t.Fatal("GODEBUG=inittrace=1 prints nothing")
	}
	bytes, allocs := 0, 0
	for _, line := range lines {
		if !slices.Contains(initializers, line[1]) {
			t.Errorf("%s is new: it allocates %s bytes in %s pieces before main", line[1], line[2], line[3])
		}
		n, _ := strconv.Atoi(line[2])
		bytes += n
		n, _ = strconv.Atoi(line[3])
		allocs += n
	}
	if bytes > 8<<10 || allocs > 120 {
		t.Errorf("%d bytes in %d pieces are allocated before main", bytes, allocs)
	}
}

// TestSize: what is to be read from disk and mapped at each start stays small.
func TestSize(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(harness.Binary(t))
	check(t, err)
	if limit := int64(8 << 20); info.Size() > limit {
		t.Errorf("the binary has %d bytes, more than %d", info.Size(), limit)
	}
}

// TestTimerSlack: the runtime's own slack of timers is wide, which saves it
// wake-ups, but containers, programs of exec and hooks get that of its caller.
func TestTimerSlack(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	bundle := env.Bundle(harness.Shell("cat /proc/self/timerslack_ns; echo ready; exec sleep 1000"),
		addHook("createRuntime", shellHook("cat /proc/self/timerslack_ns >hook")))
	runtime.LockOSThread() // children inherit from the thread that forks them
	defer runtime.UnlockOSThread()
	check(t, unix.Prctl(unix.PR_SET_TIMERSLACK, 70000, 0, 0, 0))
	run := env.RunCommand(bundle)
	process := run.Start()
	process.WaitStdout("ready")
	threads, err := os.ReadDir("/proc/" + strconv.Itoa(process.Pid()) + "/task")
	check(t, err)
	wide := slices.ContainsFunc(threads, func(thread os.DirEntry) bool {
		slack, _ := os.ReadFile("/proc/" + thread.Name() + "/timerslack_ns") // a thread may have ended
		return string(slack) == "5000000\n"
	})
	if !wide {
		t.Error("no thread of the runtime has a wide slack: is it linked with -E?")
	}
	if got := env.Call("exec", run.ID(), "cat", "/proc/self/timerslack_ns").WantCode(t, 0).Stdout; got != "70000\n" {
		t.Errorf("exec: slack is %q", got)
	}
	env.Call("kill", run.ID(), "KILL").WantQuiet(t)
	if got := process.Wait().Stdout; got != "70000\nready\n" {
		t.Errorf("run: slack is %q", got)
	}
	if got, err := os.ReadFile(filepath.Join(env.Dir, "hook")); err != nil || string(got) != "70000\n" {
		t.Errorf("hook: slack is %q, %v", got, err)
	}
}
