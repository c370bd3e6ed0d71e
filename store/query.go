package store

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// A table is what a Query can select from.
type table[T any] struct {
	from    string // a table with the alias t
	columns string
	living  string                                                        // condition
	attrs   func(d dialect, source string) map[directory.Attribute]column // source is a parameter, or empty for all
	scan    func(scanner) (T, error)
	place   func(T) directory.Place
}

// page answers a query. A page and its total are of one database snapshot.
func page[T any](ctx context.Context, s *Store, t table[T], q directory.Query) (directory.Page[T], error) {
	answer := directory.Page[T]{Total: -1}
	sel, err := t.lower(s.d, q, mark{})
	if err != nil {
		return answer, err
	}
	read := func(db querier) error {
		if q.Total {
			answer.Total, sel, err = t.begin(ctx, s, db, q, sel)
			if err != nil || answer.Total == 0 {
				return err
			}
		}
		if q.Limit <= 0 {
			return nil
		}
		answer.Items, err = collect(ctx, db, t.scan, sel.page(t.from, t.columns), sel.pageArgs...)
		if n := len(answer.Items); err == nil && n > 0 && sel.list != "" {
			s.marks.put(sel.chain, sel.list, mark{q.Offset, t.place(answer.Items[0])}, mark{q.Offset + n - 1, t.place(answer.Items[n-1])})
		}
		return err
	}
	if !q.Total { // one statement is a snapshot by itself
		err = read(s.read)
	} else {
		err = s.snapshot(ctx, read)
	}
	if err != nil {
		return directory.Page[T]{Total: -1}, fmt.Errorf("reading %s: %w", t.from, err)
	}
	return answer, nil
}

// begin counts a list, and lets a page in the order of places begin at a mark.
func (t table[T]) begin(ctx context.Context, s *Store, db querier, q directory.Query, sel selection) (int, selection, error) {
	total, chain, err := s.totals.count(ctx, db, `SELECT count(*) FROM `+t.from+sel.where, sel.args)
	if err != nil || q.Sort != "" || q.Desc || q.After != nil {
		return total, sel, err
	}
	list := fmt.Sprintf("%s%s %#v", t.from, sel.where, sel.args)
	if from, ok := s.marks.before(chain, list, q.Offset); ok && from.offset > 0 {
		sel, err = t.lower(s.d, q, from)
	}
	sel.chain, sel.list = chain, list
	return total, sel, err
}

// A selection is a query as SQL.
type selection struct {
	where    string
	args     []any // of where
	rest     string
	pageArgs []any // of where and rest
	order    string
	deep     bool // the page begins after others that are counted off

	chain, list string // what its marks are kept under; empty: it has none
}

// page is the statement for the items. Those in front of a deep page are counted
// off in the index alone, and only the rows of the page are fetched.
func (sel selection) page(from, columns string) string {
	if !sel.deep {
		return `SELECT ` + columns + ` FROM ` + from + sel.where + sel.rest
	}
	return `SELECT ` + columns + ` FROM ` + from + ` WHERE t.id IN (SELECT t.id FROM ` + from + sel.where + sel.rest + `)` + sel.order
}

// lower makes SQL of a query. The page is looked for from a mark on, if that is
// not the beginning.
func (t table[T]) lower(d dialect, q directory.Query, from mark) (sel selection, err error) {
	if err := checkQuery(q); err != nil {
		return sel, err
	}
	l := &lowering{d: d}
	source := ""
	if q.Source != "" {
		source = l.param(string(q.Source))
	}
	l.columns = t.attrs(d, source)
	narrow := l.narrows(q.Where)
	cond, err := l.expr(q.Where)
	if err != nil {
		return sel, err
	}
	sel.where = " WHERE " + t.living + l.ofSource(source, narrow) + " AND (" + cond + ")"
	sel.args = l.args[:len(l.args):len(l.args)]
	order, err := l.order(q, narrow)
	if err != nil {
		return sel, err
	}
	than := func(op string, p directory.Place) string {
		return " AND (t.created, t.id) " + op + " (" + l.param(ms(p.Created)) + ", " + l.param(p.ID) + ")"
	}
	switch {
	case q.After != nil && q.Desc:
		sel.rest = than("<", *q.After)
	case q.After != nil:
		sel.rest = than(">", *q.After)
	case from.offset > 0:
		sel.rest = than(">=", from.at)
	}
	sel.rest += order + " LIMIT " + l.param(q.Limit)
	if skip := q.Offset - from.offset; q.After == nil && skip > 0 {
		sel.rest += " OFFSET " + l.param(skip)
		sel.deep = true
	}
	sel.order = order
	sel.pageArgs = l.args
	return sel, nil
}

// ofSource returns the condition on the source, so that the index that narrows
// is used and no other.
func (l *lowering) ofSource(source string, narrow narrowing) string {
	switch {
	case source == "" && narrow == narrowSource:
		return " AND t.source IN (SELECT name FROM source)"
	case source == "":
		return ""
	case narrow == narrowKey:
		return " AND " + l.d.noIndex + "t.source = " + source
	}
	return " AND t.source = " + source
}

func checkQuery(q directory.Query) error {
	switch {
	case q.Offset < 0:
		return fmt.Errorf("offset %d: %w", q.Offset, directory.ErrInvalid)
	case q.After != nil && q.Sort != "":
		return fmt.Errorf("a place in the order by %s: %w", q.Sort, directory.ErrInvalid)
	case !storable(string(q.Source)) || q.After != nil && !storable(q.After.ID):
		return fmt.Errorf("source or place is not valid text: %w", directory.ErrInvalid)
	}
	return nil
}

// order returns the ORDER BY clause. Those without the attribute come last, or
// first if the order is descending (RFC 7644, section 3.4.2.3).
func (l *lowering) order(q directory.Query, narrow narrowing) (string, error) {
	down := ""
	if q.Desc {
		down = " DESC"
	}
	if q.Sort == "" && narrow != wide {
		return " ORDER BY +t.created" + down + ", t.id" + down, nil // the few are sorted: no index tempts
	}
	if q.Sort == "" {
		return " ORDER BY t.created" + down + ", t.id" + down, nil
	}
	col, known := l.columns[q.Sort]
	if !known || col.many != "" && q.Sort != directory.AttrEmail {
		return "", fmt.Errorf("attribute %q can't be sorted by: %w", q.Sort, directory.ErrInvalid)
	}
	expr := col.expr
	if col.many != "" {
		expr = firstEmail
	}
	absent := ""
	if col.kind == exact || col.kind == folded {
		absent = "CASE WHEN " + expr + " = '' THEN 1 ELSE 0 END" + down + ", "
	}
	return " ORDER BY " + absent + expr + down + ", t.created, t.id", nil
}
