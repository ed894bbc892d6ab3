package main

import (
	"fmt"
	"go/types"
	"strings"
)

// encoder writes the encoder of a struct type, after those of its parts, and
// returns its name.
func (g *generator) encoder(named *types.Named) (string, error) {
	name, todo := g.function("append", named)
	if !todo {
		return name, nil
	}
	list, err := members(named)
	if err != nil {
		return "", err
	}
	var body strings.Builder
	for _, m := range list {
		if m.foreign {
			continue
		}
		value, err := g.value(m, m.kind, m.field)
		if err != nil {
			return "", err
		}
		statement := fmt.Sprintf("dst = json.AppendName(dst, %q)\n%s", m.name, value)
		if set := isSet(m); m.omitEmpty && set != "" {
			statement = fmt.Sprintf("if %s {\n%s}\n", set, statement)
		}
		body.WriteString(statement)
	}
	fmt.Fprintf(&g.body, "\nfunc %s(dst []byte, v *%s) []byte {\ndst = append(dst, '{')\n%sreturn append(dst, '}')\n}\n",
		name, g.typeName(named), body.String())
	return name, nil
}

// isSet returns the condition under which omitempty keeps a member; "" means
// always, as for structs.
func isSet(m member) string {
	switch t := m.kind.Underlying().(type) {
	case *types.Basic:
		switch {
		case t.Info()&types.IsBoolean != 0:
			return m.field
		case t.Info()&types.IsString != 0:
			return m.field + ` != ""`
		default:
			return m.field + " != 0"
		}
	case *types.Pointer:
		return m.field + " != nil"
	case *types.Slice, *types.Map:
		return fmt.Sprintf("len(%s) > 0", m.field)
	}
	return ""
}

// value returns the statements that append an expression of type t.
func (g *generator) value(m member, t types.Type, x string) (string, error) {
	if s := g.appendScalar(t, x); s != "" {
		return s, nil
	}
	if isTime(t) {
		return fmt.Sprintf("dst = json.AppendTime(dst, %s)\n", x), nil
	}
	if named := asStruct(t); named != nil {
		f, err := g.encoder(named)
		return fmt.Sprintf("dst = %s(dst, &%s)\n", f, x), err
	}
	switch t := t.Underlying().(type) {
	case *types.Pointer:
		return g.writePointer(m, t, x)
	case *types.Slice:
		return g.writeSlice(m, t, x)
	case *types.Map:
		return g.writeMap(m, t, x)
	}
	return "", unsupported(m)
}

// appendScalar returns the statement that appends a boolean, string or
// number, or "" for other types.
func (g *generator) appendScalar(t types.Type, x string) string {
	if types.Identical(t, types.Typ[types.Float64]) {
		return fmt.Sprintf("dst = json.AppendFloat(dst, %s)\n", x)
	}
	function, plain := "", ""
	switch k := basic(t); k {
	case types.Invalid:
		return ""
	case types.Bool:
		function, plain = "Bool", "bool"
	case types.String:
		return fmt.Sprintf("dst = json.AppendString(dst, %s)\n", x)
	default:
		function, plain = "Int", "int64"
		if _, unsigned := integerBits(k); unsigned {
			function, plain = "Uint", "uint64"
		}
	}
	if types.Unalias(t).String() != plain {
		x = fmt.Sprintf("%s(%s)", plain, x)
	}
	return fmt.Sprintf("dst = json.Append%s(dst, %s)\n", function, x)
}

func (g *generator) writePointer(m member, t *types.Pointer, x string) (string, error) {
	value := g.appendScalar(t.Elem(), "*"+x)
	if named := asStruct(t.Elem()); named != nil {
		f, err := g.encoder(named)
		if err != nil {
			return "", err
		}
		value = fmt.Sprintf("dst = %s(dst, %s)\n", f, x)
	}
	if value == "" {
		return "", unsupported(m)
	}
	if m.omitEmpty {
		return value, nil
	}
	return orNull(x, value), nil
}

// orNull wraps statements for a value that may be nil.
func orNull(x, statements string) string {
	return fmt.Sprintf("if %s == nil {\ndst = append(dst, \"null\"...)\n} else {\n%s}\n", x, statements)
}

func (g *generator) writeSlice(m member, t *types.Slice, x string) (string, error) {
	if isString(t.Elem()) {
		return fmt.Sprintf("dst = json.AppendStrings(dst, %s)\n", x), nil
	}
	element, err := g.value(m, t.Elem(), x+"[i]")
	if err != nil || basic(t.Elem()) == types.Uint8 {
		return "", unsupported(m)
	}
	loop := fmt.Sprintf("dst = append(dst, '[')\nfor i := range %s {\ndst = json.AppendComma(dst)\n%s}\ndst = append(dst, ']')\n", x, element)
	if m.omitEmpty {
		return loop, nil
	}
	return orNull(x, loop), nil
}

func (g *generator) writeMap(m member, t *types.Map, x string) (string, error) {
	key, ok := t.Key().(*types.Basic)
	if !ok || key.Kind() != types.String {
		return "", unsupported(m)
	}
	if b, ok := t.Elem().(*types.Basic); ok && b.Kind() == types.String {
		return fmt.Sprintf("dst = json.AppendStringMap(dst, %s)\n", x), nil
	}
	value, err := g.value(m, t.Elem(), "x")
	if err != nil {
		return "", err
	}
	loop := fmt.Sprintf("dst = append(dst, '{')\nfor _, key := range json.Keys(%s) {\ndst = json.AppendName(dst, key)\nx := %s[key]\n%s}\ndst = append(dst, '}')\n", x, x, value)
	if m.omitEmpty {
		return loop, nil
	}
	return orNull(x, loop), nil
}
