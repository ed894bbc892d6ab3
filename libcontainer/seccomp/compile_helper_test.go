//go:build seccomp_helper

package seccomp

import (
	"os"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestHelperRepliesThatAreRefused(t *testing.T) {
	good := appendFilter(appendBool(appendString(nil, Version()), true), &Filter{Program: make([]byte, 8)}, nil)
	if _, _, err := decodeReply(good); err != nil {
		t.Fatal(err)
	}
	for i := range good {
		if _, _, err := decodeReply(good[:i]); err == nil {
			t.Errorf("the first %d of %d bytes are accepted", i, len(good))
		}
	}
	other := appendFilter(appendBool(appendString(nil, "0.1.2"), true), &Filter{Program: make([]byte, 8)}, nil)
	if _, _, err := decodeReply(other); err == nil || !strings.Contains(err.Error(), `"0.1.2"`) {
		t.Errorf("a helper with another libseccomp: %v", err)
	}
}

func TestHelperThatFails(t *testing.T) {
	request, err := runHelper([]byte("not a profile"))
	if err == nil || !strings.Contains(err.Error(), "exited with 1") || !strings.Contains(err.Error(), "malformed") {
		t.Errorf("got %q, %v", request, err)
	}
	var files [3]*os.File
	for i := range files {
		if files[i], err = memory(); err != nil {
			t.Fatal(err)
		}
		defer files[i].Close()
	}
	if err := execute("/dev/null", files); err == nil || !strings.Contains(err.Error(), "execve") {
		t.Errorf("a program that is none: %v", err)
	}
}

func TestWaitHasADeadline(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if err := waitReadable(int(r.Fd()), 10*time.Millisecond); err == nil || !strings.Contains(err.Error(), "10ms") {
		t.Errorf("got %v", err)
	}
}

func TestHelperLeavesNoDescriptor(t *testing.T) {
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := count()
	for range 3 {
		mustCompile(t, &specs.LinuxSeccomp{DefaultAction: specs.ActAllow})
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
