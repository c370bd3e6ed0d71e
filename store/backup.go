package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// ErrNoBackup says that the engine has tools of its own for backups.
var ErrNoBackup = errors.New("PostgreSQL is backed up by its own tools, such as pg_dump")

// Backup writes a copy of the store, as it is at one moment, into a new file
// while others read and write. Only SQLite; else [ErrNoBackup].
func (s *Store) Backup(ctx context.Context, path string) (err error) {
	if s.d.engine != sqlite {
		return ErrNoBackup
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // it holds the root key
	if err != nil {
		return fmt.Errorf("making the backup file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	if err := f.Close(); err != nil {
		return fmt.Errorf("making the backup file: %w", err)
	}
	db, err := sql.Open("sqlite", sqliteURL(s.path, url.Values{"mode": {"ro"}}))
	if err != nil {
		return fmt.Errorf("opening %s for a backup: %w", s.path, err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, `VACUUM INTO $1`, path); err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	return syncFile(path)
}

// syncFile makes a file stay through a loss of power.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("syncing the backup: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("syncing the backup: %w", err)
	}
	return nil
}
