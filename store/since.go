package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

// MemberRows returns direct edges into a group with when they began.
func (s *Store) MemberRows(ctx context.Context, group directory.GroupID, ids ...string) ([]directory.MemberRow, error) {
	if !storable(string(group)) {
		return nil, nil
	}
	query := `SELECT kind, member_id, value, via, since FROM membership WHERE ` + open
	if len(ids) == 0 {
		rows, err := collect(ctx, s.read, scanMemberRow, query+` AND group_id = $1 ORDER BY value, via`, string(group))
		if err != nil {
			return nil, fmt.Errorf("members of group %s: %w", group, err)
		}
		return rows, nil
	}
	var rows []directory.MemberRow
	for part := range slices.Chunk(askable(ids), maxParams) {
		// By the number of the group, so that the index of members is used and not
		// that of groups, which would lead through all members of a large one.
		some, err := collect(ctx, s.read, scanMemberRow, query+` AND group_num = (SELECT num FROM groups WHERE id = $1)
			AND member_id IN (`+params(2, len(part))+`)`, anys(part, any(string(group)))...)
		if err != nil {
			return nil, fmt.Errorf("members of group %s: %w", group, err)
		}
		rows = append(rows, some...)
	}
	slices.SortFunc(rows, func(a, b directory.MemberRow) int {
		if c := strings.Compare(a.Value, b.Value); c != 0 {
			return c
		}
		return strings.Compare(string(a.Via), string(b.Via))
	})
	return rows, nil
}

func scanMemberRow(row scanner) (m directory.MemberRow, err error) {
	err = row.Scan(&m.Kind, &m.ID, &m.Value, &m.Via, &m.Since)
	return m, err
}

// askable are ids that either engine can be asked for, each once.
func askable(ids []string) []string {
	out := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !storable(id) })
	slices.Sort(out)
	return slices.Compact(out)
}

// EdgesBegan returns when direct memberships began.
func (s *Store) EdgesBegan(ctx context.Context, ids ...string) (map[directory.Edge]directory.Revision, error) {
	type beginning struct {
		edge directory.Edge
		at   directory.Revision
	}
	out := map[directory.Edge]directory.Revision{}
	for part := range slices.Chunk(askable(ids), maxParams) {
		rows, err := collect(ctx, s.read, func(row scanner) (b beginning, err error) {
			return b, row.Scan(&b.edge.Member, &b.edge.Group, &b.at)
		}, `SELECT member_id, group_num, MIN(since) FROM membership
			WHERE member_id IN (`+params(1, len(part))+`) AND member_id <> '' AND `+open+` GROUP BY member_id, group_num`, anys(part)...)
		if err != nil {
			return nil, fmt.Errorf("reading when memberships began: %w", err)
		}
		for _, r := range rows {
			out[r.edge] = r.at
		}
	}
	return out, nil
}

// TimesOf returns when revisions were made, as far as records tell.
func (s *Store) TimesOf(ctx context.Context, revisions ...directory.Revision) (map[directory.Revision]time.Time, time.Time, error) {
	type made struct {
		revision directory.Revision
		at       int64
	}
	wanted := map[directory.Revision]struct{}{}
	for _, r := range revisions {
		wanted[r] = struct{}{}
	}
	times, oldest := make(map[directory.Revision]time.Time, len(wanted)), time.Time{}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(wanted)), maxParams) {
		rows, err := collect(ctx, s.read, func(row scanner) (m made, err error) {
			return m, row.Scan(&m.revision, &m.at)
		}, `SELECT revision, time FROM audit WHERE revision IN (`+params(1, len(part))+`)`, anys(part)...)
		if err != nil {
			return nil, oldest, fmt.Errorf("reading when revisions were made: %w", err)
		}
		for _, r := range rows {
			times[r.revision] = fromMS(r.at)
		}
	}
	if len(times) == len(wanted) {
		return times, oldest, nil
	}
	var first int64
	err := s.read.QueryRowContext(ctx, `SELECT time FROM audit ORDER BY revision LIMIT 1`).Scan(&first)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, oldest, fmt.Errorf("reading the oldest record: %w", err)
	}
	return times, fromMS(first), nil
}
