package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A subject is read by one statement, which is one round trip and by itself one
// database snapshot. Its rows are of several kinds, told apart by the first
// column; the rest are texts and numbers as each kind needs.
const (
	rowPoint = iota
	rowUser
	rowIdentity
	rowMembership
	rowGrant
	rowOverride
)

// whoSQL finds, for each kind of key, the users that $2 (and $3, the source)
// name at revision r. A deleted identity holds its id only: its name, address
// and externalId are free.
var whoSQL = map[directory.KeyKind]string{
	directory.KeyID: `SELECT user_id FROM p CROSS JOIN user_fact WHERE user_id = $2 AND until > r AND since <= r
		UNION SELECT user_id FROM p CROSS JOIN identity_fact WHERE identity_id = $2 AND until > r AND since <= r`,
	directory.KeyUserName: `SELECT DISTINCT user_id FROM p CROSS JOIN identity_fact
		WHERE user_name_key = $2 AND presence <> 'deleted' AND until > r AND since <= r`,
	directory.KeyEmail: `SELECT DISTINCT e.user_id FROM p CROSS JOIN email e CROSS JOIN identity_fact i
		WHERE e.value_key = $2 AND e.until > r AND e.since <= r
		AND i.identity_id = e.identity_id AND i.presence <> 'deleted' AND i.until > r AND i.since <= r`,
	directory.KeyExternal: `SELECT DISTINCT user_id FROM p CROSS JOIN identity_fact
		WHERE source = $3 AND external_id = $2 AND external_id <> '' AND presence <> 'deleted' AND until > r AND since <= r`,
}

// subjectSQL returns the statement for one kind of key. $1 is the revision, 0
// for the head. SQLite takes a CROSS JOIN in the order in which it is written,
// which is from the subject to what it has; otherwise it might begin with all
// memberships.
func subjectSQL(kind directory.KeyKind) string {
	return `WITH p AS (SELECT CASE WHEN CAST($1 AS BIGINT) = 0 THEN revision ELSE CAST($1 AS BIGINT) END AS r
		FROM head WHERE id = 1),
	found AS (` + whoSQL[kind] + `),
	who AS (SELECT f.user_id FROM found f WHERE EXISTS (SELECT 1 FROM p CROSS JOIN identity_fact i
		WHERE i.user_id = f.user_id AND i.presence <> 'deleted' AND i.until > r AND i.since <= r) LIMIT 2)
	SELECT 0, ` + pointTexts + `, '', '', '', h.revision, h.policy FROM head h WHERE h.id = 1
	UNION ALL SELECT 1, u.user_id, u.type, '', '', '', '', '', u.blocked, 0
		FROM who w CROSS JOIN p CROSS JOIN user_fact u WHERE u.user_id = w.user_id AND u.until > r AND u.since <= r
	UNION ALL SELECT 2, i.source, i.presence, '', '', '', '', '', i.active, 0
		FROM who w CROSS JOIN p CROSS JOIN identity_fact i WHERE i.user_id = w.user_id AND i.until > r AND i.since <= r
	UNION ALL SELECT 3, g.source, '', '', '', '', '', '', m.group_num, 0
		FROM who w CROSS JOIN p CROSS JOIN membership m CROSS JOIN group_fact g WHERE m.member_id = w.user_id AND m.kind = 'user' AND m.until > r AND m.since <= r
		AND g.num = m.group_num AND g.until > r AND g.since <= r
	UNION ALL SELECT 4, t.id, t.project, t.role, t.kind, t.key, t.origin, t.by_actor, t.level, t.created
		FROM who w CROSS JOIN p CROSS JOIN grants t WHERE t.holder_id = w.user_id AND t.holder = 'user' AND t.until > r AND t.since <= r
	UNION ALL SELECT 5, o.project, '', '', '', '', '', '', 0, 0
		FROM who w CROSS JOIN p CROSS JOIN overrides o WHERE o.user_id = w.user_id AND o.until > r AND o.since <= r`
}

// A subjectRow is one row of that statement.
type subjectRow struct {
	kind int
	text [7]string
	num  [2]int64
}

func scanSubjectRow(row scanner) (r subjectRow, err error) {
	err = row.Scan(&r.kind, &r.text[0], &r.text[1], &r.text[2], &r.text[3], &r.text[4], &r.text[5], &r.text[6], &r.num[0], &r.num[1])
	return r, err
}

// subjectRows runs the statement. SQLite keeps it prepared; the driver of
// PostgreSQL does so by itself, or does not where a pooler is in the way.
func (s *Store) subjectRows(ctx context.Context, key directory.SubjectKey, at directory.Revision) ([]subjectRow, error) {
	args := []any{int64(at), key.Value}
	if key.Kind == directory.KeyExternal {
		args = append(args, string(key.Source))
	}
	prepared := s.subject[key.Kind]
	if prepared == nil {
		return collect(ctx, s.read, scanSubjectRow, subjectSQL(key.Kind), args...)
	}
	rows, err := prepared.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	return drain(rows, scanSubjectRow)
}

// prepareSubject prepares the statements of subjectRows.
func (s *Store) prepareSubject(ctx context.Context) error {
	if s.d.engine != sqlite {
		return nil
	}
	for kind := range whoSQL {
		prepared, err := s.read.PrepareContext(ctx, subjectSQL(kind)) //nolint:sqlclosecheck // Close does
		if err != nil {
			return fmt.Errorf("preparing to read subjects: %w", err)
		}
		s.subject[kind] = prepared
	}
	return nil
}

