package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/usherd/usherd/directory"
)

const keptColumns = `space, key, value, version, expires, modified`

// PutKept writes a record if its version is still the given one.
func (s *Store) PutKept(ctx context.Context, k directory.Kept) (directory.Kept, error) {
	if err := checkKept(k); err != nil {
		return directory.Kept{}, err
	}
	k.Modified = fromMS(ms(s.now()))
	k.Expires = fromMS(ms(k.Expires))
	const replace = `UPDATE kept SET value = $3, version = version + 1, expires = $4, modified = $5
		WHERE space = $1 AND key = $2 AND version = $6 AND (expires = 0 OR expires > $5) RETURNING version`
	// One that has expired gives its number on: a version never comes back
	// while the row is there.
	const begin = `INSERT INTO kept (` + keptColumns + `) VALUES ($1, $2, $3, 1, $4, $5)
		ON CONFLICT (space, key) DO UPDATE SET value = excluded.value, version = kept.version + 1,
			expires = excluded.expires, modified = excluded.modified
			WHERE kept.expires > 0 AND kept.expires <= excluded.modified
		RETURNING version`
	query, args := begin, []any{k.Space, k.Key, string(k.Value), ms(k.Expires), ms(k.Modified)}
	if k.Version > 0 {
		query, args = replace, append(args, k.Version)
	}
	err := s.write.QueryRowContext(ctx, query, args...).Scan(&k.Version)
	if errors.Is(err, sql.ErrNoRows) {
		return directory.Kept{}, fmt.Errorf("kept record of %s: %w", k.Space, directory.ErrVersion)
	}
	if err != nil {
		return directory.Kept{}, fmt.Errorf("keeping a record of %s: %w", k.Space, s.full(err))
	}
	return k, nil
}

func checkKept(k directory.Kept) error {
	switch {
	case k.Space == "" || k.Key == "" || !storable(k.Space) || !storable(k.Key):
		return fmt.Errorf("a kept record needs a space and a key that are valid text: %w", directory.ErrInvalid)
	case len(k.Value) > directory.MaxKept || !json.Valid(k.Value):
		return fmt.Errorf("the value of a kept record of %s must be JSON of at most %d bytes: %w", k.Space, directory.MaxKept, directory.ErrInvalid)
	case k.Version < 0:
		return fmt.Errorf("version %d of a kept record: %w", k.Version, directory.ErrInvalid)
	}
	return nil
}

// Kept returns a record that has not expired.
func (s *Store) Kept(ctx context.Context, space, key string) (directory.Kept, error) {
	if !storable(space) || !storable(key) {
		return directory.Kept{}, fmt.Errorf("kept record: %w", directory.ErrNotFound)
	}
	k, err := scanKept(s.read.QueryRowContext(ctx, `SELECT `+keptColumns+` FROM kept
		WHERE space = $1 AND key = $2 AND (expires = 0 OR expires > $3)`, space, key, ms(s.now())))
	if errors.Is(err, sql.ErrNoRows) {
		return directory.Kept{}, fmt.Errorf("kept record of %s: %w", space, directory.ErrNotFound)
	}
	if err != nil {
		return directory.Kept{}, fmt.Errorf("reading a kept record of %s: %w", space, err)
	}
	return k, nil
}

// ListKept returns the records of a space after a key, in the order of keys.
func (s *Store) ListKept(ctx context.Context, space, after string, limit int) ([]directory.Kept, error) {
	if !storable(space) || !storable(after) {
		return nil, fmt.Errorf("listing kept records: not valid text: %w", directory.ErrInvalid)
	}
	all, err := collect(ctx, s.read, scanKept, `SELECT `+keptColumns+` FROM kept
		WHERE space = $1 AND key > $2 AND (expires = 0 OR expires > $3) ORDER BY key LIMIT $4`, space, after, ms(s.now()), max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("listing kept records of %s: %w", space, err)
	}
	return all, nil
}

// DropKept forgets a record.
func (s *Store) DropKept(ctx context.Context, space, key string) error {
	if !storable(space) || !storable(key) {
		return fmt.Errorf("kept record: %w", directory.ErrNotFound)
	}
	res, err := s.write.ExecContext(ctx, `DELETE FROM kept WHERE space = $1 AND key = $2 AND (expires = 0 OR expires > $3)`,
		space, key, ms(s.now()))
	if err != nil {
		return fmt.Errorf("dropping a kept record of %s: %w", space, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, fmt.Errorf("kept record of %s: %w", space, directory.ErrNotFound))
	}
	return nil
}

func scanKept(row scanner) (k directory.Kept, err error) {
	var value string
	var expires, modified int64
	if err = row.Scan(&k.Space, &k.Key, &value, &k.Version, &expires, &modified); err != nil {
		return k, err
	}
	k.Value, k.Expires, k.Modified = json.RawMessage(value), fromMS(expires), fromMS(modified)
	return k, nil
}
