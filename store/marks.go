package store

import (
	"slices"
	"sync"

	"github.com/usherd/usherd/directory"
)

// How much is remembered of where pages begin.
const (
	keptLists = 64  // lists
	keptMarks = 512 // marks of a list
)

// A mark is where the row with an offset stands in a list.
type mark struct {
	offset int
	at     directory.Place
}

// marks remember where pages of lists began and ended until a fact changes:
// whoever reads a list page by page goes on from there, and does not count off
// all that came before each time.
type marks struct {
	mu    sync.Mutex // guards what follows
	chain string     // of the head for which they were set
	lists map[string][]mark
}

// before returns the last mark of a list up to an offset.
func (m *marks) before(chain, list string, offset int) (mark, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.chain != chain {
		return mark{}, false
	}
	all := m.lists[list]
	i, found := slices.BinarySearchFunc(all, offset, byOffset)
	if !found {
		i--
	}
	if i < 0 {
		return mark{}, false
	}
	return all[i], true
}

// put sets marks of a list. What is kept is of one head only; of many marks,
// every second one goes.
func (m *marks) put(chain, list string, set ...mark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.chain != chain || m.lists == nil || m.lists[list] == nil && len(m.lists) >= keptLists {
		m.chain, m.lists = chain, map[string][]mark{}
	}
	all := m.lists[list]
	for _, s := range set {
		i, found := slices.BinarySearchFunc(all, s.offset, byOffset)
		if found {
			continue
		}
		if all = slices.Insert(all, i, s); len(all) > keptMarks {
			for i := range len(all) / 2 {
				all[i] = all[2*i+1]
			}
			all = all[:len(all)/2]
		}
	}
	m.lists[list] = all
}

func byOffset(m mark, offset int) int { return m.offset - offset }
