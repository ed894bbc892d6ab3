package main

import (
	"fmt"
	"go/types"
	"slices"
	"strings"
)

// decoder writes the decoder of a struct type, after those of its parts, and
// returns its name.
func (g *generator) decoder(named *types.Named) (string, error) {
	name, todo := g.function("decode", named)
	if !todo {
		return name, nil
	}
	list, err := members(named)
	if err != nil {
		return "", err
	}
	var cases strings.Builder
	for i, m := range list {
		read, err := g.read(m)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&cases, "case %q:\nd.Once(%d)\n%s", m.name, i, read)
		if c, ok := conditions[m.rule]; ok {
			fmt.Fprintf(&cases, "if %s {\nd.Require(%s)\n}\n", c.when, bits(list, func(m member) bool {
				return slices.Contains(c.require, m.name)
			}))
		}
	}
	required := bits(list, func(m member) bool { return !m.omitEmpty && !m.foreign && !optional[m.rule] })
	fmt.Fprintf(&g.body, "\nfunc %s(d *json.Decoder, v *%s) {\n", name, g.typeName(named))
	fmt.Fprintf(&g.body, "for d.Object(%q, %s); d.More(); {\nswitch d.Name() {\n", names(list), required)
	fmt.Fprintf(&g.body, "%sdefault:\nd.Unknown()\n}\n}\n}\n", cases.String())
	return name, nil
}

// names joins the members' names as Decoder.Object wants them.
func names(list []member) string {
	all := make([]string, len(list))
	for i, m := range list {
		all[i] = m.name
	}
	return strings.Join(all, " ")
}

// bits returns an expression for the set of members that satisfy want.
func bits(list []member, want func(member) bool) string {
	var set []string
	for i, m := range list {
		if want(m) {
			set = append(set, fmt.Sprintf("1<<%d", i))
		}
	}
	if set == nil {
		return "0"
	}
	return strings.Join(set, "|")
}

// read returns the statements that read one member.
func (g *generator) read(m member) (string, error) {
	if m.foreign {
		return "d.Skip()\n", nil
	}
	if value := g.scalar(m.kind, m.opaque); value != "" {
		return fmt.Sprintf("%s = %s\n", m.field, value), nil
	}
	if isTime(m.kind) {
		return fmt.Sprintf("%s = d.Time()\n", m.field), nil
	}
	if named := asStruct(m.kind); named != nil {
		f, err := g.decoder(named)
		return fmt.Sprintf("%s(d, &%s)\n", f, m.field), err
	}
	switch t := m.kind.Underlying().(type) {
	case *types.Pointer:
		return g.readPointer(m, t)
	case *types.Slice:
		return g.readSlice(m, t)
	case *types.Map:
		return g.readMap(m, t)
	}
	return "", unsupported(m)
}

// scalar returns an expression that reads a boolean, string or integer, or "".
func (g *generator) scalar(t types.Type, opaque bool) string {
	value, plain := "", ""
	switch k := basic(t); k {
	case types.Invalid:
		return ""
	case types.Bool:
		value, plain = "d.Bool()", "bool"
	case types.String:
		value, plain = "d.String()", "string"
		if opaque {
			value = "d.Text()"
		}
	default:
		size, unsigned := integerBits(k)
		value, plain = fmt.Sprintf("d.Int(%s)", size), "int64"
		if unsigned {
			value, plain = fmt.Sprintf("d.Uint(%s)", size), "uint64"
		}
	}
	if name := g.typeName(t); name != plain {
		return fmt.Sprintf("%s(%s)", name, value)
	}
	return value
}

func (g *generator) readPointer(m member, t *types.Pointer) (string, error) {
	if value := g.scalar(t.Elem(), m.opaque); value != "" {
		return fmt.Sprintf("if !d.Null() {\nx := %s\n%s = &x\n}\n", value, m.field), nil
	}
	named := asStruct(t.Elem())
	if named == nil {
		return "", unsupported(m)
	}
	f, err := g.decoder(named)
	return fmt.Sprintf("if !d.Null() {\n%s = new(%s)\n%s(d, %s)\n}\n", m.field, g.typeName(named), f, m.field), err
}

func (g *generator) readSlice(m member, t *types.Slice) (string, error) {
	if isString(t.Elem()) {
		return fmt.Sprintf("%s = json.Strings[%s](d)\n", m.field, g.typeName(t.Elem())), nil
	}
	loop := fmt.Sprintf("if !d.Null() {\n%s = %s{}\nfor d.Array(); d.More(); {\n", m.field, g.typeName(m.kind))
	if value := g.scalar(t.Elem(), false); value != "" && basic(t.Elem()) != types.Uint8 {
		return fmt.Sprintf("%s%s = append(%s, %s)\n}\n}\n", loop, m.field, m.field, value), nil
	}
	named := asStruct(t.Elem())
	if named == nil {
		return "", unsupported(m)
	}
	f, err := g.decoder(named)
	return fmt.Sprintf("%s%s = append(%s, %s{})\n%s(d, &%s[len(%s)-1])\n}\n}\n",
		loop, m.field, m.field, g.typeName(named), f, m.field, m.field), err
}

func (g *generator) readMap(m member, t *types.Map) (string, error) {
	key, ok := t.Key().(*types.Basic)
	if !ok || key.Kind() != types.String {
		return "", unsupported(m)
	}
	if b, ok := t.Elem().(*types.Basic); ok && b.Kind() == types.String {
		if m.opaque {
			return fmt.Sprintf("%s = d.TextMap()\n", m.field), nil
		}
		return fmt.Sprintf("%s = d.StringMap()\n", m.field), nil
	}
	named := asStruct(t.Elem())
	if named == nil {
		return "", unsupported(m)
	}
	f, err := g.decoder(named)
	return fmt.Sprintf("if !d.Null() {\n%s = %s{}\nfor d.Map(); d.More(); {\nkey := d.Key()\nvar x %s\n%s(d, &x)\n%s[key] = x\n}\n}\n",
		m.field, g.typeName(m.kind), g.typeName(named), f, m.field), err
}
