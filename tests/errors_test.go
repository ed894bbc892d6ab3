package tests

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ociruntime/tests/harness"
)

// situation is one row of the table of errors (errorRows): what somebody did
// wrong, or had bad luck with, and what the runtime says to it.
type situation struct {
	name string
	code string
	make func(s *scene) harness.Result // runs into the error
	// says is the whole message. $ID, $BUNDLE, $ROOT and $DIR stand for what the
	// scene has, and … for what differs from host to host.
	says string
}

// scene is where a situation is played.
type scene struct {
	*harness.Env
	id     string
	bundle *harness.Bundle // the last one made
	words  []string        // placeholder, value, ...
}

// TestErrors: each message is exactly what the table says: it names the object
// and the cause, keeps the words that engines look for, and has its code.
func TestErrors(t *testing.T) {
	t.Parallel()
	for _, row := range errorRows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := &scene{Env: harness.New(t)}
			s.id = s.ID()
			r := row.make(s)
			if r.Code == 0 {
				t.Fatalf("no error; %s", r)
			}
			lines := strings.Split(strings.TrimSuffix(r.Stderr, "\n"), "\n")
			says := harness.Message(lines[len(lines)-1])
			if !s.matches(says, row.says) {
				t.Errorf("message:\n got  %s\n want %s", says, s.fill(row.says))
			}
			want(t, "code", r.ErrorCode(), row.code)
			for _, internal := range []string{"goroutine", "specs.", "strconv.", "/proc/self/fd", "0x", "%!", "exit status 1)"} {
				if strings.Contains(says, internal) {
					t.Errorf("the message shows %q: %s", internal, says)
				}
			}
		})
	}
}

// fill puts the scene's own values in the place of their names.
func (s *scene) fill(text string) string {
	words := append([]string{"$ID", s.id, "$ROOT", s.Root, "$DIR", s.Dir}, s.words...)
	if s.bundle != nil {
		words = append(words, "$BUNDLE", s.bundle.Dir)
	}
	return strings.NewReplacer(words...).Replace(text)
}

func (s *scene) matches(got, want string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(s.fill(want)), "…", ".*")
	return regexp.MustCompile("^" + pattern + "$").MatchString(got)
}

// coveredElsewhere are the codes that take another host or another build than
// these tests have, with the test that produces them.
var coveredElsewhere = map[string]string{
	"config-unknown": "tests/check_codes_test.go", // findings of check, not errors
	"config-warning": "tests/check_codes_test.go",
	"internal":       "internal/diag/error_test.go", // the harness fails on it wherever it comes
	// Builds and hosts that are others.
	"seccomp-unsupported": "libcontainer/seccomp/unsupported_test.go",
	"systemd-unit":        "cgroups/systemd/scope_test.go",
	// It takes a process that SIGKILL does not end.
	"cgroup-busy":           "cgroups/group_test.go",
	"cgroup-freeze-timeout": "cgroups/freeze_linux.go", // not produced: it takes a process that cannot be frozen either
	// CRIU's, with a criu of the tests' own.
	"criu-missing":     "tests/checkpoint_failure_test.go TestCheckpointWithoutCRIU",
	"criu-rootless":    "tests/checkpoint_failure_test.go TestCheckpointRootless",
	"criu-too-old":     "libcontainer/criu/criu_test.go TestCheck",
	"criu-unsupported": "libcontainer/criu/criu_test.go TestCheck",
	"criu-silent":      "tests/checkpoint_failure_test.go TestCheckpointKilledCRIU",
	"criu-failed":      "tests/checkpoint_failure_test.go TestCheckpointRefused",
	"criu-images":      "tests/checkpoint_failure_test.go TestRestoreRefused",
}

// TestEveryCode: each code that the runtime can explain is produced by a row of
// the table, or by a test named above.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	codes := harness.Codes(t)
	if len(codes) < 50 {
		t.Fatalf("runtime explain lists %d codes", len(codes))
	}
	for _, code := range codes {
		file, elsewhere := coveredElsewhere[code]
		row := slices.ContainsFunc(errorRows, func(s situation) bool { return s.code == code })
		switch {
		case row && elsewhere:
			t.Errorf("%s has a row, and is said to be covered by %s", code, file)
		case !row && !elsewhere:
			t.Errorf("nothing produces the code %s", code)
		case elsewhere:
			file, test, named := strings.Cut(file, " ")
			sign := `"` + code + `"`
			if named {
				sign = "func " + test + "("
			}
			if text, err := os.ReadFile("../" + file); err != nil || !strings.Contains(string(text), sign) {
				t.Errorf("%s has no %s for the code %s: %v", file, sign, code, err)
			}
		}
	}
}
