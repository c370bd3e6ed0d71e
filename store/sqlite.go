package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// leastSQLite is the first version without the bug that corrupts a database
// when the write-ahead log is reset while another connection checkpoints.
const leastSQLite = "3.51.3"

// openSQLite opens the file, behind a lock that keeps other processes out.
func (s *Store) openSQLite(ctx context.Context, c Config) error {
	path, err := filepath.Abs(strings.TrimPrefix(c.DSN, "sqlite:"))
	if err != nil {
		return fmt.Errorf("finding the database file: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return err
	}
	if err := s.openSQLiteFile(ctx, path); err != nil {
		return errors.Join(err, lock.Close())
	}
	s.d, s.lock = sqliteDialect, lock
	return nil
}

func (s *Store) openSQLiteFile(ctx context.Context, path string) error {
	if err := ownerOnly(path); err != nil {
		return err
	}
	write, err := sql.Open("sqlite", sqliteURL(path, url.Values{"mode": {"rwc"}, "_txlock": {"immediate"}}))
	if err != nil {
		return fmt.Errorf("opening %s: %w", path, err)
	}
	write.SetMaxOpenConns(1)
	write.SetMaxIdleConns(1)
	err = checkSQLite(ctx, write)
	if err == nil {
		err = migrate(ctx, write, sqliteDialect)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("opening %s: %w", path, err), write.Close())
	}
	// The writer has made the file and switched it to WAL: readers may open it.
	read, err := sql.Open("sqlite", sqliteURL(path, url.Values{"mode": {"ro"}, "_pragma": {"query_only(1)"}}))
	if err != nil {
		return errors.Join(fmt.Errorf("opening %s: %w", path, err), write.Close())
	}
	readers := max(4, 2*runtime.GOMAXPROCS(0))
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	s.write, s.read, s.path = write, read, path
	return nil
}

// sqliteURL returns the address of a database file with the settings that
// every connection has.
func sqliteURL(path string, more url.Values) string {
	more["_pragma"] = append(more["_pragma"],
		"busy_timeout(5000)",
		"journal_mode(WAL)",
		"synchronous(FULL)", // what is answered is on the disk
		"foreign_keys(1)",
		"mmap_size(0)", // an I/O error must be an error, not a signal
		"cache_size(-16384)",
		"journal_size_limit(67108864)",
		"temp_store(MEMORY)",
	)
	u := url.URL{Scheme: "file", Path: path, RawQuery: more.Encode()}
	return u.String()
}

// ownerOnly makes the file, if it is new, for its owner alone.
func ownerOnly(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("opening the database file: %w", err)
	}
	return f.Close()
}

// checkSQLite refuses a library that is known to corrupt and a file that can't
// have a write-ahead log.
func checkSQLite(ctx context.Context, db *sql.DB) error {
	var version, mode string
	if err := db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return err
	}
	if olderVersion(version, leastSQLite) {
		return fmt.Errorf("SQLite %s can corrupt its write-ahead log: %s or later is needed", version, leastSQLite)
	}
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the journal mode is %s: the file system does not support a write-ahead log", mode)
	}
	return nil
}

// olderVersion reports whether a is before b; both are like 3.51.3.
func olderVersion(a, b string) bool {
	var x, y [3]int
	// What does not parse counts as 0, which is older than anything.
	_, _ = fmt.Sscanf(a, "%d.%d.%d", &x[0], &x[1], &x[2])
	_, _ = fmt.Sscanf(b, "%d.%d.%d", &y[0], &y[1], &y[2])
	for i := range x {
		if x[i] != y[i] {
			return x[i] < y[i]
		}
	}
	return false
}
