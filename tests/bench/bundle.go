package main

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// token is what the container's program prints, so that a run that did nothing is noticed.
const token = "ocibench-says-hello"

// applets are the busybox programs that the containers use.
var applets = []string{"sh", "cat", "echo", "grep", "head", "hostname", "id", "sleep", "touch", "wc"}

// makeRootfs makes dir/rootfs from a static busybox.
func makeRootfs(dir string) error {
	busybox, err := findBusybox()
	if err != nil {
		return err
	}
	bin := filepath.Join(dir, "rootfs", "bin")
	for _, sub := range []string{"bin", "proc", "sys", "dev", "etc"} {
		if err := os.MkdirAll(filepath.Join(dir, "rootfs", sub), 0o755); err != nil {
			return err
		}
	}
	for _, applet := range applets {
		if err := os.Symlink("busybox", filepath.Join(bin, applet)); err != nil {
			return err
		}
	}
	return copyFile(busybox, filepath.Join(bin, "busybox"))
}

func findBusybox() (string, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return "", fmt.Errorf("a static busybox is needed (Debian: busybox-static): %w", err)
	}
	file, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			return "", fmt.Errorf("%s is not static (Debian: busybox-static)", path)
		}
	}
	return path, nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

// bundleOptions is in what a bundle differs from testdata/config.json.
type bundleOptions struct {
	args     []string
	rootfs   string
	cgroup   string // linux.cgroupsPath
	seccomp  bool
	cgroupNS bool
	memory   int64 // linux.resources.memory.limit in bytes, 0 for none
}

// writeBundle writes dir/config.json.
func writeBundle(dir string, o bundleOptions) error {
	var config map[string]any
	if err := decodeEmbedded("testdata/config.json", &config); err != nil {
		return err
	}
	linux := config["linux"].(map[string]any)
	config["process"].(map[string]any)["args"] = o.args
	config["root"].(map[string]any)["path"] = o.rootfs
	linux["cgroupsPath"] = o.cgroup
	if o.cgroupNS {
		linux["namespaces"] = append(linux["namespaces"].([]any), map[string]any{"type": "cgroup"})
	}
	if o.memory > 0 {
		linux["resources"].(map[string]any)["memory"] = map[string]any{"limit": o.memory}
	}
	if o.seccomp {
		profile, err := seccompProfile()
		if err != nil {
			return err
		}
		linux["seccomp"] = profile
	}
	data, err := json.MarshalIndent(config, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), data, 0o644)
}

// seccompProfile is Docker's default profile, for the architecture of this machine.
// Names that it does not have are skipped by the runtimes.
func seccompProfile() (map[string]any, error) {
	var profile map[string]any
	if err := decodeEmbedded("testdata/seccomp.json", &profile); err != nil {
		return nil, err
	}
	if runtime.GOARCH == "arm64" {
		profile["architectures"] = []string{"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"}
	}
	return profile, nil
}

func decodeEmbedded(name string, into any) error {
	data, err := sources.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
