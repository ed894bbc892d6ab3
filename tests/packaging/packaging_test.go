// Package packaging installs the program into directories of its own and looks
// at what is there.
package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const repository = "../.."

// run runs a command in the repository and returns what it says.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = repository
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// made is `make TARGET`, with the binary as it is.
func made(t *testing.T, args ...string) {
	t.Helper()
	if _, err := os.Stat(repository + "/runtime"); err != nil {
		t.Skip("the runtime is not built")
	}
	run(t, "make", append([]string{"-o", "runtime", "-o", "deps"}, args...)...)
}

// files lists what is below dir, one path a line, without directories.
func files(t *testing.T, dir string) string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			list = append(list, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, "\n") + "\n"
}

func wantIn(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("no %s in\n%s", line, text)
		}
	}
}

// TestInstall: binary, manual and completions, in the place that was asked for.
func TestInstall(t *testing.T) {
	dir := t.TempDir()
	made(t, "install", "DESTDIR="+dir, "PREFIX=/opt/x")
	list := files(t, dir)
	wantIn(t, list, "/opt/x/bin/runtime", "/opt/x/share/man/man8/runtime.8", "/opt/x/share/man/man8/runtime-create.8",
		"/opt/x/share/bash-completion/completions/runtime", "/opt/x/share/zsh/site-functions/_runtime",
		"/opt/x/share/fish/vendor_completions.d/runtime.fish")
	for _, path := range strings.Fields(list) {
		mode := os.FileMode(0o644)
		if path == "/opt/x/bin/runtime" {
			mode = 0o755
		}
		if info, err := os.Stat(dir + path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, mode)
		}
	}
	if out := run(t, dir+"/opt/x/bin/runtime", "--version"); !strings.HasPrefix(out, "runtime version ") {
		t.Errorf("--version: %q", out)
	}
}

// TestDebianPackage: dpkg installs it into a root of its own and removes it
// without a trace; lintian has nothing to say, where it is installed.
func TestDebianPackage(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("dpkg-deb is not installed")
	}
	dir, root := t.TempDir(), t.TempDir()
	made(t, "deb", "DEBDIR="+dir, "VERSION=1.2.3-rc4")
	packages, _ := filepath.Glob(dir + "/*.deb")
	if len(packages) != 1 {
		t.Fatalf("packages: %q", packages)
	}
	if v := run(t, "dpkg-deb", "--field", packages[0], "Version"); v != "1.2.3~rc4\n" {
		t.Errorf("version: %q", v)
	}
	for _, d := range []string{"info", "updates"} {
		if err := os.MkdirAll(root+"/var/lib/dpkg/"+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(root+"/var/lib/dpkg/status", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		t.Skip("dpkg --root needs root")
	}
	dpkg := func(args ...string) string {
		return run(t, "dpkg", append([]string{"--root=" + root, "--log=/dev/null", "--force-script-chrootless"}, args...)...)
	}
	dpkg("--install", packages[0])
	wantIn(t, files(t, root+"/usr"), "/bin/runtime", "/share/man/man8/runtime.8.gz", "/share/man/man8/runtime-exec.8.gz",
		"/share/bash-completion/completions/runtime", "/share/zsh/vendor-completions/_runtime",
		"/share/fish/vendor_completions.d/runtime.fish", "/share/doc/ociruntime/copyright", "/share/doc/ociruntime/changelog.gz")
	dpkg("--verify", "ociruntime")
	dpkg("--purge", "ociruntime")
	if _, err := os.Stat(root + "/usr"); !os.IsNotExist(err) {
		t.Errorf("left behind by purge: %s", files(t, root+"/usr"))
	}
	if _, err := exec.LookPath("lintian"); err == nil {
		if out := run(t, "lintian", "--fail-on", "error", packages[0]); strings.Contains(out, "E: ") {
			t.Error(out)
		}
	}
}
