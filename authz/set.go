package authz

import (
	"iter"
	"math/bits"
	"slices"
)

// A privID numbers a privilege or right inside a catalogue, from 1 up; 0 is
// none and in no set.
type privID uint32

// number is what sets hold: a privilege or a group.
type number interface{ ~uint32 }

// A set is frozen and laid out for has: dense as a bit field, sparse as a hash
// table with open addressing. At most one is set; 0 is never a member.
type set[N number] struct {
	dense  []uint64
	sparse []N // a power of two; 0 is a free slot
}

// has reports whether n is in the set.
func (s *set[N]) has(n N) bool {
	if s.dense != nil {
		word := int(n >> 6)
		return word < len(s.dense) && s.dense[word]>>(n&63)&1 != 0
	}
	return len(s.sparse) != 0 && s.probe(n)
}

func (s *set[N]) probe(n N) bool {
	for i := slot(n); ; i++ {
		switch s.sparse[i&uint32(len(s.sparse)-1)] {
		case 0:
			return false
		case n:
			return true
		}
	}
}

// slot spreads neighbouring numbers (Fibonacci hashing).
func slot[N number](n N) uint32 { return uint32(n) * 2654435769 >> 7 }

// all yields the members, in no order.
func (s *set[N]) all() iter.Seq[N] {
	return func(yield func(N) bool) {
		for _, n := range s.sparse {
			if n != 0 && !yield(n) {
				return
			}
		}
		for i, word := range s.dense {
			for ; word != 0; word &= word - 1 {
				if !yield(N(i*64 + bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}

func (s *set[N]) empty() bool { return len(s.dense)+len(s.sparse) == 0 }

// sameMembers compares sets whose tables may have been filled in another order.
func (s *set[N]) sameMembers(other *set[N]) bool {
	if s.size() != other.size() {
		return false
	}
	for n := range s.all() {
		if !other.has(n) {
			return false
		}
	}
	return true
}

func (s *set[N]) size() (n int) {
	for range s.all() {
		n++
	}
	return n
}

func (s *set[N]) equal(other *set[N]) bool {
	return slices.Equal(s.dense, other.dense) && slices.Equal(s.sparse, other.sparse)
}

// setOf freezes a list, which may hold a number twice.
func setOf[N number](list []N) set[N] {
	if len(list) == 0 {
		return set[N]{}
	}
	last := slices.Max(list)
	if words := int(last>>6) + 1; 8*words <= 2*4*tableSize(len(list)) {
		dense := make([]uint64, words)
		for _, n := range list {
			dense[n>>6] |= 1 << (n & 63)
		}
		return set[N]{dense: dense}
	}
	return hashed(list)
}

// tableSize is a power of two of which n is at most two thirds. A bit field
// may take twice the room of the table, since it is faster.
func tableSize(n int) int { return 1 << bits.Len(uint(n+n/2)) }

func hashed[N number](list []N) set[N] {
	s := set[N]{sparse: make([]N, tableSize(len(list)))}
	mask := uint32(len(s.sparse) - 1)
	for _, n := range list {
		i := slot(n)
		for s.sparse[i&mask] != 0 && s.sparse[i&mask] != n {
			i++
		}
		s.sparse[i&mask] = n
	}
	return s
}

// hasAny reports whether one of ids is in s.
func hasAny(s *set[privID], ids *[3]privID) bool {
	for _, id := range ids {
		if id == 0 {
			return false // the ids come first
		}
		if s.has(id) {
			return true
		}
	}
	return false
}

// privBits is a set of privileges under construction.
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
func (b *privBits) union(s *set[privID]) {
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
func (b privBits) freeze() set[privID] {
	n, last := 0, -1
	for i, word := range b {
		if word != 0 {
			n, last = n+bits.OnesCount64(word), i
		}
	}
	if n == 0 {
		return set[privID]{}
	}
	dense := set[privID]{dense: b[:last+1]}
	if 8*(last+1) <= 2*4*tableSize(n) {
		dense.dense = slices.Clone(dense.dense)
		return dense
	}
	return hashed(slices.AppendSeq(make([]privID, 0, n), dense.all()))
}
