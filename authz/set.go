package authz

import (
	"iter"
	"math/bits"
	"slices"
)

// A privID numbers a privilege or right inside a catalogue, from 1 up; 0 is
// none and in no set.
type privID uint32

// A privSet is a frozen set of privileges, laid out for has: dense as a bit
// field, sparse as a hash table with open addressing. At most one is set.
type privSet struct {
	dense  []uint64
	sparse []privID // a power of two; 0 is a free slot
}

// has reports whether p is in the set.
func (s *privSet) has(p privID) bool {
	if s.dense != nil {
		word := int(p >> 6)
		return word < len(s.dense) && s.dense[word]>>(p&63)&1 != 0
	}
	if len(s.sparse) == 0 || p == 0 {
		return false
	}
	for i := slot(p); ; i++ {
		switch s.sparse[i&uint32(len(s.sparse)-1)] {
		case p:
			return true
		case 0:
			return false
		}
	}
}

// hasAny reports whether one of ps is in the set.
func (s *privSet) hasAny(ps *[3]privID) bool {
	for _, p := range ps {
		if p != 0 && s.has(p) {
			return true
		}
	}
	return false
}

// slot spreads neighbouring numbers (Fibonacci hashing).
func slot(p privID) uint32 { return uint32(p) * 2654435769 >> 7 }

// all yields the members, in no order.
func (s *privSet) all() iter.Seq[privID] {
	return func(yield func(privID) bool) {
		for _, p := range s.sparse {
			if p != 0 && !yield(p) {
				return
			}
		}
		for i, word := range s.dense {
			for ; word != 0; word &= word - 1 {
				if !yield(privID(i*64 + bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}

// privBits is a set under construction.
type privBits []uint64

func (b *privBits) add(p privID) {
	if p == 0 {
		return
	}
	word := int(p >> 6)
	if word >= len(*b) {
		*b = append(*b, make([]uint64, word+1-len(*b))...)
	}
	(*b)[word] |= 1 << (p & 63)
}

func (b *privBits) addAll(ps []privID) {
	for _, p := range ps {
		b.add(p)
	}
}

// union adds a frozen set.
func (b *privBits) union(s *privSet) {
	if s.dense != nil {
		b.or(s.dense)
		return
	}
	for _, p := range s.sparse {
		b.add(p)
	}
}

// or adds another set and reports whether b grew.
func (b *privBits) or(other privBits) (grew bool) {
	if len(other) > len(*b) {
		*b = append(*b, make([]uint64, len(other)-len(*b))...)
	}
	for i, word := range other {
		if word&^(*b)[i] != 0 {
			(*b)[i] |= word
			grew = true
		}
	}
	return grew
}

func (b privBits) has(p privID) bool {
	word := int(p >> 6)
	return word < len(b) && b[word]>>(p&63)&1 != 0
}

func (b privBits) empty() bool {
	return !slices.ContainsFunc(b, func(word uint64) bool { return word != 0 })
}

// freeze copies b into its smaller layout.
func (b privBits) freeze() privSet {
	n, last := 0, -1
	for i, word := range b {
		if word != 0 {
			n, last = n+bits.OnesCount64(word), i
		}
	}
	if n == 0 {
		return privSet{}
	}
	size := 1 << bits.Len(uint(n+n/2)) // at most two thirds full
	if 8*(last+1) <= 8*size {          // dense tests are faster, so it may take twice the room
		return privSet{dense: slices.Clone(b[:last+1])}
	}
	s := privSet{sparse: make([]privID, size)}
	dense := privSet{dense: b[:last+1]}
	for p := range dense.all() {
		i := slot(p)
		for s.sparse[i&uint32(size-1)] != 0 {
			i++
		}
		s.sparse[i&uint32(size-1)] = p
	}
	return s
}
