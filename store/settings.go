package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// Sources returns the sources that are not removed, by rank.
func (s *Store) Sources(ctx context.Context) ([]directory.Source, error) {
	all, err := collect(ctx, s.read, scanSource, `SELECT name, kind, state, rank, settings, created, modified
		FROM source WHERE state <> 'removed' ORDER BY rank, name`)
	if err != nil {
		return nil, fmt.Errorf("reading sources: %w", err)
	}
	return all, nil
}

// Policy returns the present policy with its bindings, sources and tokens.
func (s *Store) Policy(ctx context.Context) (facts directory.PolicyFacts, err error) {
	err = s.snapshot(ctx, func(q querier) error {
		p, err := readPoint(ctx, q, 0)
		if err != nil {
			return err
		}
		p.at = p.head
		facts, err = readPolicy(ctx, q, p)
		return err
	})
	return facts, err
}

// Grants returns the grants of a user, of a group, or all if neither is named,
// in the order in which they were given.
func (s *Store) Grants(ctx context.Context, user directory.UserID, group directory.GroupID) ([]directory.Grant, error) {
	if user != "" && group != "" {
		return nil, fmt.Errorf("grants of a user and a group at once: %w", directory.ErrInvalid)
	}
	where, args := "", []any(nil)
	switch {
	case !storable(string(user)) || !storable(string(group)):
		return nil, nil
	case user != "":
		where, args = " AND holder = 'user' AND holder_id = $1", []any{string(user)}
	case group != "":
		where, args = " AND holder = 'group' AND holder_id = $1", []any{string(group)}
	}
	all, err := collect(ctx, s.read, scanGrant, `SELECT `+grantColumns+` FROM grants WHERE `+open+where+` ORDER BY created, id`, args...)
	if err != nil {
		return nil, fmt.Errorf("reading grants: %w", err)
	}
	return all, nil
}

// Overrides returns the overrides of a user, or all if none is named.
func (s *Store) Overrides(ctx context.Context, user directory.UserID) ([]directory.Override, error) {
	where, args := "", []any(nil)
	switch {
	case !storable(string(user)):
		return nil, nil
	case user != "":
		where, args = " AND user_id = $1", []any{string(user)}
	}
	all, err := collect(ctx, s.read, scanOverride, `SELECT user_id, project, group_id, by_actor, reason, created FROM overrides
		WHERE `+open+where+` ORDER BY created, user_id, project`, args...)
	if err != nil {
		return nil, fmt.Errorf("reading overrides: %w", err)
	}
	return all, nil
}

func scanOverride(row scanner) (o directory.Override, err error) {
	var created int64
	err = row.Scan(&o.User, &o.Project, &o.Group, &o.By, &o.Reason, &created)
	o.Created = fromMS(created)
	return o, err
}

// Tokens returns all tokens, revoked and expired ones too, in the order in
// which they were made.
func (s *Store) Tokens(ctx context.Context) ([]directory.Token, error) {
	all, err := collect(ctx, s.read, scanToken, `SELECT `+tokenColumns+` FROM token ORDER BY created, id`)
	if err != nil {
		return nil, fmt.Errorf("reading tokens: %w", err)
	}
	return all, nil
}

// Cursor returns a source's place in a directory, nil if there is none.
func (s *Store) Cursor(ctx context.Context, source directory.SourceName) ([]byte, error) {
	var body string
	err := s.read.QueryRowContext(ctx, `SELECT body FROM source_cursor WHERE source = $1`, string(source)).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the cursor of %s: %w", source, err)
	}
	return []byte(body), nil
}
