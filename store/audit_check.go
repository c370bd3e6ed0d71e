package store

import (
	"context"
	"database/sql"
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/usherd/usherd/directory"
)

const (
	// checkSpan is how many revisions are compared in one snapshot. The index of
	// names is read once for each.
	checkSpan = 1 << 17
	// shownFaults is how many faults are returned at most.
	shownFaults = 10
)

// CheckAuditHeads implements [directory.Journal].
func (s *Store) CheckAuditHeads(ctx context.Context, forgotten directory.Revision) (faults []directory.AuditFault, err error) {
	err = s.checkSpans(ctx, forgotten, func(c *headCheck) (bool, error) {
		faults = c.first()
		return len(faults) == 0, nil
	})
	return faults, err
}

// checkSpans compares one span after the other and calls f with what it found,
// as long as that says to go on.
func (s *Store) checkSpans(ctx context.Context, forgotten directory.Revision, f func(*headCheck) (bool, error)) error {
	var first, last sql.NullInt64
	err := s.read.QueryRowContext(ctx, `SELECT MIN(revision), MAX(revision) FROM audit`).Scan(&first, &last)
	if err != nil {
		return fmt.Errorf("reading the audit trail: %w", err)
	}
	after := int64(math.MinInt64)
	for upto := first.Int64; ; after = upto {
		if upto += checkSpan; upto >= last.Int64 {
			upto = math.MaxInt64
		}
		c := &headCheck{forgotten: int64(forgotten), after: after, upto: upto, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, names: map[int64]nameSum{}, leaving: map[int64]bool{}}
		err := s.snapshot(ctx, func(db querier) error { return c.run(ctx, db) })
		if err != nil {
			return fmt.Errorf("comparing the audit trail with its summaries: %w", err)
		}
		if more, err := f(c); err != nil || !more || upto == math.MaxInt64 {
			return err
		}
	}
}

// A headCheck compares the summaries of the records of a span, after < revision
// <= upto, with the records. It holds one record at a time, and of names no more
// than sums of them.
type headCheck struct {
	forgotten, after, upto int64
	seeds                  [2]maphash.Seed // nobody can tell in advance which names have the same sum
	names                  map[int64]nameSum
	leaving                map[int64]bool // records that are being forgotten
	faults                 map[int64]string
}

// A nameSum tells names of a record that are kept from those that it mentions:
// it is zero if they are the same, each as often.
type nameSum struct {
	more int // are kept
	sums [2]uint64
}

func (c *headCheck) run(ctx context.Context, db querier) error {
	for _, step := range []func(context.Context, querier) error{c.records, c.index, c.orphans} {
		if err := step(ctx, db); err != nil {
			return err
		}
	}
	for rev, sum := range c.names {
		switch {
		case sum == nameSum{}:
		case sum.more < 0:
			c.fault(rev, fmt.Sprintf("the index lacks names (%d) that it mentions, so that a search for them misses it", -sum.more))
		case sum.more == 0:
			c.fault(rev, "the index has other names than it mentions, so that searches miss it or find it wrongly")
		default:
			c.fault(rev, fmt.Sprintf("the index has names (%d more) that it does not mention, so that a search for them finds it", sum.more))
		}
	}
	return nil
}

// fault keeps the first fault of a record.
func (c *headCheck) fault(rev int64, detail string) {
	if c.faults == nil {
		c.faults = map[int64]string{}
	}
	if c.faults[rev] == "" {
		c.faults[rev] = detail
	}
}

// first returns the faults of the lowest revisions.
func (c *headCheck) first() (out []directory.AuditFault) {
	for _, rev := range slices.Sorted(maps.Keys(c.faults)) {
		if len(out) < shownFaults {
			out = append(out, directory.AuditFault{Revision: directory.Revision(rev), Detail: c.faults[rev]})
		}
	}
	return out
}

func (c *headCheck) note(rev int64, name string, by int) {
	sum := c.names[rev]
	sum.more += by
	for i, seed := range c.seeds {
		sum.sums[i] += uint64(by) * maphash.String(seed, name)
	}
	c.names[rev] = sum
}

// A keptHead is a row of audit with the row of audit_head beside it.
type keptHead struct {
	rev             int64
	record          string
	headed          sql.NullInt64
	types, first    sql.NullString
	changes, listed sql.NullInt64
}

// records compares heads, and notes which names there should be.
func (c *headCheck) records(ctx context.Context, db querier) error {
	return c.each(ctx, db, `SELECT a.revision, a.changes, a.headed, h.types, h.changes, h.listed, h.first
		FROM audit a LEFT JOIN audit_head h ON h.revision = a.revision
		WHERE a.revision > $1 AND a.revision <= $2 ORDER BY a.revision`, func(row scanner) error {
		var k keptHead
		if err := row.Scan(&k.rev, &k.record, &k.headed, &k.types, &k.changes, &k.listed, &k.first); err != nil {
			return err
		}
		c.compare(k)
		return nil
	})
}

func (c *headCheck) compare(k keptHead) {
	sum, err := readSummary(k.record)
	switch {
	case k.rev <= c.forgotten:
		c.leaving[k.rev] = true // it goes last
		return
	case err != nil:
		c.fault(k.rev, "its changes do not read")
		return
	case !k.first.Valid && !k.headed.Valid:
		return // written by an older version: there are no names either
	case !k.first.Valid:
		c.fault(k.rev, "its summary is missing, so that searches miss it")
	case k.types.String != typesText(sum.types) || k.changes.Int64 != int64(sum.changes) || k.listed.Int64 != int64(sum.listed) || !sameEffect(k.first.String, sum.first):
		c.fault(k.rev, "what lists show of it was altered: its summary is not what it says")
	}
	for _, name := range sum.names {
		c.note(k.rev, indexed(name), -1)
	}
}

// sameEffect reports whether two texts are the same effect.
func sameEffect(kept, want string) bool {
	if kept == want {
		return true
	}
	var a, b effect
	return unmarshal("head", kept, &a) == nil && unmarshal("head", want, &b) == nil && reflect.DeepEqual(a, b)
}

// index notes which names there are.
func (c *headCheck) index(ctx context.Context, db querier) error {
	return c.each(ctx, db, `SELECT revision, name FROM audit_name WHERE revision > $1 AND revision <= $2`, func(row scanner) error {
		var rev int64
		var name string
		if err := row.Scan(&rev, &name); err != nil {
			return err
		}
		if !c.leaving[rev] {
			c.note(rev, name, 1)
		}
		return nil
	})
}

// orphans finds heads of no record.
func (c *headCheck) orphans(ctx context.Context, db querier) error {
	return c.each(ctx, db, `SELECT h.revision FROM audit_head h WHERE h.revision > $1 AND h.revision <= $2
		AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.revision = h.revision) ORDER BY h.revision LIMIT 10`, func(row scanner) error {
		var rev int64
		if err := row.Scan(&rev); err != nil {
			return err
		}
		c.fault(rev, "there is a summary of it, but no record")
		return nil
	})
}

// each calls f with the rows that a query gives for the span.
func (c *headCheck) each(ctx context.Context, db querier, query string, f func(scanner) error) error {
	rows, err := db.QueryContext(ctx, query, c.after, c.upto)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
