package authz

import (
	"slices"

	"github.com/usherd/usherd/directory"
)

// index has for every privilege the groups from which some path ends in it,
// whatever the obstacle. A check looks here first: what no group of a subject
// reaches needs no second look, and all groups are found in one set.
type index struct {
	paged[*set[directory.GroupNum]]
}

// lookup finds the sets of those of ids that any group reaches.
func (x *index) lookup(ids *[3]privID) (found [3]*set[directory.GroupNum], n int) {
	for _, id := range ids {
		if id == 0 {
			break
		}
		if s := x.get(uint32(id)); s != nil {
			found[n] = s
			n++
		}
	}
	return found, n
}

// nextIn is the place of the first membership, from a place on, in a group of
// one of the sets; len(ms) if there is none.
func nextIn(sets []*set[directory.GroupNum], ms []directory.Membership, from int) int {
	if len(sets) == 1 && sets[0].dense != nil { // most checks: keep it tight
		dense := sets[0].dense
		for i := from; i < len(ms); i++ {
			num := ms[i].Group
			if word := int(num >> 6); word < len(dense) && dense[word]>>(num&63)&1 != 0 {
				return i
			}
		}
		return len(ms)
	}
	if len(sets) == 0 {
		return len(ms)
	}
	for i := from; i < len(ms); i++ {
		for _, s := range sets {
			if s.has(ms[i].Group) {
				return i
			}
		}
	}
	return len(ms)
}

// indexer changes an index by what groups no longer or newly reach.
type indexer struct {
	*pagedEdit[*set[directory.GroupNum]]
	gone, come map[privID][]directory.GroupNum
}

func newIndexer(x *index) *indexer {
	return &indexer{x.edit(), map[privID][]directory.GroupNum{}, map[privID][]directory.GroupNum{}}
}

// move notes that a group reached the one set and reaches the other now. Groups
// come in ascending order.
func (x *indexer) move(num directory.GroupNum, from, to *set[privID]) {
	if from.equal(to) {
		return
	}
	for p := range from.all() {
		if !to.has(p) {
			x.gone[p] = append(x.gone[p], num)
		}
	}
	for p := range to.all() {
		if !from.has(p) {
			x.come[p] = append(x.come[p], num)
		}
	}
}

func (x *indexer) settle() index {
	for p, gone := range x.gone {
		list := slices.DeleteFunc(x.members(p), func(n directory.GroupNum) bool {
			_, left := slices.BinarySearch(gone, n)
			return left
		})
		x.freeze(p, append(list, x.come[p]...))
	}
	for p, come := range x.come {
		if x.gone[p] == nil {
			x.freeze(p, append(x.members(p), come...))
		}
	}
	return index{x.paged}
}

func (x *indexer) members(p privID) []directory.GroupNum {
	if s := x.get(uint32(p)); s != nil {
		return slices.Collect(s.all())
	}
	return nil
}

func (x *indexer) freeze(p privID, list []directory.GroupNum) {
	if len(list) == 0 {
		x.set(uint32(p), nil)
		return
	}
	s := setOf(list)
	x.set(uint32(p), &s)
}
