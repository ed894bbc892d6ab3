package systemd

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	cases := []struct {
		name, path string
		user       bool
		unit, cg   string
	}{
		{"absent", "", false, "runtime-ID.scope", "/system.slice/runtime-ID.scope"},
		{"absent, user", "", true, "runtime-ID.scope", "/user.slice/runtime-ID.scope"},
		{"all three", "machine.slice:libpod:abc", false, "libpod-abc.scope", "/machine.slice/libpod-abc.scope"},
		{"empty slice", ":docker:abc", false, "docker-abc.scope", "/system.slice/docker-abc.scope"},
		{"empty prefix", "a.slice::abc", false, "abc.scope", "/a.slice/abc.scope"},
		{"nested slice", "kubepods-burstable-pod1.slice:cri-containerd:abc", false, "cri-containerd-abc.scope",
			"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-abc.scope"},
		{"root slice", "-.slice:x:y", false, "x-y.scope", "/x-y.scope"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u, err := Parse(c.path, "ID", c.user)
			if err != nil || u.Name != c.unit || u.Path() != c.cg || u.User != c.user {
				t.Errorf("got %+v at %s, %v; want %s at %s", u, u.Path(), err, c.unit, c.cg)
			}
		})
	}
	for path, want := range map[string]string{
		"/docker/abc":                           `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups`,
		"a:b":                                   "expected cgroupsPath",
		"a.slice:b:c:d":                         "expected cgroupsPath",
		"a.slice:b:":                            "is empty",
		"a:b:c":                                 `does not end with ".slice"`,
		"a/b.slice:b:c":                         "wrong character",
		"../a.slice:b:c":                        "wrong character",
		"a--b.slice:b:c":                        "empty part",
		"-a.slice:b:c":                          "empty part",
		"a.slice:b:../../c":                     "does not allow",
		"a.slice:b:" + strings.Repeat("x", 250): "too long",
	} {
		if u, err := Parse(path, "ID", false); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "linux.cgroupsPath: ") {
			t.Errorf("%s: got %v, %v; want %q", path, u, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("machine.slice:libpod:abc")
	f.Add("a-b.slice::x")
	f.Add("-.slice:../x:y")
	f.Fuzz(func(t *testing.T, path string) {
		u, err := Parse(path, "ID", false)
		if err == nil && (strings.Contains(u.Path()+"/", "/../") || !strings.HasSuffix(u.Path(), "/"+u.Name) || strings.Contains(u.Name, "/")) {
			t.Errorf("%q became %+v at %s", path, u, u.Path())
		}
	})
}
