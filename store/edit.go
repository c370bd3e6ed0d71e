package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/usherd/usherd/audit"
	"github.com/usherd/usherd/directory"
)

// isOpen is the condition of rows that hold.
const isOpen = "until = 9223372036854775807"

// An edit is one Apply inside its transaction: what it has touched so far.
type edit struct {
	tx  session
	d   dialect
	by  directory.Actor
	now int64 // milliseconds

	rev      int64 // the revision that is being made
	chain    audit.Hash
	groupNum int64 // the last number given to a group
	policyAt int64 // when policy or a binding last changed

	effects []effect
	aside   bool // something that is no fact was written

	feedPolicy bool
	keys       map[directory.SubjectKey]struct{}
	users      map[string]struct{} // touched; their ids join keys at the end
	nums       map[directory.GroupNum]struct{}

	edges   map[edge]int        // memberships: +1 opened, -1 closed
	groups  map[string]struct{} // whose version moves at the end
	created map[string]bool     // groups
	sources map[string]directory.Source
	rules   *rules // the policy, once it is loaded
	removed []ruleKey
}

func newEdit(tx session, d dialect, by directory.Actor, now time.Time) *edit {
	return &edit{
		tx: tx, d: d, by: by, now: ms(now),
		keys: map[directory.SubjectKey]struct{}{}, users: map[string]struct{}{},
		nums: map[directory.GroupNum]struct{}{}, edges: map[edge]int{},
		groups: map[string]struct{}{}, created: map[string]bool{}, sources: map[string]directory.Source{},
	}
}

// begin takes the next revision. The lock on the row of head, held till the
// commit, makes writers of all replicas serial.
func (e *edit) begin(ctx context.Context) error {
	var chain string
	err := e.tx.QueryRowContext(ctx, `UPDATE head SET revision = revision + 1 WHERE id = 1
		RETURNING revision, chain, group_num, policy`).Scan(&e.rev, &chain, &e.groupNum, &e.policyAt)
	if err != nil {
		return &brokenError{whileBeginning, fmt.Errorf("taking a revision: %w", err)}
	}
	if e.chain, err = audit.ParseHash(chain); err != nil {
		return fmt.Errorf("reading the head: %w", err)
	}
	if e.by.Source == "" {
		return nil
	}
	source, err := e.source(ctx, e.by.Source)
	if err == nil && source.State == directory.SourcePaused {
		err = fmt.Errorf("source %s: %w", source.Name, directory.ErrPaused)
	}
	return err
}

// finish writes what the whole of the changes led to. An edit without an effect
// makes no revision.
func (e *edit) finish(ctx context.Context) (a directory.Applied, wrote bool, err error) {
	a.Time = fromMS(e.now)
	if err := e.finishMembers(ctx); err != nil {
		return a, false, err
	}
	if err := e.unused(ctx); err != nil {
		return a, false, err
	}
	if err := e.finishGroups(ctx); err != nil {
		return a, false, err
	}
	if len(e.effects) == 0 {
		a.Stamp = directory.Stamp{Revision: directory.Revision(e.rev - 1), Fingerprint: directory.FingerprintOf(e.chain)}
		if !e.aside {
			return a, false, nil
		}
		return a, true, e.exec(ctx, `UPDATE head SET revision = revision - 1 WHERE id = 1`)
	}
	a.Changed = true
	a.Stamp, err = e.record(ctx)
	return a, true, err
}

// record writes the audit and the feed record and moves the head.
func (e *edit) record(ctx context.Context) (directory.Stamp, error) {
	r, err := auditRecord(e.rev, e.now, e.by, e.effects)
	if err != nil {
		return directory.Stamp{}, err
	}
	r.Hash = r.Sum(e.chain)
	err = e.exec(ctx, `INSERT INTO audit (revision, time, actor, changes, hash, headed) VALUES ($1, $2, $3, $4, $5, 1)`,
		r.Seq, r.Time, r.Actor, r.Changes, r.Hash.String())
	if err != nil {
		return directory.Stamp{}, fmt.Errorf("writing the audit record: %w", err)
	}
	sum, err := summaryOf(e.effects)
	if err != nil {
		return directory.Stamp{}, err
	}
	if err := e.d.writeSummary(ctx, e.tx, e.rev, sum); err != nil {
		return directory.Stamp{}, err
	}
	stamp := directory.Stamp{Revision: directory.Revision(e.rev), Fingerprint: directory.FingerprintOf(r.Hash)}
	if err := e.writeFeed(ctx, stamp.Fingerprint); err != nil {
		return directory.Stamp{}, err
	}
	err = e.exec(ctx, `UPDATE head SET chain = $1, group_num = $2, policy = $3 WHERE id = 1`,
		r.Hash.String(), e.groupNum, e.policyAt)
	if err != nil {
		return directory.Stamp{}, fmt.Errorf("moving the head: %w", err)
	}
	return stamp, nil
}

// touchPolicy notes that policy or a binding changed.
func (e *edit) touchPolicy() { e.feedPolicy, e.policyAt, e.rules = true, e.rev, nil }

// exec runs a statement.
func (e *edit) exec(ctx context.Context, query string, args ...any) error {
	_, err := e.tx.ExecContext(ctx, query, args...)
	return err
}

// find reads one row into dest, if there is one.
func (e *edit) find(ctx context.Context, dest []any, query string, args ...any) (bool, error) {
	err := e.tx.QueryRowContext(ctx, query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// end closes the rows of a table with history that hold and that a condition
// selects. A row that was opened in this very revision never was.
func (e *edit) end(ctx context.Context, table, where string, args ...any) error {
	rev := fmt.Sprintf("$%d", len(args)+1)
	args = append(slices.Clip(args), e.rev)
	where = " WHERE " + isOpen + " AND " + where
	if err := e.exec(ctx, "DELETE FROM "+table+where+" AND since = "+rev, args...); err != nil {
		return fmt.Errorf("ending rows of %s: %w", table, err)
	}
	if err := e.exec(ctx, "UPDATE "+table+" SET until = "+rev+where, args...); err != nil {
		return fmt.Errorf("ending rows of %s: %w", table, err)
	}
	return nil
}

// rows is the text of a table of the arrays in a JSON parameter: (SELECT value
// ->> 0, value ->> 1 FROM rows). One parameter carries any number of rows.
func (e *edit) rows(param string) string { return e.d.rows(param) }

func (d dialect) rows(param string) string {
	if d.engine == postgres {
		return "jsonb_array_elements(CAST(CAST(" + param + " AS TEXT) AS JSONB))"
	}
	return "json_each(" + param + ")"
}

// in is the condition that a column is one of the strings in a JSON parameter.
// As an array it is looked up in an index, whatever the statistics.
func (e *edit) in(column, param string) string {
	values := "SELECT value ->> 0 FROM " + e.rows(param)
	if e.d.engine == postgres {
		return column + " = ANY(ARRAY(" + values + "))"
	}
	return column + " IN (" + values + ")"
}
