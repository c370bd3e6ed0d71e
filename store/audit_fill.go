package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
)

// How many audit records one transaction of fillHeads sums up: a write that
// waits behind it does not wait long.
const (
	fillRecords = 50
	fillBytes   = 1 << 22
)

// fillHeads makes up for the summaries that audit records lack, the newest
// first. What is damaged stays without.
func (s *Store) fillHeads(ctx context.Context) error {
	var damage error
	for before := int64(math.MaxInt64); ; {
		missing, err := collect(ctx, s.read, func(row scanner) (rev int64, err error) { return rev, row.Scan(&rev) },
			`SELECT revision FROM audit WHERE headed IS NULL AND revision < $1 ORDER BY revision DESC LIMIT $2`, before, fillRecords)
		if err == nil && len(missing) > 0 {
			var damaged error
			before, damaged, err = s.fillSome(ctx, missing)
			damage = errors.Join(damage, damaged)
		}
		if err != nil {
			return fmt.Errorf("summing up audit records: %w", errors.Join(damage, err))
		}
		if len(missing) == 0 {
			return damage
		}
	}
}

// fillSome sums up the first of some records and returns which was the last.
func (s *Store) fillSome(ctx context.Context, missing []int64) (last int64, damaged, err error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, nil, err
	}
	defer tx.Rollback() // after a commit it does nothing
	size := 0
	for _, rev := range missing {
		var changes string
		err := tx.QueryRowContext(ctx, `SELECT changes FROM audit WHERE revision = $1`, rev).Scan(&changes)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, nil, err
		}
		last = rev
		sum, broken := readSummary(changes)
		if err != nil || broken != nil { // it was forgotten, or is damaged
			if err == nil {
				damaged = errors.Join(damaged, fmt.Errorf("audit record %d: %w", rev, broken))
			}
			continue
		}
		if err := s.d.writeSummary(ctx, tx, rev, sum); err != nil {
			return 0, nil, err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE audit SET headed = 1 WHERE revision = $1`, rev); err != nil {
			return 0, nil, fmt.Errorf("marking audit record %d: %w", rev, err)
		}
		if size += len(changes); size > fillBytes {
			break
		}
	}
	return last, damaged, tx.Commit()
}
