package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// Subjects returns living users, ascending by id, as of a stamp.
func (s *Store) Subjects(ctx context.Context, who directory.People, at directory.Stamp) (subjects []directory.Subject, err error) {
	err = s.snapshot(ctx, func(q querier) error {
		p, err := readPoint(ctx, q, at.Revision)
		if err != nil {
			return err
		}
		if at == (directory.Stamp{}) {
			p.at = p.head
		} else if err := p.checkStamp(at); err != nil {
			return fmt.Errorf("stamp %s: %w", at, err)
		}
		ids, err := findPeople(ctx, q, who, p.at.Revision)
		if err != nil {
			return fmt.Errorf("finding people: %w", err)
		}
		subjects, err = readSubjects(ctx, q, ids, p.at)
		return err
	})
	return subjects, err
}

// findPeople returns the ids of the living among who, ascending.
func findPeople(ctx context.Context, q querier, who directory.People, at directory.Revision) ([]directory.UserID, error) {
	found, err := somePeople(ctx, q, who, at)
	if err != nil {
		return nil, err
	}
	slices.Sort(found)
	found = slices.Compact(found)
	if first, exact := slices.BinarySearch(found, who.After); exact {
		found = found[first+1:]
	} else {
		found = found[first:]
	}
	return keepLiving(ctx, q, found, who.Limit, at)
}

// somePeople returns ids of users, in any order and perhaps twice. Some may
// not live.
func somePeople(ctx context.Context, q querier, who directory.People, at directory.Revision) ([]directory.UserID, error) {
	const open = ` until > $1 AND since <= $1`
	ask := func(query string, args ...any) ([]directory.UserID, error) {
		return collect(ctx, q, scanUserID, query, append([]any{int64(at)}, args...)...)
	}
	if who.Everyone {
		return ask(`SELECT user_id FROM user_fact WHERE` + open + ` ORDER BY user_id`)
	}
	found := slices.Clone(who.IDs)
	for nums := range slices.Chunk(who.Groups, maxParams) {
		ids, err := ask(`SELECT m.member_id FROM group_fact g CROSS JOIN membership m
			WHERE g.num IN (`+params(2, len(nums))+`) AND g.until > $1 AND g.since <= $1
			AND m.group_id = g.group_id AND m.kind = 'user' AND m.until > $1 AND m.since <= $1`, anys(nums)...)
		if err != nil {
			return nil, err
		}
		found = append(found, ids...)
	}
	if who.Granted {
		ids, err := ask(`SELECT DISTINCT holder_id FROM grants WHERE holder = 'user' AND` + open)
		if err != nil {
			return nil, err
		}
		found = append(found, ids...)
	}
	if who.Overridden {
		ids, err := ask(`SELECT DISTINCT user_id FROM overrides WHERE` + open)
		if err != nil {
			return nil, err
		}
		found = append(found, ids...)
	}
	return found, nil
}

// keepLiving leaves out who has no identity that is not deleted, and what comes
// after the first limit people.
func keepLiving(ctx context.Context, q querier, ids []directory.UserID, limit int, at directory.Revision) ([]directory.UserID, error) {
	var living []directory.UserID
	for chunk := range slices.Chunk(ids, maxParams) {
		some, err := collect(ctx, q, scanUserID, `SELECT DISTINCT user_id FROM identity_fact
			WHERE user_id IN (`+params(2, len(chunk))+`) AND presence <> 'deleted' AND until > $1 AND since <= $1
			ORDER BY user_id`, anys(chunk, any(int64(at)))...)
		if err != nil {
			return nil, err
		}
		living = append(living, some...)
		if limit > 0 && len(living) >= limit {
			return living[:limit], nil
		}
	}
	return living, nil
}

func scanUserID(row scanner) (id directory.UserID, err error) {
	err = row.Scan(&id)
	return id, err
}

// peopleSQL has, for each kind of row of a subject, the user's id and then the
// columns of a subjectRow. LIST stands for the users' parameters.
const peopleSQL = `SELECT user_id, 1, user_id, type, '', '', '', '', '', blocked, 0
		FROM user_fact WHERE user_id IN (LIST) AND until > $1 AND since <= $1
	UNION ALL SELECT user_id, 2, source, presence, '', '', '', '', '', active, 0
		FROM identity_fact WHERE user_id IN (LIST) AND until > $1 AND since <= $1
	UNION ALL SELECT m.member_id, 3, g.source, '', '', '', '', '', '', m.group_num, 0
		FROM membership m CROSS JOIN group_fact g WHERE m.member_id IN (LIST) AND m.kind = 'user' AND m.until > $1 AND m.since <= $1
		AND g.num = m.group_num AND g.until > $1 AND g.since <= $1
	UNION ALL SELECT holder_id, 4, id, project, role, kind, key, origin, by_actor, level, created
		FROM grants WHERE holder_id IN (LIST) AND holder = 'user' AND until > $1 AND since <= $1
	UNION ALL SELECT user_id, 5, project, '', '', '', '', '', '', 0, 0
		FROM overrides WHERE user_id IN (LIST) AND until > $1 AND since <= $1`

// A personRow is a subjectRow and whose it is.
type personRow struct {
	id directory.UserID
	subjectRow
}

func scanPersonRow(row scanner) (r personRow, err error) {
	err = row.Scan(&r.id, &r.kind, &r.text[0], &r.text[1], &r.text[2], &r.text[3], &r.text[4], &r.text[5], &r.text[6], &r.num[0], &r.num[1])
	return r, err
}

// readSubjects reads living users, whose ids ascend.
func readSubjects(ctx context.Context, q querier, ids []directory.UserID, at directory.Stamp) ([]directory.Subject, error) {
	subjects := make([]directory.Subject, len(ids))
	place := make(map[directory.UserID]*directory.Subject, len(ids))
	for i, id := range ids {
		subjects[i] = directory.Subject{At: at, Found: directory.One, ID: id}
		place[id] = &subjects[i]
	}
	for chunk := range slices.Chunk(ids, maxParams) {
		query := strings.ReplaceAll(peopleSQL, "LIST", params(2, len(chunk)))
		rows, err := collect(ctx, q, scanPersonRow, query, anys(chunk, any(int64(at.Revision)))...)
		if err != nil {
			return nil, fmt.Errorf("reading people: %w", err)
		}
		for _, r := range rows {
			sub := place[r.id]
			if r.kind == rowUser {
				sub.Type, sub.Blocked = directory.UserType(r.text[1]), r.num[0] != 0
				continue
			}
			r.addTo(sub)
		}
	}
	for i := range subjects {
		arrange(&subjects[i])
	}
	return subjects, nil
}
