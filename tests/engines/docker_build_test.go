package engines

import (
	"os"
	"strings"
	"testing"
)

// dockerBuild: the classic builder uses the default runtime, BuildKit calls
// `runc run` itself.
func dockerBuild(t *testing.T, d *Docker) {
	for builder, env := range map[string]string{"classic": "DOCKER_BUILDKIT=0", "buildkit": "DOCKER_BUILDKIT=1"} {
		build := func(t *testing.T, lines ...string) (string, Result) {
			tag := strings.ToLower("img" + name())
			dir := d.File("tmp", tag)
			check(t, os.Mkdir(dir, 0o755))
			check(t, os.WriteFile(dir+"/file", []byte("context"), 0o644))
			check(t, os.WriteFile(dir+"/Dockerfile", []byte("FROM "+image+"\n"+strings.Join(lines, "\n")+"\n"), 0o644))
			return tag, d.CallWith(t, "", []string{env}, "docker", "build", "--tag", tag, dir)
		}
		parallel(t, "build-"+builder, func(t *testing.T) {
			tag, r := build(t, "COPY file /copied", "ENV A=b", "RUN echo $A >/made && id -u >>/made", "USER user", "WORKDIR /home/user", "RUN id -u >mine && pwd >>mine", "CMD cat /copied /made mine")
			r.OK(t)
			equals(t, "output", d.Docker(t, "run", "--rm", tag).OK(t), "contextb\n0\n1000\n/home/user")
			d.Docker(t, "rmi", tag).OK(t)
		})
		parallel(t, "build-fails-"+builder, func(t *testing.T) {
			_, r := build(t, "RUN echo before; exit 42")
			r.Fails(t, "42", "before")
		})
		parallel(t, "build-missing-"+builder, func(t *testing.T) {
			_, r := build(t, `RUN ["/no/such"]`)
			r.Fails(t, "/no/such")
		})
		parallel(t, "build-network-"+builder, func(t *testing.T) {
			_, r := build(t, "RUN ls /sys/class/net >/n && grep -q lo /n")
			r.OK(t)
		})
	}
}
