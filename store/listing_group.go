package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/usherd/usherd/directory"
)

// GroupVersions returns the versions of all living groups.
func (s *Store) GroupVersions(ctx context.Context) (map[directory.GroupID]int64, error) {
	type version struct {
		id     directory.GroupID
		number int64
	}
	all, err := collect(ctx, s.read, func(row scanner) (v version, err error) {
		return v, row.Scan(&v.id, &v.number)
	}, `SELECT t.id, t.version FROM groups t WHERE `+groups.living)
	if err != nil {
		return nil, fmt.Errorf("reading versions of groups: %w", err)
	}
	out := make(map[directory.GroupID]int64, len(all))
	for _, v := range all {
		out[v.id] = v.number
	}
	return out, nil
}

// GroupRows returns those of some groups that live.
func (s *Store) GroupRows(ctx context.Context, ids ...directory.GroupID) ([]directory.Group, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id directory.GroupID) bool { return !storable(string(id)) })
	slices.Sort(ids)
	var out []directory.Group
	for part := range slices.Chunk(slices.Compact(ids), maxParams) {
		some, err := collect(ctx, s.read, groups.scan, `SELECT `+groups.columns+` FROM `+groups.from+`
			WHERE `+groups.living+` AND t.id IN (`+params(1, len(part))+`)`, anys(part)...)
		if err != nil {
			return nil, fmt.Errorf("reading some groups: %w", err)
		}
		out = append(out, some...)
	}
	return out, nil
}
