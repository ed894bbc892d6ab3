package main

import (
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed floor launch testdata
var sources embed.FS

// cflags: no C library and no start-up code, see floor/raw.h.
var cflags = []string{"-std=gnu11", "-O2", "-Wall", "-static", "-nostdlib", "-ffreestanding", "-no-pie",
	"-fno-stack-protector", "-fno-asynchronous-unwind-tables"}

// buildC compiles the launcher and the floor into dir.
func buildC(dir string) (launcher, floor string, err error) {
	src := filepath.Join(dir, "src")
	if err := os.CopyFS(src, sources); err != nil {
		return "", "", err
	}
	for _, name := range []string{"launch", "floor"} {
		args := append(cflags[:len(cflags):len(cflags)], "-I", filepath.Join(src, "floor"),
			"-o", filepath.Join(dir, name), filepath.Join(src, name, name+".c"))
		out, err := exec.Command("cc", args...).CombinedOutput()
		if err != nil {
			return "", "", fmt.Errorf("cc %s.c (needs a C compiler and linux-libc-dev): %w\n%s", name, err, out)
		}
	}
	return filepath.Join(dir, "launch"), filepath.Join(dir, "floor"), nil
}
