package spec

import "strings"

// version checks ociVersion (config.md#specification-version). Any version of
// the major one that this runtime knows is compatible, newer ones too: their
// unknown properties are to be ignored.
func (c *checker) version() {
	const field = "ociVersion"
	version := c.config.Version
	if version == "" {
		c.problem(field, "is missing")
		return
	}
	if !isSemVer(version) {
		c.value(field, version, "is not a version as SemVer 2.0.0 has it, such as \"1.3.0\"")
		return
	}
	if major, _, _ := strings.Cut(version, "."); major != "1" {
		c.value(field, version, "is a major version that this runtime does not know, it knows 1")
	}
}

// isSemVer says whether v is MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD] by the
// grammar of semver.org 2.0.0.
func isSemVer(v string) bool {
	v, build, hasBuild := strings.Cut(v, "+")
	core, prerelease, hasPrerelease := strings.Cut(v, "-")
	numbers := strings.Split(core, ".")
	if len(numbers) != 3 {
		return false
	}
	for _, n := range numbers {
		if !isDigits(n) || len(n) > 1 && n[0] == '0' {
			return false
		}
	}
	return (!hasPrerelease || areIdentifiers(prerelease, true)) && (!hasBuild || areIdentifiers(build, false))
}

// areIdentifiers checks the parts between dots after "-" or "+". Only in the
// former is a number with leading zeros wrong.
func areIdentifiers(list string, ordered bool) bool {
	for id := range strings.SplitSeq(list, ".") {
		if id == "" || ordered && len(id) > 1 && id[0] == '0' && isDigits(id) {
			return false
		}
		for _, c := range []byte(id) {
			if !isAlphanumeric(c) && c != '-' {
				return false
			}
		}
	}
	return true
}

func isDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}
