// Package require skips tests whose surroundings are missing, and says what
// is. Where CI_SKIPS names a file, only the skips listed there are accepted:
// a test that silently stopped running is a failure.
package require

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"ociruntime/tests/view"
)

// skipsEnv names the file of accepted skips, relative to the repository. Each
// line is "VIEW TEST REQUIREMENT" with the wildcards of path.Match: "v2
// TestMemory* controller:memory". Empty lines and those with # are ignored.
const skipsEnv = "CI_SKIPS"

// Root needs user id 0 in the initial user namespace.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "root", "needs root")
	}
}

// View needs one of these views.
func View(t testing.TB, wanted ...view.View) {
	t.Helper()
	for _, v := range wanted {
		if view.Current() == v {
			return
		}
	}
	// Not a missing feature: the other view runs the test.
	t.Skipf("only in view %v", wanted)
}

// CgroupV2 needs a host whose only cgroup file system is cgroup2.
func CgroupV2(t testing.TB) {
	t.Helper()
	View(t, view.V2)
}

// CgroupV1 needs v1 hierarchies.
func CgroupV1(t testing.TB) {
	t.Helper()
	View(t, view.V1, view.AsIs)
}

// Controller needs the cgroup controller, on v1 or v2.
func Controller(t testing.TB, name string) {
	t.Helper()
	if !view.HasControllerV1(name) && !view.HasControllerV2(name) {
		skip(t, "controller:"+name, "needs the cgroup controller "+name+", which this view does not have")
	}
}

// Namespace needs the kernel to have the namespace type, named as in
// /proc/PID/ns ("user", "time").
func Namespace(t testing.TB, name string) {
	t.Helper()
	if _, err := os.Stat("/proc/self/ns/" + name); err != nil {
		skip(t, "namespace:"+name, "needs "+name+" namespaces")
	}
}

// Userns needs user namespaces that may be made.
func Userns(t testing.TB) {
	t.Helper()
	Namespace(t, "user")
	text, _ := os.ReadFile("/proc/sys/user/max_user_namespaces")
	if strings.TrimSpace(string(text)) == "0" {
		skip(t, "namespace:user", "needs user.max_user_namespaces above 0")
	}
}

// WithoutCapability needs the tests to lack a capability, as they do in many
// virtual machines and containers.
func WithoutCapability(t testing.TB, name string, number uint) {
	t.Helper()
	if hasCapability(t, number) {
		skip(t, "without:"+name, "needs a caller without "+name)
	}
}

// Capability needs the capability to be effective for the tests themselves.
func Capability(t testing.TB, name string, number uint) {
	t.Helper()
	if !hasCapability(t, number) {
		skip(t, "capability:"+name, "needs "+name)
	}
}

func hasCapability(t testing.TB, number uint) bool {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		t.Fatal(err)
	}
	return sets[number/32].Effective&(1<<(number%32)) != 0
}

// Filesystem needs the kernel to know the file system type.
func Filesystem(t testing.TB, name string) {
	t.Helper()
	text, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) > 0 && fields[len(fields)-1] == name {
			return
		}
	}
	skip(t, "filesystem:"+name, "needs the file system "+name)
}

// File needs a file that the kernel offers only with some feature.
func File(t testing.TB, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		skip(t, "file:"+path, "needs "+path)
	}
}

// NoFile needs a host without a file.
func NoFile(t testing.TB, path string) {
	t.Helper()
	if _, err := os.Stat(path); err == nil {
		skip(t, "without:"+path, "needs a host without "+path)
	}
}

// Program needs a program of the host, and returns its path.
func Program(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode()&0o111 != 0 {
			return file
		}
	}
	skip(t, "program:"+name, "needs the program "+name)
	return ""
}

// Systemd needs the host to run systemd, sd_booted(3), and a manager that the
// caller may talk to.
func Systemd(t testing.TB) {
	t.Helper()
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		skip(t, "systemd", "needs a host that runs systemd")
	}
	if _, err := os.Stat(fmt.Sprintf("/run/user/%d/systemd/private", os.Geteuid())); err != nil && os.Geteuid() != 0 {
		skip(t, "systemd-user", "needs a systemd user session")
	}
}

// criu is what `criu check` said, asked for once.
var criu struct {
	once   sync.Once
	reason string
}

// CRIU needs a CRIU that says it works on this kernel.
func CRIU(t testing.TB) {
	t.Helper()
	path := Program(t, "criu")
	criu.once.Do(func() {
		if out, err := exec.Command(path, "check").CombinedOutput(); err != nil {
			reason, _, _ := strings.Cut(string(out), "\n")
			criu.reason = fmt.Sprintf("criu check: %v: %s", err, reason)
		}
	})
	if criu.reason != "" {
		skip(t, "criu", criu.reason)
	}
}

// skip skips the test, or fails it when skips are listed and this is not.
func skip(t testing.TB, requirement, reason string) {
	t.Helper()
	list := os.Getenv(skipsEnv)
	if list == "" {
		t.Skip(reason)
	}
	accepted, err := accepts(list, string(view.Current()), t.Name(), requirement)
	if err != nil {
		t.Fatal(err)
	}
	if !accepted {
		t.Fatalf("%s, and %s does not list this skip: %s %s %s", reason, list, view.Current(), t.Name(), requirement)
	}
	t.Skip(reason)
}

// accepts tells whether a line of the list matches all three words.
func accepts(list string, words ...string) (bool, error) {
	if !filepath.IsAbs(list) {
		list = filepath.Join("..", list) // tests run in tests/
	}
	f, err := os.Open(list)
	if err != nil {
		return false, fmt.Errorf("%s: %w", skipsEnv, err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		patterns := strings.Fields(line)
		if len(patterns) == len(words) && matchAll(patterns, words) {
			return true, nil
		}
	}
	return false, lines.Err()
}

// matchAll matches word by word. A "*" also covers "/", of which subtests and
// files have some.
func matchAll(patterns, words []string) bool {
	flat := strings.NewReplacer("/", "|")
	for i, pattern := range patterns {
		if ok, _ := path.Match(flat.Replace(pattern), flat.Replace(words[i])); !ok {
			return false
		}
	}
	return true
}
