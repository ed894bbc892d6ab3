package systemd

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"ociruntime/internal/diag"
)

// annotationPrefix is in front of a unit property in an annotation:
// org.systemd.property.TimeoutStopUSec: "uint64 30000000".
const annotationPrefix = "org.systemd.property."

// reserved are the properties that make the scope this container's; an
// annotation, which may come from whoever wrote a pod, cannot change them.
var reserved = [...]string{"PIDs", "PIDFDs", "Slice", "Delegate", "DelegateSubgroup", "DevicePolicy", "DeviceAllow", "Controller", "User", "Group"}

// FromAnnotations reads unit properties from annotations. A value is in
// GVariant's text form, as far as unit properties have such types: true, 5,
// uint64 5, 'text', ['a', 'b'], [uint32 1, 2].
func FromAnnotations(annotations map[string]string) ([]Property, error) {
	var list []Property
	for _, key := range slices.Sorted(keys(annotations)) {
		name, ok := strings.CutPrefix(key, annotationPrefix)
		if !ok {
			continue
		}
		p, err := fromAnnotation(name, annotations[key])
		if err != nil {
			return nil, &diag.Error{Field: "annotations[" + key + "]", Path: annotations[key], Err: err, Code: "systemd-annotation"}
		}
		list = append(list, p)
	}
	return list, nil
}

func fromAnnotation(name, text string) (Property, error) {
	if !isWord(name) {
		return Property{}, errors.New("the property's name must have three or more letters and nothing else")
	}
	if slices.Contains(reserved[:], name) {
		return Property{}, errors.New("the runtime sets this property itself")
	}
	value, err := parseVariant(text)
	if err != nil {
		return Property{}, err
	}
	if base, ok := strings.CutSuffix(name, "Sec"); ok && !strings.HasSuffix(name, "USec") {
		return seconds(base, value)
	}
	return Property{Name: name, Value: value}, nil
}

// seconds converts TimeoutStopSec, which unit files know, to TimeoutStopUSec,
// which the bus knows.
func seconds(base string, value any) (Property, error) {
	const micro = 1000000
	var n uint64
	switch v := value.(type) {
	case int32:
		n = uint64(max(v, 0))
	case uint32:
		n = uint64(v)
	case int64:
		n = uint64(max(v, 0))
	case uint64:
		n = v
	default:
		return Property{}, errors.New("a time must be a number of seconds")
	}
	if n > infinity/micro {
		return Property{}, errors.New("the time is too long")
	}
	return Property{Name: base + "USec", Value: n * micro}, nil
}

func isWord(name string) bool {
	for i := range len(name) {
		if c := name[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return len(name) >= 3
}

var errVariant = errors.New("is not a value such as true, uint64 5, 'text' or ['a', 'b']")

// parseVariant reads one value.
func parseVariant(text string) (any, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "true" || text == "false":
		return text == "true", nil
	case strings.HasPrefix(text, "["):
		return parseArray(text)
	case strings.HasPrefix(text, "'") || strings.HasPrefix(text, `"`):
		s, rest, ok := quoted(text)
		if !ok || rest != "" {
			return nil, errVariant
		}
		return s, nil
	}
	return parseNumber(text)
}

// parseNumber reads "5", which is an int32, or "uint64 5".
func parseNumber(text string) (any, error) {
	kind, number, ok := strings.Cut(text, " ")
	if !ok {
		kind, number = "int32", text
	}
	number = strings.TrimSpace(number)
	var value any
	var err error
	switch kind {
	case "int32":
		var n int64
		n, err = strconv.ParseInt(number, 0, 32)
		value = int32(n)
	case "uint32":
		var n uint64
		n, err = strconv.ParseUint(number, 0, 32)
		value = uint32(n)
	case "int64":
		value, err = strconv.ParseInt(number, 0, 64)
	case "uint64":
		value, err = strconv.ParseUint(number, 0, 64)
	default:
		return nil, errVariant
	}
	if err != nil {
		return nil, errVariant
	}
	return value, nil
}

// quoted takes a quoted text off the front; a backslash keeps the next byte.
func quoted(text string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == text[0]:
			return b.String(), strings.TrimSpace(text[i+1:]), true
		case text[i] == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case text[i] == 0:
			return "", "", false // the wire format has no room for it
		default:
			b.WriteByte(text[i])
		}
	}
	return "", "", false
}

// parseArray reads a list of texts, or of uint32 where the first says so.
func parseArray(text string) (any, error) {
	inner, ok := strings.CutSuffix(text[1:], "]")
	if !ok {
		return nil, errVariant
	}
	inner = strings.TrimSpace(inner)
	if rest, ok := strings.CutPrefix(inner, "uint32 "); ok {
		return parseNumbers(rest)
	}
	list := []string{}
	for inner != "" {
		if inner[0] != '\'' && inner[0] != '"' {
			return nil, errVariant
		}
		s, rest, ok := quoted(inner)
		if !ok {
			return nil, errVariant
		}
		list = append(list, s)
		if rest != "" {
			if rest[0] != ',' {
				return nil, errVariant
			}
			rest = strings.TrimSpace(rest[1:])
			if rest == "" {
				return nil, errVariant
			}
		}
		inner = rest
	}
	return list, nil
}

func parseNumbers(text string) (any, error) {
	var list []uint32
	for one := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseUint(strings.TrimSpace(one), 0, 32)
		if err != nil {
			return nil, errVariant
		}
		list = append(list, uint32(n))
	}
	return list, nil
}
