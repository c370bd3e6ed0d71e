package store

import "github.com/usherd/usherd/directory"

// A narrowing says whether an index finds the few rows for which a condition
// can hold. Without statistics, an engine prefers to walk a whole source in the
// order that is asked for, and tests the condition on each row; a query that
// names somebody must not cost that.
type narrowing uint8

const (
	wide         narrowing = iota // no index: walk in order
	narrowSource                  // an index that begins with the source
	narrowKey                     // an index that begins with the attribute
)

// narrows returns how a condition narrows: by its best term if all must hold;
// if one is enough, all must narrow alike.
func (l *lowering) narrows(e directory.Expr) narrowing {
	switch e := e.(type) {
	case directory.And:
		best := wide
		for _, term := range e {
			best = max(best, l.narrows(term))
		}
		return best
	case directory.Or:
		for _, term := range e {
			if l.narrows(term) != l.narrows(e[0]) {
				return wide
			}
		}
		if len(e) > 0 {
			return l.narrows(e[0])
		}
	case directory.Compare:
		if e.Op == directory.Eq {
			return l.columns[e.Attr].index
		}
	}
	return wide
}
