// Package sample has a field of every type that gen supports.
package sample

import (
	"time"

	"ociruntime/internal/json"
)

//go:generate go run ociruntime/spec/internal/gen -out sample_gen.go -decode ociruntime/spec/internal/gen/testdata/sample.All -encode ociruntime/spec/internal/gen/testdata/sample.All -encode ociruntime/spec/internal/gen/testdata/sample.Written

// Word is a named string.
type Word string

// Mode is a named integer.
type Mode uint32

// Base is embedded.
type Base struct {
	Major int64 `json:"major"`
	Minor int64 `json:"minor"`
}

type part struct {
	Base
	Rate *uint16 `json:"rate,omitempty"`
}

// All has everything; members without omitempty are required.
type All struct {
	Bool      bool              `json:"bool,omitempty"`
	Int       int               `json:"int,omitempty"`
	Int8      int8              `json:"int8,omitempty"`
	Int16     int16             `json:"int16,omitempty"`
	Int32     int32             `json:"int32,omitempty"`
	Int64     int64             `json:"int64"`
	Uint      uint              `json:"uint,omitempty"`
	Uint8     uint8             `json:"uint8,omitempty"`
	Uint16    uint16            `json:"uint16,omitempty"`
	Uint32    uint32            `json:"uint32,omitempty"`
	Uint64    uint64            `json:"uint64,omitempty"`
	Mode      Mode              `json:"mode,omitempty"`
	String    string            `json:"string"`
	Word      Word              `json:"word,omitempty"`
	BoolP     *bool             `json:"boolP,omitempty"`
	IntP      *int              `json:"intP,omitempty"`
	ModeP     *Mode             `json:"modeP,omitempty"`
	WordP     *Word             `json:"wordP,omitempty"`
	NullP     *int64            `json:"nullP"`
	Part      part              `json:"part"`
	PartP     *part             `json:"partP,omitempty"`
	Parts     []part            `json:"parts,omitempty"`
	NullParts []part            `json:"nullParts"`
	Words     []Word            `json:"words,omitempty"`
	Strings   []string          `json:"strings"`
	Uints     []uint32          `json:"uints,omitempty"`
	Map       map[string]string `json:"map,omitempty"`
	NullMap   map[string]string `json:"nullMap"`
	PartMap   map[string]part   `json:"partMap,omitempty"`
	Note      string            `json:"note,omitempty" gen:"opaque"`
	Notes     map[string]string `json:"notes,omitempty" gen:"opaque"`
	Time      time.Time         `json:"time"`
	Foreign   string            `json:"foreign,omitempty" platform:"windows"`
	Ignored   func()            `json:"-"`
	hidden    chan int
}

// Decode reads an All and returns what was wrong.
func Decode(in string) (v All, problems []string) {
	d := json.NewDecoder(in)
	decodeAll(d, &v)
	for _, p := range d.Close() {
		problems = append(problems, p.Error())
	}
	return v, problems
}

// Encode writes an All.
func Encode(v *All) []byte { return appendAll(nil, v) }

// EncodeWritten writes a Written.
func EncodeWritten(v *Written) []byte { return appendWritten(nil, v) }

// Written has what can be written only.
type Written struct {
	Share  float64           `json:"share"`
	Rare   float64           `json:"rare,omitempty"`
	Counts map[string]uint64 `json:"counts,omitempty"`
}
