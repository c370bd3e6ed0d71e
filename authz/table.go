package authz

import (
	"encoding/binary"
	"math/bits"
)

// table finds values by text. It is built once and only read; for the short
// keys of a catalogue a look-up takes about half the time of a map's, and a
// check has one.
type table[T any] struct {
	slots []uint32 // a power of two; place in items from 1, 0 is free
	items []item[T]
}

type item[T any] struct {
	key   string
	value T
}

func newTable[T any](items []item[T]) table[T] {
	size := 4
	for size < 2*len(items) {
		size *= 2
	}
	t := table[T]{make([]uint32, size), items}
	for i := range items {
		at := hashText(items[i].key)
		for ; t.slots[at&uint32(size-1)] != 0; at++ {
		}
		t.slots[at&uint32(size-1)] = uint32(i + 1)
	}
	return t
}

// get is nil for an unknown key. Of items with the same key the first is found.
func (t *table[T]) get(key string) *T {
	mask := uint32(len(t.slots) - 1)
	if len(t.slots) == 0 {
		return nil
	}
	for at := hashText(key); ; at++ {
		n := t.slots[at&mask]
		if n == 0 {
			return nil
		}
		if it := &t.items[n-1]; it.key == key {
			return &it.value
		}
	}
}

// hashText mixes the length and the ends of a text, where keys differ most.
// Whoever writes a policy could choose keys that collide, and would only slow
// down checks of it.
func hashText(s string) uint32 {
	var head, tail uint64
	switch {
	case len(s) >= 8:
		head, tail = load64(s), load64(s[len(s)-8:])
	default:
		for i := range len(s) {
			head = head<<8 | uint64(s[i])
		}
	}
	hi, lo := bits.Mul64(head^0x9e3779b97f4a7c15^uint64(len(s)), tail^0xd1b54a32d192ed03)
	return uint32(hi ^ lo)
}

func load64(s string) uint64 {
	var b [8]byte
	copy(b[:], s)
	return binary.LittleEndian.Uint64(b[:])
}
