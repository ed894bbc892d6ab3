package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ociruntime/tests/harness"
)

// TestGC: what killed commands have left goes, everything else stays.
func TestGC(t *testing.T) {
	t.Parallel()
	env := harness.New(t)
	created, stopped := env.Create(env.Bundle()), env.Create(env.Bundle())
	stopped.Stop()
	half := halfCreated(t, env)
	hooked := halfDeleted(t, env)
	old := env.Create(env.Bundle())
	old.Stop()
	for _, dir := range recordedCgroups(t, env, old.ID) { // a boot leaves none
		check(t, os.Remove(dir))
	}
	forge(t, env, old.ID, func(state map[string]any) { state["bootId"] = "00000000-0000-0000-0000-000000000000" })
	empty, young, broken := env.ID(), env.ID(), env.ID()
	for _, id := range []string{empty, young, broken} {
		check(t, os.Mkdir(filepath.Join(env.Root, id), 0o711))
	}
	write(t, filepath.Join(env.Root, broken, "state.json"), "{")
	anHourAgo := time.Now().Add(-time.Hour)
	check(t, os.Chtimes(filepath.Join(env.Root, empty), anHourAgo, anHourAgo))

	planned := env.Call("gc", "--dry-run").WantCode(t, 0).Stdout
	for _, id := range []string{half, hooked, old.ID, empty} {
		if !strings.Contains(planned, id+"\t") {
			t.Errorf("gc --dry-run does not name %s: %s", id, planned)
		}
	}
	want(t, "lines", strings.Count(planned, "\n"), 4)
	want(t, "what gc removes", env.Call("gc").WantCode(t, 0).Stdout, planned)
	want(t, "a second gc", env.Call("gc").WantCode(t, 0).Stdout, "")
	wantFile(t, env.File("ran"), "poststop\npoststop\n")
	created.WantStatus("created")
	stopped.WantStatus("stopped")
	entries, err := os.ReadDir(env.Root)
	check(t, err)
	for _, entry := range entries {
		if name := entry.Name(); !strings.Contains(created.ID+" "+stopped.ID+" "+young+" "+broken, name) && !strings.HasPrefix(name, ".@") {
			t.Errorf("gc has left %s", name)
		}
	}
	check(t, os.RemoveAll(filepath.Join(env.Root, young)))
	check(t, os.RemoveAll(filepath.Join(env.Root, broken)))
}

// halfCreated kills a create in a hook.
func halfCreated(t *testing.T, env *harness.Env) string {
	t.Helper()
	id := env.ID()
	bundle := env.Bundle(addHook("createRuntime", shellHook("touch "+env.File("reached")+"; exec sleep 1000")))
	create := env.Command("create", "--bundle", bundle.Dir, id).Start()
	waitForFile(t, env.File("reached"))
	want(t, "gc of what is being created", env.Call("gc").WantCode(t, 0).Stdout, "")
	killRuntime(create)
	return id
}

// halfDeleted kills a delete in a poststop hook, which ends when it runs again.
func halfDeleted(t *testing.T, env *harness.Env) string {
	t.Helper()
	c := env.Create(env.Bundle(addHook("poststop", shellHook(
		"echo poststop >>"+env.File("ran")+"; [ $(wc -l <"+env.File("ran")+") = 2 ] || exec sleep 1000"))))
	c.Stop()
	first := env.Command("delete", c.ID).Start()
	waitForFile(t, env.File("ran"))
	killRuntime(first)
	return c.ID
}
