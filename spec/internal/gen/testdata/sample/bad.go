package sample

// Types that gen must refuse.

type badFloat struct {
	F float32 `json:"f"`
}

type badAny struct {
	A any `json:"a"`
}

type badBytes struct {
	B []byte `json:"b"`
}

type badKey struct {
	M map[int]string `json:"m"`
}

type badPointers struct {
	P **int `json:"p"`
}

type badTag struct {
	S string
}

type badOption struct {
	S int `json:"s,string"`
}

type badTwice struct {
	Base
	Major int `json:"major"`
}

type notStruct int
