package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/usherd/usherd/directory"
)

// User returns a user, living or deleted, by its id or that of one of its
// identities, with all its identities in the order of their sources.
func (s *Store) User(ctx context.Context, id directory.UserID) (u directory.User, err error) {
	if !storable(string(id)) {
		return u, fmt.Errorf("user: %w", directory.ErrNotFound)
	}
	err = s.snapshot(ctx, func(q querier) error {
		u, err = scanUser(q.QueryRowContext(ctx, `SELECT id, type, blocked, block_reason, last_login, created, deleted FROM users
			WHERE id = COALESCE((SELECT NULLIF(i.user_id, '') FROM identity i WHERE i.id = $1), $1)`, string(id)))
		if err != nil {
			return err
		}
		u.Identities, err = collect(ctx, q, scanIdentity, `SELECT `+identities.columns+` FROM identity t LEFT JOIN source s ON s.name = t.source
			WHERE t.user_id = $1 ORDER BY COALESCE(s.rank, 9223372036854775807), t.source, t.created, t.id`, string(u.ID))
		if err != nil {
			return err
		}
		u.Detached, err = collect(ctx, q, scanSourceName, `SELECT source FROM detached WHERE user_id = $1 ORDER BY source`, string(u.ID))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return u, fmt.Errorf("user %s: %w", id, directory.ErrNotFound)
	}
	if err != nil {
		return u, fmt.Errorf("reading user %s: %w", id, err)
	}
	return u, nil
}

func scanSourceName(row scanner) (name directory.SourceName, err error) {
	return name, row.Scan(&name)
}

func scanUser(row scanner) (u directory.User, err error) {
	var blocked, login, created, deleted int64
	err = row.Scan(&u.ID, &u.Type, &blocked, &u.BlockReason, &login, &created, &deleted)
	u.Blocked, u.LastLogin, u.Created, u.DeletedSince = blocked != 0, fromMS(login), fromMS(created), fromMS(deleted)
	return u, err
}

// memberStretch is how many members are read at a time.
const memberStretch = 1000

// Members yields the direct members of a group, ordered by the value by which
// the source names them. They are read in stretches, and no connection is kept
// in between, because the loop may go at the pace of a slow client. Each member
// that stays through the loop is yielded once.
func (s *Store) Members(ctx context.Context, group directory.GroupID) iter.Seq2[directory.Member, error] {
	return func(yield func(directory.Member, error) bool) {
		var last directory.Member
		for {
			some, err := s.membersAfter(ctx, group, last)
			if err == nil && len(some) == 0 && last == (directory.Member{}) {
				_, err = one(ctx, s.read, groups, "", string(group))
			}
			if err != nil {
				yield(directory.Member{}, fmt.Errorf("members of group %s: %w", group, err))
				return
			}
			for _, m := range some {
				if !yield(m, nil) {
					return
				}
			}
			if len(some) < memberStretch {
				return
			}
			last = some[len(some)-1]
		}
	}
}

// membersAfter reads the next members after one.
func (s *Store) membersAfter(ctx context.Context, group directory.GroupID, after directory.Member) ([]directory.Member, error) {
	if !storable(string(group)) {
		return nil, nil
	}
	// The last term is no column, so that the index of what holds is used and not
	// the primary key, which would lead through all that ever held.
	return collect(ctx, s.read, func(row scanner) (m directory.Member, err error) {
		err = row.Scan(&m.Kind, &m.ID, &m.Value, &m.Via)
		return m, err
	}, `SELECT kind, member_id, value, via FROM membership
		WHERE group_id = $1 AND `+open+` AND value >= $2 AND (value > $2 OR via || '' > $3)
		ORDER BY value, via || '' LIMIT $4`, string(group), after.Value, string(after.Via), memberStretch)
}

// GroupsOf returns, for each identity, the groups of its source of which it is
// a direct member. An identity that is unknown or in none is not in the map.
func (s *Store) GroupsOf(ctx context.Context, source directory.SourceName, ids ...directory.UserID) (map[directory.UserID][]directory.GroupRef, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id directory.UserID) bool { return !storable(string(id)) })
	slices.Sort(ids)
	found := make(map[directory.UserID][]directory.GroupRef)
	if !storable(string(source)) {
		return found, nil
	}
	for part := range slices.Chunk(slices.Compact(ids), maxParams) {
		refs, err := collect(ctx, s.read, scanRef, `SELECT DISTINCT t.id, g.id, g.num, g.name, g.name_key
			FROM identity t, membership m, groups g
			WHERE t.id IN (`+params(2, len(part))+`) AND (t.source = $1 OR $1 = '') AND `+identities.living+`
			AND m.member_id = t.user_id AND m.kind = 'user' AND m.`+open+`
			AND g.id = m.group_id AND g.source = t.source AND g.deleted = 0`, anys(part, string(source))...)
		if err != nil {
			return nil, fmt.Errorf("reading groups of users: %w", err)
		}
		slices.SortFunc(refs, func(a, b memberRef) int {
			return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.group.ID, b.group.ID))
		})
		for _, r := range refs {
			found[r.member] = append(found[r.member], r.group)
		}
	}
	return found, nil
}

// A memberRef is one membership of an identity.
type memberRef struct {
	member directory.UserID
	group  directory.GroupRef
	key    directory.NameKey
}

func scanRef(row scanner) (r memberRef, err error) {
	err = row.Scan(&r.member, &r.group.ID, &r.group.Num, &r.group.Name, &r.key)
	return r, err
}
