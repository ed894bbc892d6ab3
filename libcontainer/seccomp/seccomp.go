// Package seccomp turns linux.seccomp of config.json into the BPF program that
// seccomp(2) installs, and remembers the result on disk, because libseccomp
// needs 10 to 18 ms for the profile engines send.
//
// Who calls libseccomp is decided at build time; the API is the same:
//
//	CGO_ENABLED=1                        this process
//	CGO_ENABLED=0, tag seccomp_helper    a second, embedded program, run on a cache miss
//	CGO_ENABLED=0                        nobody: every profile is refused with ErrUnsupported
//
// The second form is the one to ship. A static cgo binary needs 0.7 ms more
// for each start of any command, whether or not it looks at a profile.
//
// From profile to program:
//
//	Check   is every value one that seccomp(2) can carry out      profile.go, words.go
//	plan    entries of syscalls[] -> rules libseccomp can take    plan.go
//	compile rules -> BPF                                          compile_*.go
//	guard   ENOSYS for calls newer than the profile               enosys.go
//	compact the same in a third of the instructions               compact.go, layout.go
//	cache   the same profile never compiled twice                 encode.go, cache_linux.go
//
// The stage loads the bytes as the last thing before execve(2).
package seccomp

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// ErrUnsupported is the cause of every refusal of a build without libseccomp.
var ErrUnsupported = errors.New("this build has no seccomp support (built with CGO_ENABLED=0)")

// Filter is what the stage hands to seccomp(SECCOMP_SET_MODE_FILTER).
type Filter struct {
	Program []byte // array of struct sock_filter, in this machine's byte order
	Flags   uint64 // SECCOMP_FILTER_FLAG_*; has NEW_LISTENER when Notify is set
	Notify  bool   // a rule asks the listener: the call returns an fd for listenerPath
	Key     string // name in the cache, for Cached; empty if the filter is not there
}

// Instructions is the length seccomp(2) wants in struct sock_fprog.
func (f *Filter) Instructions() int { return len(f.Program) / instructionSize }

// Warning is something the filter does without: "left out X because Y".
type Warning struct {
	Field string // path inside config.json
	Text  string
	// Debug says that nothing the author wanted is lost: profiles meant for many
	// kernels and architectures always name calls that one of them lacks.
	Debug bool
}

// Compile translates profile, without the cache.
func Compile(profile *specs.LinuxSeccomp) (*Filter, []Warning, error) {
	if err := Check(profile); err != nil {
		return nil, nil, err
	}
	return compile(profile)
}

// Load is Compile through the cache in cacheDir, which is made if need be and
// must be ours alone. An unusable cache is reported as a Warning: it costs
// time, not the container. An empty cacheDir means no cache.
func Load(cacheDir string, profile *specs.LinuxSeccomp) (*Filter, []Warning, error) {
	if err := Check(profile); err != nil {
		return nil, nil, err
	}
	if cacheDir == "" || !Enabled() {
		return compile(profile)
	}
	key := cacheKey(engine(), profile)
	dir, cacheErr := openCache(cacheDir)
	if cacheErr == nil {
		defer dir.close()
		if filter, warnings, err := dir.read(key); err == nil {
			filter.Key = hex.EncodeToString(key[:])
			return filter, warnings, nil
		}
	}
	filter, warnings, err := compile(profile)
	if err != nil {
		return nil, nil, err
	}
	if cacheErr == nil {
		filter.Key = hex.EncodeToString(key[:])
		cacheErr = dir.write(key, filter, warnings)
	}
	if cacheErr != nil {
		filter.Key = ""
		warnings = append(warnings, Warning{Field: field, Text: "the compiled filter is not cached: " + cacheErr.Error()})
	}
	return filter, warnings, nil
}

// Cached returns the filter that Load has called by this Key, as long as the
// cache has it. Who gets an error has the profile to Load again.
func Cached(cacheDir, key string) (*Filter, error) {
	var sum [sha256.Size]byte
	if n, err := hex.Decode(sum[:], []byte(key)); err != nil || n != len(sum) {
		return nil, errEncoding
	}
	dir, err := openCache(cacheDir)
	if err != nil {
		return nil, err
	}
	defer dir.close()
	filter, _, err := dir.read(sum)
	return filter, err
}
