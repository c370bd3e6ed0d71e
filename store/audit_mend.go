package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/usherd/usherd/directory"
)

// mendRecords is how many summaries one transaction makes anew. Each looks
// through the index of names once, which has no order by revision.
const mendRecords = 500

// MendAuditHeads implements [directory.Journal].
func (s *Store) MendAuditHeads(ctx context.Context, forgotten directory.Revision) (mended int, err error) {
	err = s.checkSpans(ctx, forgotten, func(c *headCheck) (bool, error) {
		for some := range slices.Chunk(slices.Sorted(maps.Keys(c.faults)), mendRecords) {
			n, err := s.mendSome(ctx, some)
			if err != nil {
				return false, fmt.Errorf("mending summaries of audit records: %w", err)
			}
			mended += n
		}
		return true, nil
	})
	return mended, err
}

// mendSome throws the summaries of some revisions away and makes them anew of
// their records, if these are there and read. Whoever searches meanwhile finds
// the old ones or the new ones.
func (s *Store) mendSome(ctx context.Context, revisions []int64) (mended int, err error) {
	rows := make([][1]int64, len(revisions))
	for i, rev := range revisions {
		rows[i][0] = rev
	}
	list, err := json.Marshal(rows)
	if err != nil {
		return 0, err
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()            // after a commit it does nothing
	for _, what := range []string{ // the first holds off whoever else mends
		`UPDATE audit SET headed = NULL`, `DELETE FROM audit_head`, `DELETE FROM audit_name`,
	} {
		_, err := tx.ExecContext(ctx, what+` WHERE revision IN (SELECT CAST(value ->> 0 AS BIGINT) FROM `+s.d.rows("$1")+`)`, string(list))
		if err != nil {
			return 0, err
		}
	}
	for _, rev := range revisions {
		done, err := s.mendOne(ctx, tx, rev)
		if err != nil {
			return 0, err
		}
		if done {
			mended++
		}
	}
	return mended, tx.Commit()
}

// mendOne sums one record up. One that does not read stays without: lists work
// out what they show of it.
func (s *Store) mendOne(ctx context.Context, tx *sql.Tx, rev int64) (bool, error) {
	var changes string
	err := tx.QueryRowContext(ctx, `SELECT changes FROM audit WHERE revision = $1`, rev).Scan(&changes)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil // there was a summary of nothing
	}
	if err != nil {
		return false, err
	}
	sum, err := readSummary(changes)
	if err != nil {
		return false, nil //nolint:nilerr // to verify the chain says it
	}
	if err := s.d.writeSummary(ctx, tx, rev, sum); err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE audit SET headed = 1 WHERE revision = $1`, rev)
	return true, err
}
