package libcontainer

import "ociruntime/internal/diag"

// maxID is the longest id: it is a file name, NAME_MAX.
const maxID = 255

// checkID reports whether id may name a container: letters, digits and
// "_+.-", but neither "." nor "..", so that it is always one path element.
func checkID(id string) error {
	if id == "" {
		return &diag.Error{Err: ErrEmptyID, Code: "id-invalid"}
	}
	if id == "." || id == ".." || len(id) > maxID {
		return invalidID(id)
	}
	for i := range len(id) {
		if !idByte(id[i]) {
			return invalidID(id)
		}
	}
	return nil
}

func invalidID(id string) error {
	return &diag.Error{Path: id, Err: ErrInvalidID, Hint: "letters, digits and _ + . -, at most 255", Code: "id-invalid"}
}

func idByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '_' || c == '+' || c == '.' || c == '-'
}
