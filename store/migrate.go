package store

import (
	"bytes"
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"regexp"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema of db up to date and refuses a newer one.
func migrate(ctx context.Context, db *sql.DB, d dialect) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	kind := goose.DialectSQLite3
	if d.engine == postgres {
		kind = goose.DialectPostgres
	}
	p, err := goose.NewProvider(kind, db, translated{dir, d.name}, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrating the schema: %w", err)
	}
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("reading the schema's version: %w", err)
	}
	sources := p.ListSources()
	if newest := sources[len(sources)-1].Version; have > newest {
		return fmt.Errorf("the schema has version %d and this program knows up to %d: start a newer usherd", have, newest)
	}
	return nil
}

// migrationLock is the advisory lock of replicas that migrate.
const migrationLock = 0x75736865726401

// migrateAlone migrates a PostgreSQL database that replicas share: of those
// that start together one does it, and the others wait. The lock belongs to a
// transaction, not to a session: behind a pooler every transaction may have
// another session.
func migrateAlone(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning the migration: %w", err)
	}
	defer tx.Rollback() // it only held the lock
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(migrationLock)); err != nil {
		return fmt.Errorf("waiting for another replica's migration: %w", err)
	}
	return migrate(ctx, db, postgresDialect)
}

// translated is a folder of migrations in which the word NAME stands for the
// engine's type of text that is compared bytewise.
type translated struct {
	fs.FS
	name string
}

var nameType = regexp.MustCompile(`\bNAME\b`)

// Open opens a file with its words replaced.
func (t translated) Open(path string) (fs.File, error) {
	f, err := t.FS.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return f, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	text = nameType.ReplaceAllLiteral(text, []byte(t.name))
	return &textFile{File: f, text: bytes.NewReader(text)}, nil
}

// textFile is a file with other contents.
type textFile struct {
	fs.File
	text *bytes.Reader
}

func (f *textFile) Read(p []byte) (int, error) { return f.text.Read(p) }
