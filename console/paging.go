package console

import (
	"iter"
	"strconv"
)

// pageOf cuts the page that the URL asks for out of all that a list has: the
// cursor is how many come before it. A CSV has all.
func pageOf[T any](l *List, all []T) []T {
	l.Total = len(all)
	if l.CSV {
		return all
	}
	at, _ := strconv.Atoi(l.Cursor) // else the first page
	at = min(max(at, 0), len(all))
	end := min(at+l.Size, len(all))
	if end < len(all) {
		l.Next = strconv.Itoa(end)
	}
	return all[at:end]
}

// eachRow yields rows that are at hand.
func eachRow(rows []Row) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}
