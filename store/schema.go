package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
)

// A Schema says how far the schema of a store has come.
type Schema struct {
	Have   int64 // version in the store; 0 if there is none yet
	Newest int64 // version that this program brings it to
}

// SchemaOf reads the version of the store that c describes. It alters nothing,
// and works while a daemon has the store open.
func SchemaOf(ctx context.Context, c Config) (Schema, error) {
	if err := c.complete(); err != nil {
		return Schema{}, fmt.Errorf("store: bad config: %w", err)
	}
	newest, err := newestMigration()
	if err != nil {
		return Schema{}, err
	}
	db, d, err := lookInto(c)
	if errors.Is(err, fs.ErrNotExist) {
		return Schema{Newest: newest}, nil
	}
	if err != nil {
		return Schema{}, fmt.Errorf("opening the store: %w", err)
	}
	defer db.Close()
	have, err := schemaVersion(ctx, db, d)
	if err != nil {
		return Schema{}, fmt.Errorf("reading the schema's version: %w", err)
	}
	return Schema{have, newest}, nil
}

// lookInto opens a store to read alone. The error is fs.ErrNotExist if there is
// no file.
func lookInto(c Config) (*sql.DB, dialect, error) {
	if isPostgres(c.DSN) {
		db, err := postgresPool(c, readSettings, 1)
		return db, postgresDialect, err
	}
	path, err := filepath.Abs(strings.TrimPrefix(c.DSN, "sqlite:"))
	if err != nil {
		return nil, dialect{}, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, dialect{}, err
	}
	db, err := sql.Open("sqlite", sqliteURL(path, url.Values{"mode": {"ro"}, "_pragma": {"query_only(1)"}}))
	return db, sqliteDialect, err
}

// schemaVersion is 0 where goose has not been yet.
func schemaVersion(ctx context.Context, db *sql.DB, d dialect) (version int64, err error) {
	there := `SELECT COUNT(*) FROM sqlite_schema WHERE name = 'goose_db_version'`
	if d.engine == postgres {
		there = `SELECT COUNT(*) FROM pg_tables WHERE tablename = 'goose_db_version' AND schemaname = ANY (current_schemas(false))`
	}
	var tables int
	if err := db.QueryRowContext(ctx, there).Scan(&tables); err != nil || tables == 0 {
		return 0, err
	}
	err = db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version`).Scan(&version)
	return version, err
}

func newestMigration() (newest int64, err error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, fmt.Errorf("reading migrations: %w", err)
	}
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return 0, fmt.Errorf("reading migrations: %w", err)
		}
		newest = max(newest, version)
	}
	return newest, nil
}
