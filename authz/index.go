package authz

import (
	"slices"

	"github.com/usherd/usherd/directory"
)

// index tells for every privilege the groups that lead to it. A check looks
// here first: what no group of a subject reaches needs no second look, and all
// groups of a subject are found in one set.
type index struct{ paged[*reachers] }

type groupSet = set[directory.GroupNum]

// reachers are the groups that lead to one privilege. A set is never changed.
type reachers struct {
	raw groupSet  // by some path, whatever the obstacle
	org *groupSet // by a path that counts in every check; nil if it equals raw
}

// lookup finds the reachers of those of ids that any group reaches.
func (x *index) lookup(ids *[3]privID) (found [3]*reachers, n int) {
	for _, id := range ids {
		if id == 0 {
			break
		}
		if r := x.get(uint32(id)); r != nil {
			found[n] = r
			n++
		}
	}
	return found, n
}

// next is the place of the first membership, from a place on, in a group of one
// of the reachers; len(ms) if there is none.
func next(rs []*reachers, ms []directory.Membership, from int) int {
	if len(rs) == 1 && rs[0].raw.dense != nil { // most checks: keep it tight
		dense := rs[0].raw.dense
		for i := from; i < len(ms); i++ {
			num := ms[i].Group
			if word := int(num >> 6); word < len(dense) && dense[word]>>(num&63)&1 != 0 {
				return i
			}
		}
		return len(ms)
	}
	if len(rs) == 0 {
		return len(ms)
	}
	for i := from; i < len(ms); i++ {
		for _, r := range rs {
			if r.raw.has(ms[i].Group) {
				return i
			}
		}
	}
	return len(ms)
}

// anyOrg reports whether a group leads to one of the privileges by a path that
// counts in every check, given that it leads to one of them at all.
func anyOrg(rs []*reachers, num directory.GroupNum) bool {
	for _, r := range rs {
		if r.org == nil && (len(rs) == 1 || r.raw.has(num)) || r.org != nil && r.org.has(num) {
			return true
		}
	}
	return false
}

// indexer changes an index by what groups no longer or newly reach.
type indexer struct {
	*pagedEdit[*reachers]
	raw, org turnover
}

// turnover is what leaves and joins sets, groups in ascending order.
type turnover struct {
	gone, come map[privID][]directory.GroupNum
}

func newIndexer(x *index) *indexer {
	fresh := func() turnover {
		return turnover{map[privID][]directory.GroupNum{}, map[privID][]directory.GroupNum{}}
	}
	return &indexer{x.edit(), fresh(), fresh()}
}

// move notes that a group reached the one set and reaches the other now. Groups
// come in ascending order.
func (t *turnover) move(num directory.GroupNum, from, to *set[privID]) {
	if from.equal(to) {
		return
	}
	for p := range from.all() {
		if !to.has(p) {
			t.gone[p] = append(t.gone[p], num)
		}
	}
	for p := range to.all() {
		if !from.has(p) {
			t.come[p] = append(t.come[p], num)
		}
	}
}

// apply is a set after the turnover.
func (t *turnover) apply(p privID, old *groupSet) groupSet {
	gone, come := t.gone[p], t.come[p]
	if len(gone)+len(come) == 0 {
		return *old
	}
	list := slices.Clone(come)
	for num := range old.all() {
		if _, left := slices.BinarySearch(gone, num); !left {
			list = append(list, num)
		}
	}
	return setOf(list)
}

func (x *indexer) settle() index {
	touched := map[privID]bool{}
	for _, t := range []map[privID][]directory.GroupNum{x.raw.gone, x.raw.come, x.org.gone, x.org.come} {
		for p := range t {
			touched[p] = true
		}
	}
	for p := range touched {
		old := x.get(uint32(p))
		if old == nil {
			old = &reachers{}
		}
		r := reachers{raw: x.raw.apply(p, &old.raw)}
		if r.raw.empty() {
			x.set(uint32(p), nil)
			continue
		}
		r.org = x.orgAfter(p, old, &r.raw)
		x.set(uint32(p), &r)
	}
	return index{x.paged}
}

// orgAfter is what org of old becomes beside a new raw.
func (x *indexer) orgAfter(p privID, old *reachers, raw *groupSet) *groupSet {
	was := old.org
	if was == nil {
		if slices.Equal(x.raw.gone[p], x.org.gone[p]) && slices.Equal(x.raw.come[p], x.org.come[p]) {
			return nil
		}
		was = &old.raw
	}
	if org := x.org.apply(p, was); !org.sameMembers(raw) {
		return &org
	}
	return nil
}