// Subject looks a subject up as of a stamp; the zero stamp means the head.
func (s *Store) Subject(ctx context.Context, key directory.SubjectKey, at directory.Stamp) (directory.Subject, error) {
	if _, known := whoSQL[key.Kind]; !known {
		return directory.Subject{}, fmt.Errorf("subject key of kind %d: %w", key.Kind, directory.ErrInvalid)
	}
	if !storable(key.Value) || !storable(string(key.Source)) {
		key.Value, key.Source = "", "" // names nobody, as what can't be kept does
	}
	rows, err := s.subjectRows(ctx, key, at.Revision)
	if err != nil {
		return directory.Subject{}, fmt.Errorf("reading a subject: %w", err)
	}
	return subjectOf(rows, at)
}

// Warm makes the first look-ups as fast as the later ones: it opens some
// connections and has each prepare the statements. Call it before saying ready.
func (s *Store) Warm(ctx context.Context) error {
	const connections = 4
	held := make([]*sql.Conn, 0, connections)
	defer func() {
		for _, conn := range held {
			_ = conn.Close() // gives it back
		}
	}()
	for range connections {
		conn, err := s.read.Conn(ctx)
		if err != nil {
			return fmt.Errorf("warming the pool: %w", err)
		}
		held = append(held, conn)
		for kind := range whoSQL {
			args := []any{int64(0), "", ""}
			if kind != directory.KeyExternal {
				args = args[:2]
			}
			if _, err := collect(ctx, conn, scanSubjectRow, subjectSQL(kind), args...); err != nil {
				return fmt.Errorf("warming the pool: %w", err)
			}
		}
	}
	return nil
}

// subjectOf makes the subject of its rows.
func subjectOf(rows []subjectRow, at directory.Stamp) (sub directory.Subject, err error) {
	if len(rows) == 0 || rows[0].kind != rowPoint {
		return sub, errors.New("reading a subject: the head is missing")
	}
	if sub.At, err = rows[0].stamp(at); err != nil {
		return sub, err
	}
	for _, r := range rows[1:] {
		if r.kind != rowUser {
			r.addTo(&sub)
			continue
		}
		if sub.Found == directory.One {
			return directory.Subject{At: sub.At, Found: directory.Ambiguous}, nil
		}
		sub.Found, sub.ID, sub.Type, sub.Blocked = directory.One, directory.UserID(r.text[0]), directory.UserType(r.text[1]), r.num[0] != 0
	}
	if sub.Found != directory.One {
		return directory.Subject{At: sub.At}, nil
	}
	arrange(&sub)
	return sub, nil
}

// stamp checks the stamp that was asked for and returns that of the data.
func (r subjectRow) stamp(asked directory.Stamp) (directory.Stamp, error) {
	p, err := rawPoint{head: r.num[0], policy: r.num[1], chain: r.text[0], horizon: r.text[1], feed: r.text[2], hashed: r.text[3]}.
		point(asked.Revision)
	if err != nil || asked == (directory.Stamp{}) {
		return p.head, err
	}
	if err := p.checkStamp(asked); err != nil {
		return asked, fmt.Errorf("stamp %s: %w", asked, err)
	}
	return asked, nil
}

func (r subjectRow) addTo(sub *directory.Subject) {
	switch r.kind {
	case rowIdentity:
		presence := directory.Presence(r.text[1])
		if r.num[0] == 0 || presence != directory.Present {
			sub.Inactive = true
		}
		if presence != directory.Deleted {
			sub.Sources = append(sub.Sources, directory.SourceName(r.text[0]))
		}
	case rowMembership:
		sub.Memberships = append(sub.Memberships,
			directory.Membership{Group: directory.GroupNum(r.num[0]), Local: directory.SourceName(r.text[0]) == directory.Local})
	case rowGrant:
		sub.Grants = append(sub.Grants, r.grant())
	case rowOverride:
		sub.Overrides = append(sub.Overrides, directory.ProjectKey(r.text[0]))
	}
}

// grant reads the row of an own grant; its holder is the subject.
func (r subjectRow) grant() directory.Grant {
	return directory.Grant{
		ID: r.text[0], Project: directory.ProjectKey(r.text[1]), Role: directory.RoleName(r.text[2]),
		Privilege: directory.Privilege{
			Kind: directory.PrivilegeKind(r.text[3]), Key: r.text[4], Level: directory.Level(r.num[0]),
		},
		Origin: directory.GrantOrigin(r.text[5]), By: r.text[6], Created: fromMS(r.num[1]),
	}
}

// arrange puts the lists in order, each member once: a user may be in a group
// by two attributes or two identities.
func arrange(sub *directory.Subject) {
	slices.Sort(sub.Sources)
	slices.Sort(sub.Overrides)
	slices.SortFunc(sub.Memberships, func(a, b directory.Membership) int { return cmp.Compare(a.Group, b.Group) })
	sub.Sources = slices.Compact(sub.Sources)
	sub.Memberships = slices.Compact(sub.Memberships)
	slices.SortFunc(sub.Grants, func(a, b directory.Grant) int { return cmp.Compare(a.ID, b.ID) })
	for i := range sub.Grants {
		sub.Grants[i].User = sub.ID
	}
}
