package process

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/nsenter"
)

// elf makes a minimal ELF executable: header, one PT_INTERP if interp is given,
// and nothing to run.
func elf(machine uint16, wide bool, interp string) string {
	const header, phdr = 64, 56
	b := []byte{0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if wide {
		b[4] = 2
	}
	le := binary.LittleEndian
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, machine)
	b = le.AppendUint32(b, 1)
	if !wide {
		return string(append(b, make([]byte, 52-len(b))...))
	}
	b = le.AppendUint64(b, 0x400000)
	b = le.AppendUint64(b, header)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, 0)
	for _, v := range []uint16{header, phdr, 1, 0, 0, 0} {
		b = le.AppendUint16(b, v)
	}
	b = le.AppendUint32(b, ptInterp)
	b = le.AppendUint32(b, 4)
	size := uint64(len(interp) + 1)
	for _, v := range []uint64{header + phdr, 0x400000, 0x400000, size, size, 1} {
		b = le.AppendUint64(b, v)
	}
	return string(append(append(b, interp...), 0))
}

// image makes a root file system. A name that ends in a slash is a directory,
// content that begins with "-> " a symbolic link, "| " a named pipe.
func image(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	os.Chmod(root, 0o755)
	for name, content := range files {
		path := filepath.Join(root, name)
		var err error
		os.MkdirAll(filepath.Dir(path), 0o755)
		target, link := strings.CutPrefix(content, "-> ")
		switch {
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		case link:
			err = os.Symlink(target, path)
		case content == "| ":
			err = unix.Mkfifo(path, 0o755)
			unix.Chmod(path, 0o755)
		default:
			err = os.WriteFile(path, []byte(content), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestExplain(t *testing.T) {
	needsRoot(t)
	const machine = emARM64 + emAMD64 // the other of the two is added below
	other, otherName := uint16(emARM64), "aarch64"
	if hostMachine() == "aarch64" {
		other, otherName = emAMD64, "x86_64"
	}
	own := uint16(machine) - other
	files := map[string]string{
		"bin/": "", "etc/": "", "app/": "",
		"tmp/crlf":      "#!/bin/sh\r\necho\r\n",
		"app/x":         "#!/usr/bin/python3 -u\n",
		"app/elf":       elf(own, true, "/lib64/ld-linux-x86-64.so.2"),
		"app/foreign":   elf(other, true, ""),
		"app/text":      "echo hello\n",
		"app/bom":       "\xef\xbb\xbf#!/bin/sh\n",
		"app/zero":      "",
		"app/data":      "\x00\x01\x02\x03",
		"app/dos":       "MZ\x90\x00",
		"app/nointerp":  "#!\n",
		"app/badinterp": "#!/app/plain\n",
		"app/plain":     "#!/bin/sh\n",
		"app/pipe":      "| ",
		"app/dangling":  "-> /nowhere/at/all",
		"app/loop":      "-> loop",
		"app/file":      "x",
		"app/escape":    "-> /../../../../../../etc/../app/text",
		"secret/prog":   "#!/bin/sh\n",
		"mnt/prog":      "#!/bin/sh\n",
		"empty/":        "",
	}
	root := image(t, files)
	os.Chmod(root+"/app/plain", 0o644)
	os.Chmod(root+"/secret", 0o700)
	os.WriteFile(root+"/app/private", []byte("#!/bin/sh\n"), 0o700)
	os.Chmod(root+"/app/private", 0o700)

	cases := []struct {
		name string
		args string
		user uint32
		want string // of which "…" ends the comparison
	}{
		{"row 1, CRLF", "/tmp/crlf", 0, `exec: "/tmp/crlf": no such file or directory (the script's interpreter is "/bin/sh\r": the file has Windows (CRLF) line endings)`},
		{"row 2, interpreter", "/app/x", 0, `exec: "/app/x": no such file or directory (interpreter /usr/bin/python3 (line 1 of /app/x) is not in the image)`},
		{"row 3, loader", "/app/elf", 0, `exec: "/app/elf": no such file or directory (needs the loader /lib64/ld-linux-x86-64.so.2, which is not in the image)`},
		{"row 4, architecture", "/app/foreign", 0, `exec: "/app/foreign": exec format error (built for ` + otherName + `, this host is ` + hostMachine() + ` and has no binfmt_misc handler for it)`},
		{"row 5, no shebang", "/app/text", 0, `exec: "/app/text": exec format error (it is a text file without a "#!" first line; run it through a shell)`},
		{"row 6, missing", "/init", 0, `exec: "/init": stat /init: no such file or directory ("/" has app bin empty etc mnt secret tmp)`},
		{"missing in empty directory", "/empty/init", 0, `exec: "/empty/init": stat /empty/init: no such file or directory ("/empty" is empty)`},
		{"missing below a mount", "/mnt/nosuch", 0, `exec: "/mnt/nosuch": stat /mnt/nosuch: no such file or directory ("/mnt" is a mount and has prog)`},
		{"missing directory", "/opt/x/y", 0, `exec: "/opt/x/y": stat /opt/x/y: no such file or directory ("/" has app …`},
		{"row 7, mode", "/app/plain", 0, `exec: "/app/plain": permission denied (is not executable: its mode is 0644)`},
		{"row 7, noexec", "/mnt/prog", 0, `exec: "/mnt/prog": permission denied (its mount has the option noexec)`},
		{"row 7, search", "/secret/prog", 1000, `exec: "/secret/prog": permission denied (uid 1000 has no search permission for "/secret", mode 0700)`},
		{"row 7, other's file", "/app/private", 1000, `exec: "/app/private": permission denied (its mode 0700 does not let uid 1000 execute it)`},
		{"directory", "/etc", 0, `exec: "/etc": is a directory: permission denied`},
		{"pipe", "/app/pipe", 0, `exec: "/app/pipe": permission denied (is a named pipe)`},
		{"file as directory", "/app/file/x", 0, `exec: "/app/file/x": stat /app/file/x: not a directory ("/app/file" is a file)`},
		{"dangling link", "/app/dangling", 0, `exec: "/app/dangling": stat /app/dangling: no such file or directory ("/app/dangling" is a symbolic link to "/nowhere/at/all", which does not exist)`},
		{"loop of links", "/app/loop", 0, `exec: "/app/loop": stat /app/loop: too many levels of symbolic links …`},
		{"link is confined", "/app/escape", 0, `exec: "/app/escape": exec format error (it is a text file …`},
		{"byte order mark", "/app/bom", 0, `exec: "/app/bom": exec format error (the file has a byte order mark before its "#!"; save it without)`},
		{"empty file", "/app/zero", 0, `exec: "/app/zero": exec format error (the file is empty)`},
		{"data", "/app/data", 0, `exec: "/app/data": exec format error (it is neither an ELF file nor a script)`},
		{"windows", "/app/dos", 0, `exec: "/app/dos": exec format error (it is a Windows program)`},
		{"no interpreter", "/app/nointerp", 0, `exec: "/app/nointerp": exec format error (its first line names no interpreter after "#!")`},
		{"interpreter not executable", "/app/badinterp", 0, `exec: "/app/badinterp": permission denied (its interpreter /app/plain is not executable: its mode is 0644)`},
		{"not in PATH", "nosuchbin", 0, `exec: "nosuchbin": executable file not found in $PATH`},
		{"almost in PATH", "plain", 0, `exec: "plain": executable file not found in $PATH ("/app/plain" is there, but is not executable: its mode is 0644)`},
		{"directory in PATH", "app", 0, `exec: "app": executable file not found in $PATH ("/./app" is there, but is a directory)`},
		{"found in PATH, foreign", "foreign", 0, `exec: "foreign": exec format error (built for …`},
		{"relative", "./nosuch", 0, `exec: "./nosuch": stat ./nosuch: no such file or directory ("/app" has badinterp bom dangling data …`},
		{"hidden in PATH", "prog", 1000, `exec: "prog": executable file not found in $PATH ("/secret/prog" is there, but uid 1000 has no search permission for "/secret", mode 0700)`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := &specs.Process{Args: []string{c.args}, Cwd: "/app", Env: []string{"PATH=/bin:/app:/./:/secret", "HOME=/"}}
			s.User.UID, s.User.GID = c.user, c.user
			s.Env[0] = strings.Replace(s.Env[0], "/./", "/.", 1)
			got := start(t, Input{Process: s}, options{flags: unix.CLONE_NEWNS, early: func(p *nsenter.Program) {
				p.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
				p.Mount(root+"/mnt", root+"/mnt", "", unix.MS_BIND, "")
				p.Mount("", root+"/mnt", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_NOEXEC, "")
				p.Chroot(root)
				p.Chdir("/")
			}})
			if got.err == nil {
				t.Fatalf("ran: %q", got.out)
			}
			text := strings.TrimPrefix(got.err.Error(), "process.args[0]: ")
			want, open := strings.CutSuffix(c.want, "…")
			if text != want && !(open && strings.HasPrefix(text, want)) {
				t.Errorf("\ngot  %s\nwant %s", text, c.want)
			}
		})
	}
}

func TestExplainOthers(t *testing.T) {
	needsRoot(t)
	s := minimal("true")
	s.Cwd = "/nosuch/dir"
	got := start(t, Input{Process: s}, options{})
	if got.err == nil || !strings.HasPrefix(got.err.Error(), `process.cwd: chdir "/nosuch/dir": no such file or directory ("/" has `) {
		t.Errorf("missing cwd: %v", got.err)
	}
	if !errors.Is(got.err, unix.ENOENT) {
		t.Errorf("%v is not ENOENT", got.err)
	}
	s = minimal("true", strings.Repeat("x", 200000))
	got = start(t, Input{Process: s}, options{})
	want := `exec: "true": argument list too long (arguments and environment have `
	if got.err == nil || !strings.Contains(got.err.Error(), want) {
		t.Errorf("long argument: %v", got.err)
	}
	plain := errors.New("something else")
	if err := Explain(plain, s, -1, nil); err != plain {
		t.Errorf("unrelated error became %v", err)
	}
}

func TestExplainMusl(t *testing.T) {
	root := image(t, map[string]string{
		"app/elf":                                elf(emAMD64, true, "/lib64/ld-linux-x86-64.so.2"),
		"lib/ld-musl-" + hostMachine() + ".so.1": "",
	})
	fd, err := unix.Open(root, unix.O_PATH, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	v := &view{root: fd, cwd: "/"}
	head, _ := v.read("/app/elf", 0, binprmSize)
	if e, _ := parseELF(head); !runsHere(&e) {
		t.Skip("needs the other machine")
	}
	want := "needs the loader /lib64/ld-linux-x86-64.so.2, which is not in the image: a program for glibc in an image with musl"
	if got := v.contentHint("/app/elf"); got != want {
		t.Errorf("got %s", got)
	}
}

func FuzzContentHint(f *testing.F) {
	f.Add([]byte(elf(emAMD64, true, "/lib/ld.so")))
	f.Add([]byte(elf(emARM, false, "")))
	f.Add([]byte("#!/bin/sh\r\n"))
	root := f.TempDir()
	fd, err := unix.Open(root, unix.O_PATH, 0)
	if err != nil {
		f.Fatal(err)
	}
	v := &view{root: fd, cwd: "/"}
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(root+"/x", content, 0o755); err != nil {
			t.Fatal(err)
		}
		v.contentHint("/x")
	})
}

func TestDied(t *testing.T) {
	for _, c := range []struct {
		status   unix.WaitStatus
		filtered bool
		want     string
	}{
		{31, true, "container process was killed before its program ran: SIGSYS (the seccomp filter forbids execve, or what the program did first)"},
		{9, true, "container process was killed before its program ran: SIGKILL"},
		{127 << 8, false, "container process ended before its program ran: exit status 127"},
	} {
		if err := Died(c.status, c.filtered); err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestViewer(t *testing.T) {
	linux := &specs.Linux{
		UIDMappings: []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 1000}},
		GIDMappings: []specs.LinuxIDMapping{{ContainerID: 0, HostID: 200000, Size: 1000}},
	}
	process := func(caps ...string) *specs.Process {
		s := &specs.Process{Capabilities: &specs.LinuxCapabilities{Effective: caps}}
		s.User = specs.User{UID: 5, GID: 6, AdditionalGids: []uint32{7}}
		return s
	}
	const file, dir = unix.S_IFREG, unix.S_IFDIR
	for _, c := range []struct {
		name     string
		process  *specs.Process
		linux    *specs.Linux
		mode     uint32
		uid, gid uint32
		want     bool
	}{
		{"owner", process(), nil, file | 0o100, 5, 0, true},
		{"owner is denied what others may", process(), nil, file | 0o011, 5, 6, false},
		{"group", process(), nil, file | 0o010, 0, 6, true},
		{"additional group", process(), nil, file | 0o010, 0, 7, true},
		{"group is denied what others may", process(), nil, file | 0o101, 0, 7, false},
		{"other", process(), nil, file | 0o001, 0, 0, true},
		{"mapped owner", process(), linux, file | 0o100, 100005, 0, true},
		{"mapped group", process(), linux, file | 0o010, 0, 200007, true},
		{"not mapped", process(), linux, file | 0o110, 5, 6, false},
		{"override", process("CAP_DAC_OVERRIDE"), nil, file | 0o100, 0, 0, true},
		{"override needs an execute bit", process("CAP_DAC_OVERRIDE"), nil, file | 0o644, 0, 0, false},
		{"but not for directories", process("CAP_DAC_OVERRIDE"), nil, dir, 0, 0, true},
	} {
		w := viewerOf(c.process, c.linux)
		if got := w.mayExecute(&unix.Stat_t{Mode: c.mode, Uid: c.uid, Gid: c.gid}); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}
