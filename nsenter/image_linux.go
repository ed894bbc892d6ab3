package nsenter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The image is an ELF executable of three segments and nothing else:
//
//	file offset 0      ELF header, program headers, the replay loop   R-X
//	page 1             the ops                                        R--
//	after the ops      the arena                                      RW-
//
// Only arena pages that the stage writes to become memory of its own.
const (
	page       = imagePage
	headerSize = 64
	phdrSize   = 56
	phdrs      = 4
	textOffset = headerSize + phdrs*phdrSize
)

// endMark follows the replay loop in stage_*.s.
var endMark = [16]byte{'t', 'a', 'g', 'e', '-', 'e', 'n', 'd', '.', '.', '.', '.', '.', '.', '.', '\n'}

func stageText() unsafe.Pointer

// loop returns the machine code of the stage.
func loop() ([]byte, error) {
	const most = 2048
	text := unsafe.Slice((*byte)(stageText()), most)
	n := bytes.Index(text, endMark[:])
	if n < 0 {
		return nil, errors.New("bug: the stage has no end mark")
	}
	return text[:n], nil
}

// head returns the first page: headers and the replay loop.
func head(opsSize, arenaSize int) ([]byte, error) {
	text, err := loop()
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, textOffset+len(text))
	b = append(b, 0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = le(b, 2, 2)                   // ET_EXEC
	b = le(b, 2, elfMachine)          //
	b = le(b, 4, 1)                   // EV_CURRENT
	b = le(b, 8, textBase+textOffset) // entry point
	b = le(b, 8, headerSize)          // program headers follow
	b = le(b, 8, 0)                   // no sections
	b = le(b, 4, 0)                   // flags
	b = le(b, 2, headerSize, phdrSize, phdrs, 0, 0, 0)
	ops := uint64(roundUp(opsSize))
	b = phdr(b, 1, 5, 0, textBase, uint64(textOffset+len(text)))
	b = phdr(b, 1, 4, page, opsBase, uint64(opsSize))
	b = phdr(b, 1, 6, page+ops, arenaBase, uint64(arenaSize))
	b = phdr(b, 0x6474e551, 6, 0, 0, 0) // PT_GNU_STACK: not executable
	return append(b, text...), nil
}

func phdr(b []byte, kind, flags, offset, addr, size uint64) []byte {
	b = le(b, 4, kind, flags)
	return le(b, 8, offset, addr, addr, size, size, page)
}

// le appends values of size bytes each, little endian.
func le(b []byte, size int, values ...uint64) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, v)[:len(b)+size]
	}
	return b
}

func roundUp(n int) int { return (n + page - 1) &^ (page - 1) }

// write puts the image of p into file.
func (p *Program) write(file int) error {
	opsBytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(p.ops))), len(p.ops)*opSize)
	first, err := head(len(opsBytes), len(p.arena))
	if err != nil {
		return err
	}
	pad := make([]byte, page)
	iov := [][]byte{first, pad[len(first):], opsBytes, pad[:roundUp(len(opsBytes))-len(opsBytes)], p.arena}
	total := 0
	for _, v := range iov {
		total += len(v)
	}
	n, err := unix.Writev(file, iov)
	if err == nil && n != total {
		err = unix.ENOSPC
	}
	if err != nil {
		return fmt.Errorf("write the stage's image: %w", err)
	}
	return nil
}
