package authz

import "iter"

const pageSize = 64

// paged is an array of which a changed copy shares all pages but those written.
// Missing elements are zero.
type paged[T any] struct{ pages []*[pageSize]T }

func (a *paged[T]) get(i uint32) T {
	if page := int(i / pageSize); page < len(a.pages) && a.pages[page] != nil {
		return a.pages[page][i%pageSize]
	}
	var zero T
	return zero
}

// all yields the elements of the pages that exist, in order.
func (a *paged[T]) all() iter.Seq2[uint32, T] {
	return func(yield func(uint32, T) bool) {
		for p, page := range a.pages {
			if page == nil {
				continue
			}
			for i := range page {
				if !yield(uint32(p*pageSize+i), page[i]) {
					return
				}
			}
		}
	}
}

// edit returns a writer for a copy of a.
func (a *paged[T]) edit() *pagedEdit[T] {
	return &pagedEdit[T]{paged[T]{append([]*[pageSize]T(nil), a.pages...)}, map[int]bool{}}
}

// pagedEdit writes a copy, which reads its own writes.
type pagedEdit[T any] struct {
	paged[T]
	own map[int]bool // pages not shared with the original
}

func (e *pagedEdit[T]) set(i uint32, v T) {
	page := int(i / pageSize)
	if page >= len(e.pages) {
		e.pages = append(e.pages, make([]*[pageSize]T, page+1-len(e.pages))...)
	}
	if !e.own[page] {
		fresh := new([pageSize]T)
		if old := e.pages[page]; old != nil {
			*fresh = *old
		}
		e.pages[page], e.own[page] = fresh, true
	}
	e.pages[page][i%pageSize] = v
}
