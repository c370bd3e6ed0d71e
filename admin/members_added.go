package admin

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/usherd/usherd/directory"
)

// addedKept is of how many groups it is kept when their members were added.
const addedKept = 4

// An addedBook keeps when the members of a few groups were added, for lists that
// are sorted by it: all have to be known for that, and the pages of a large group
// follow each other. What it holds is as old as the group's version.
type addedBook struct {
	mu    sync.Mutex
	books []addedMembers // the last asked for at the end
}

type addedMembers struct {
	group   directory.GroupID
	version int64
	rows    []directory.MemberRow // in the order in which they began
}

// of returns the members of a group in the order in which they were added. The
// slice is shared: it is not to be changed.
func (b *addedBook) of(g directory.Group, read func() ([]directory.MemberRow, error)) ([]directory.MemberRow, error) {
	if rows, found := b.find(g); found {
		return rows, nil
	}
	rows, err := read()
	if err != nil {
		return nil, err
	}
	rows = firstEdges(rows)
	slices.SortFunc(rows, compareAdded)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.books = slices.DeleteFunc(b.books, func(m addedMembers) bool { return m.group == g.ID })
	b.books = append(b.books, addedMembers{g.ID, g.Version, rows})
	b.books = slices.Clone(b.books[max(0, len(b.books)-addedKept):])
	return rows, nil
}

// compareAdded is the order of [compareMembers] for members without a rank and a
// key.
func compareAdded(a, b directory.MemberRow) int {
	return cmp.Or(cmp.Compare(a.Since, b.Since), strings.Compare(cmp.Or(a.ID, a.Value), cmp.Or(b.ID, b.Value)))
}

func (b *addedBook) find(g directory.Group) ([]directory.MemberRow, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.books, func(m addedMembers) bool { return m.group == g.ID && m.version == g.Version })
	if i < 0 {
		return nil, false
	}
	found := b.books[i]
	b.books = append(slices.Delete(b.books, i, i+1), found)
	return found.rows, true
}
