package engines

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The images are made of a static busybox and a few files. No registry is asked
// for anything.
const (
	image      = "localhost/box:latest"   // runs a shell
	pauseImage = "localhost/pause:latest" // the same, but waits
)

// busybox is where Debian puts its static one.
const busybox = "/bin/busybox"

// Rootfs makes the root file system of the image at Dir/name.
func (w *World) Rootfs(t testing.TB, name string) string {
	t.Helper()
	root := w.File(name)
	for _, d := range []string{"bin", "dev", "etc", "home/user", "mnt", "proc", "root", "run", "sys", "tmp", "var/www"} {
		check(t, os.MkdirAll(filepath.Join(root, d), 0o755))
	}
	check(t, os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky))
	check(t, os.Chown(filepath.Join(root, "home/user"), 1000, 1000))
	data, err := os.ReadFile(busybox)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(root, "bin/busybox"), data, 0o755))
	applets, err := exec.Command(busybox, "--list").Output()
	check(t, err)
	for applet := range strings.FieldsSeq(string(applets)) {
		if applet != "busybox" {
			check(t, os.Symlink("busybox", filepath.Join(root, "bin", applet)))
		}
	}
	for file, text := range map[string]string{
		"etc/passwd":         "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n",
		"etc/group":          "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n",
		"var/www/index.html": "served\n",
	} {
		check(t, os.WriteFile(filepath.Join(root, file), []byte(text), 0o644))
	}
	return root
}

// Archive makes the images as an archive of the kind that `docker save` writes
// and every engine reads, and returns its path.
func (w *World) Archive(t testing.TB) string {
	t.Helper()
	layer := tarTree(t, w.Rootfs(t, "image"))
	digest := sha256.Sum256(layer)
	config := func(command ...string) []byte {
		return jsonText(t, map[string]any{
			"architecture": runtime.GOARCH, "os": "linux",
			"config":  map[string]any{"Env": []string{"PATH=/bin"}, "Cmd": command},
			"history": []any{map[string]any{"created_by": "tests"}}, // buildah insists
			"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(digest[:])}},
		})
	}
	manifest := jsonText(t, []any{
		map[string]any{"Config": "box.json", "RepoTags": []string{image}, "Layers": []string{"layer.tar"}},
		map[string]any{"Config": "pause.json", "RepoTags": []string{pauseImage}, "Layers": []string{"layer.tar"}},
	})
	var archive bytes.Buffer
	out := tar.NewWriter(&archive)
	for _, file := range []struct {
		name string
		data []byte
	}{
		{"box.json", config("sh")}, {"pause.json", config("sleep", "1000")},
		{"layer.tar", layer}, {"manifest.json", manifest},
	} {
		check(t, out.WriteHeader(&tar.Header{Name: file.name, Mode: 0o644, Size: int64(len(file.data))}))
		_, err := out.Write(file.data)
		check(t, err)
	}
	check(t, out.Close())
	path := w.File("image.tar")
	check(t, os.WriteFile(path, archive.Bytes(), 0o644))
	return path
}

// tarTree returns the tree as an uncompressed layer.
func tarTree(t testing.TB, root string) []byte {
	t.Helper()
	var layer bytes.Buffer
	out := tar.NewWriter(&layer)
	check(t, out.AddFS(os.DirFS(root)))
	check(t, out.Close())
	return layer.Bytes()
}

func jsonText(t testing.TB, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	check(t, err)
	return text
}
