package libcontainer

import "ociruntime/internal/json"

// AppendJSON appends the state as JSON on one line.
func (s *State) AppendJSON(dst []byte) []byte { return appendState(dst, s) }

// AppendList appends an array of states on one line; nil is null.
func AppendList(dst []byte, list []State) []byte {
	if list == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '[')
	for i := range list {
		dst = list[i].AppendJSON(json.AppendComma(dst))
	}
	return append(dst, ']')
}
