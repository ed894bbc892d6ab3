package json

import "strings"

// nameSet finds repeated names. Objects with unknown members are rare and
// small, so the first few names are compared one by one; the map keeps a
// hostile document from making that quadratic.
type nameSet struct {
	few  []string
	many map[string]struct{}
}

const fewNames = 16

// add adds name and says whether it is new.
func (s *nameSet) add(name string) bool {
	if s.many != nil {
		_, old := s.many[name]
		s.many[name] = struct{}{}
		return !old
	}
	for _, other := range s.few {
		if other == name {
			return false
		}
	}
	s.few = append(s.few, name)
	if len(s.few) == fewNames {
		s.many = make(map[string]struct{}, 2*fewNames)
		for _, other := range s.few {
			s.many[other] = struct{}{}
		}
	}
	return true
}

// reuse returns an empty set that keeps the memory of s.
func (s *nameSet) reuse() nameSet { return nameSet{few: s.few[:0]} }

// Nearest returns the word of known, a list separated by spaces, that name may
// be a misspelling of: equal but for case, or at most two edits away and at
// least half right.
func Nearest(name, known string) string {
	best, distance := "", min(2, len(name)/2)+1
	for word := range strings.FieldsSeq(known) {
		if strings.EqualFold(word, name) {
			return word
		}
		if n := edits(name, word, distance); n < distance {
			best, distance = word, n
		}
	}
	return best
}

// edits counts the insertions, deletions, replacements and swaps of neighbours
// that turn a into b (Damerau-Levenshtein, optimal string alignment), or
// returns limit if it takes as many or more.
func edits(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(a) > 64 {
		return limit
	}
	// rows[i%3] is row i of the matrix; a swap looks two rows back.
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, up := rows[i%3], rows[(i-1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := up[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, up[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], rows[(i-2)%3][j-2]+1)
			}
		}
	}
	return min(rows[len(a)%3][len(b)], limit)
}
