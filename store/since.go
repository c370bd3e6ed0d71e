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

// Beginnings tells since when links hold.
func (s *Store) Beginnings(ctx context.Context, of directory.Links) (directory.Beginnings, error) {
	out := directory.Beginnings{
		Edges: map[directory.Edge]directory.Revision{}, Items: map[directory.PolicyItem]directory.Revision{},
		Bindings: map[directory.BoundGroup]directory.Revision{},
	}
	err := s.snapshot(ctx, func(q querier) error {
		return errors.Join(
			edgesBegan(ctx, q, of.Members, out.Edges), itemsBegan(ctx, q, of.Items, out.Items),
			bindingsBegan(ctx, q, of.Items, out.Bindings),
		)
	})
	if err != nil {
		return directory.Beginnings{}, fmt.Errorf("reading since when something holds: %w", err)
	}
	return out, nil
}

// A beginning is what began, and when.
type beginning[K comparable] struct {
	what K
	at   directory.Revision
}

func edgesBegan(ctx context.Context, q querier, members []string, into map[directory.Edge]directory.Revision) error {
	for part := range slices.Chunk(askable(members), maxParams) {
		// MIN takes of several ways to belong the first.
		rows, err := collect(ctx, q, func(row scanner) (b beginning[directory.Edge], err error) {
			return b, row.Scan(&b.what.Member, &b.what.Group, &b.at)
		}, `SELECT member_id, group_num, MIN(since) FROM membership
			WHERE member_id IN (`+params(1, len(part))+`) AND member_id <> '' AND `+open+` GROUP BY member_id, group_num`, anys(part)...)
		if err != nil {
			return err
		}
		for _, r := range rows {
			into[r.what] = r.at
		}
	}
	return nil
}

func itemsBegan(ctx context.Context, q querier, items []directory.PolicyItem, into map[directory.PolicyItem]directory.Revision) error {
	for section, keys := range keysBySection(items) {
		for part := range slices.Chunk(askable(keys), maxParams) {
			rows, err := collect(ctx, q, func(row scanner) (b beginning[directory.PolicyItem], err error) {
				return b, row.Scan(&b.what.Section, &b.what.Key, &b.at)
			}, `SELECT section, key, since FROM policy_item WHERE section = $1 AND key IN (`+params(2, len(part))+`) AND `+open,
				anys(part, any(string(section)))...)
			if err != nil {
				return err
			}
			for _, r := range rows {
				into[r.what] = r.at
			}
		}
	}
	return nil
}

func keysBySection(items []directory.PolicyItem) map[directory.Section][]string {
	out := map[directory.Section][]string{}
	for _, it := range items {
		if storable(string(it.Section)) {
			out[it.Section] = append(out[it.Section], it.Key)
		}
	}
	return out
}

func bindingsBegan(ctx context.Context, q querier, items []directory.PolicyItem, into map[directory.BoundGroup]directory.Revision) error {
	mappings := keysBySection(items)[directory.SectionMappings]
	for part := range slices.Chunk(askable(mappings), maxParams) {
		rows, err := collect(ctx, q, func(row scanner) (b beginning[directory.BoundGroup], err error) {
			return b, row.Scan(&b.what.Mapping, &b.what.Group, &b.at)
		}, `SELECT mapping, group_num, since FROM binding WHERE mapping IN (`+params(1, len(part))+`) AND state = 'bound' AND `+open, anys(part)...)
		if err != nil {
			return err
		}
		for _, r := range rows {
			into[r.what] = r.at
		}
	}
	return nil
}

// TimesOf returns when revisions were made, as far as records tell.
func (s *Store) TimesOf(ctx context.Context, revisions ...directory.Revision) (map[directory.Revision]time.Time, time.Time, error) {
	wanted := map[directory.Revision]struct{}{}
	for _, r := range revisions {
		wanted[r] = struct{}{}
	}
	times, oldest := make(map[directory.Revision]time.Time, len(wanted)), time.Time{}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(wanted)), maxParams) {
		rows, err := collect(ctx, s.read, func(row scanner) (b beginning[int64], err error) {
			return b, row.Scan(&b.at, &b.what)
		}, `SELECT revision, time FROM audit WHERE revision IN (`+params(1, len(part))+`)`, anys(part)...)
		if err != nil {
			return nil, oldest, fmt.Errorf("reading when revisions were made: %w", err)
		}
		for _, r := range rows {
			times[r.at] = fromMS(r.what)
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
