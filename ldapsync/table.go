package ldapsync

import (
	"crypto/sha256"
	"encoding/binary"
)

// A key stands for a text in memory: 16 bytes of its SHA-256, or a UUID.
type key [16]byte

func keyOfText(text string) key {
	sum := sha256.Sum256([]byte(text))
	return key(sum[:16])
}

// A column is a list that grows without being copied and, where T has no
// pointers, costs the garbage collector nothing.
type column[T any] struct {
	chunks [][]T
	n      int
}

const chunkRows = 1 << 13

func (c *column[T]) len() int { return c.n }

func (c *column[T]) add(v T) int32 {
	if c.n%chunkRows == 0 {
		c.chunks = append(c.chunks, make([]T, chunkRows))
	}
	c.chunks[c.n/chunkRows][c.n%chunkRows] = v
	c.n++
	return int32(c.n - 1)
}

func (c *column[T]) at(i int32) *T { return &c.chunks[i/chunkRows][i%chunkRows] }

// nowhere is no row.
const nowhere = -1

// An index finds the row that has a key. It keeps row numbers only; the rows
// keep the keys.
type index struct {
	slots []int32 // row + 1; 0 is free
	n     int
	keyAt func(row int32) key
}

func newIndex(keyAt func(int32) key) index { return index{keyAt: keyAt} }

// slot is where k is, or would go.
func (x *index) slot(k key) int {
	// the end of a key: a UUIDv7 begins with the time
	at := int(binary.LittleEndian.Uint64(k[8:]) & uint64(len(x.slots)-1))
	for x.slots[at] != 0 && x.keyAt(x.slots[at]-1) != k {
		at = (at + 1) & (len(x.slots) - 1)
	}
	return at
}

func (x *index) find(k key) int32 {
	if x.n == 0 {
		return nowhere
	}
	return x.slots[x.slot(k)] - 1
}

// add enters a row under its key. If another row has the key already, that one
// stays, and is returned.
func (x *index) add(row int32) int32 {
	if 4*(x.n+1) > 3*len(x.slots) {
		x.grow()
	}
	at := x.slot(x.keyAt(row))
	if x.slots[at] != 0 {
		return x.slots[at] - 1
	}
	x.slots[at] = row + 1
	x.n++
	return nowhere
}

func (x *index) grow() {
	old := x.slots
	x.slots = make([]int32, max(64, 2*len(old)))
	for _, row := range old {
		if row != 0 {
			x.slots[x.slot(x.keyAt(row-1))] = row
		}
	}
}
