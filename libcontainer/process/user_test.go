package process

import (
	"io"
	"io/fs"
	"reflect"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func files(passwd, group string) UserFiles {
	open := func(text string) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) {
			if text == "" {
				return nil, fs.ErrNotExist
			}
			return io.NopCloser(strings.NewReader(text)), nil
		}
	}
	return UserFiles{open(passwd), open(group)}
}

const groupFile = "root:x:0:\nwheel:x:10:root,user\n\nbad:x:y:user\naudio:x:29:user\nusers:x:100:user\nlast:x:30:us,ser"

func TestLookupUser(t *testing.T) {
	umask := uint32(0o22)
	base := specs.User{UID: 5, GID: 6, Umask: &umask, AdditionalGids: []uint32{7}}
	cases := []struct {
		text string
		want specs.User
		err  string
	}{
		{"1000", specs.User{UID: 1000, GID: 6, Umask: &umask, AdditionalGids: []uint32{7}}, ""},
		{"1000:20", specs.User{UID: 1000, GID: 20, Umask: &umask, AdditionalGids: []uint32{7}}, ""},
		{"0:audio", specs.User{UID: 0, GID: 29, Umask: &umask, AdditionalGids: []uint32{7}}, ""},
		{"user", specs.User{UID: 1000, GID: 100, Umask: &umask, AdditionalGids: []uint32{10, 29}}, ""},
		{"user:0", specs.User{UID: 1000, GID: 0, Umask: &umask}, ""},
		{"nobody", specs.User{UID: 65534, GID: 65534, Umask: &umask}, ""},
		{"nosuchuser", base, `user "nosuchuser": no such user in the container's /etc/passwd (give uid[:gid])`},
		{"broken", base, `user "broken": no such user in the container's /etc/passwd (give uid[:gid])`},
		{"4294967296", base, `user "4294967296": no such user in the container's /etc/passwd (give uid[:gid])`},
		{"-1", base, `user "-1": is neither a uid nor a name (give uid[:gid])`},
		{"", base, `user: is neither a uid nor a name (give uid[:gid])`},
		{"user:nogroup", base, `group "nogroup": no such group in the container's /etc/group (give a gid)`},
	}
	for _, c := range cases {
		got, err := LookupUser(c.text, base, files(passwdFile, groupFile))
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%q: error %v, want %s", c.text, err, c.err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %+v, %v, want %+v", c.text, got, err, c.want)
		}
	}
	// Numbers need no files.
	broken := UserFiles{func() (io.ReadCloser, error) { panic("opened") }, func() (io.ReadCloser, error) { panic("opened") }}
	if _, err := LookupUser("1:2", base, broken); err != nil {
		t.Error(err)
	}
	if got, err := LookupUser("user", base, files(passwdFile, "")); err != nil || got.AdditionalGids != nil {
		t.Errorf("without group file: %+v, %v", got, err)
	}
}

func TestLongLines(t *testing.T) {
	long := strings.Repeat("x", 3*maxLine)
	e, ok := findPasswd(strings.NewReader(long+":x:7:7::/long:\nuser:x:7:7::/home:/bin/sh\n"), func(e *passwdEntry) bool { return e.uid == 7 })
	if !ok || e.home != "/home" {
		t.Errorf("got %+v, %v", e, ok)
	}
}

func FuzzPasswd(f *testing.F) {
	f.Add(passwdFile, "user")
	f.Add("a:b:0:0:c:d\x00e:", "a")
	f.Fuzz(func(t *testing.T, text, name string) {
		user, err := LookupUser(name, specs.User{}, files(text, text))
		if err == nil && len(user.AdditionalGids) > maxGroups {
			t.Error("too many groups")
		}
		e, ok := findPasswd(strings.NewReader(text), func(e *passwdEntry) bool { return true })
		if ok && (strings.ContainsAny(e.home, "\x00\n:") || e.name == "") {
			t.Errorf("%+v", e)
		}
	})
}

func FuzzGroup(f *testing.F) {
	f.Add(groupFile)
	f.Fuzz(func(t *testing.T, text string) {
		for _, line := range strings.Split(text, "\n") {
			if e, ok := parseGroup(line); ok && e.name == "" {
				t.Errorf("%+v", e)
			}
		}
	})
}
